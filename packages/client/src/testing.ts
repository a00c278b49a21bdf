/**
 * `@poolmq/client/testing`: for tests of code that uses a pool, with any test runner. Nothing in `@poolmq/client` loads it.
 */
export { InlinePool, type InlinePoolOptions } from './testing/inline-pool.js'
export type { KillOptions, PoolFaults } from './testing/pool-faults.js'
export { type RunTaskOptions, runTask } from './testing/run-task.js'
export { type TestPool, type TestPoolOptions, testPool } from './testing/test-pool.js'
