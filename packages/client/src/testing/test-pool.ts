import { setBackend } from '../engine/backend.js'
import { Pool } from '../pool.js'
import type { PoolOptions } from '../pool-options.js'
import type { PoolFaults } from './pool-faults.js'
import { TestSite } from './test-site.js'

/**
 * Options of `testPool`: those of `Pool`. With a `name`, test pools of this process that have the same are one pool; durable calls
 * need one.
 */
export interface TestPoolOptions extends Omit<PoolOptions, 'connection' | 'expectedWorkers'> {
  /** Worker processes: a whole number of at least 1; with a `name`, 0 is allowed. @defaultValue 2: one can be killed while the other goes on */
  readonly processes?: number | undefined
  /**
   * A Redis to use, as a container has it: `redis://host:6379`, a single server without TLS.
   *
   * @defaultValue a private one of this process: `redis-server` or `valkey-server` on PATH
   */
  readonly connection?: string | undefined
}

/** A pool for tests: real worker processes, a private Redis, and faults to inflict on them. */
export interface TestPool extends Pool {
  /** Faults to inflict on it. */
  readonly faults: PoolFaults
}

/**
 * Starts a pool of real worker processes on a private Redis, both of which are gone when it has ended (`terminate`, `join`,
 * `await using`). Its way to Redis leads through this process, so that it can be cut.
 *
 * @param options - the number of worker processes, or {@link TestPoolOptions}.
 * @returns a promise that rejects with RangeError, TypeError as `Pool` throws them, and with ConnectionError where there is no
 *   Redis to be started.
 */
export async function testPool(options: number | TestPoolOptions = {}): Promise<TestPool> {
  const given: TestPoolOptions = typeof options === 'object' && options !== null ? options : { processes: options }
  if ('expectedWorkers' in given) {
    throw new TypeError('testPool has no option expectedWorkers; the pool has worker processes of its own')
  }
  const { processes = 2, connection, ...others } = given
  const site = await TestSite.open(connection)

  class OwnPool extends Pool implements TestPool {
    readonly faults = site.faults

    static override readonly name: string = 'TestPool'

    override async join(...none: []): Promise<void> {
      await super.join(...none)
      await site.close()
    }

    override async terminate(): Promise<void> {
      try {
        await super.terminate()
      } finally {
        await site.close()
      }
    }
  }
  setBackend(OwnPool, () => site.backend)

  try {
    return new OwnPool({ ...others, processes, connection: site.url })
  } catch (error) {
    await site.close()
    throw error
  }
}
