/**
 * `@poolmq/worker`: serves pools on a host. The command `poolmq worker` is all that most hosts need; a program of one's
 * own can run a supervisor from `@poolmq/worker/supervisor`.
 */
import { ownProgram } from '@poolmq/shared'

export {
  defineTasks,
  type ErrorClass,
  isWorker,
  registerErrors,
  type Task,
  type TaskFunction,
  type TaskRef,
  type Tasks,
} from '@poolmq/shared'
export type { FromLocalSupervisor, LocalStart, ToLocalSupervisor } from './line/local-messages.js'
export type { EagerSpec } from './line/messages.js'
export { packDescriptor } from './line/packed-descriptor.js'
export type { PrivateLine } from './line/private-line.js'
export { sharedDirectory } from './line/shared-directory.js'
export { type Fetch, SharedFiles } from './line/shared-files.js'
export {
  followProgram,
  type ProgramExit,
  type ProgramStart,
  type StartedProgram,
  startProgram,
} from './line/started-program.js'
export { Monitor, type MonitorOptions } from './monitor/monitor.js'
export { type CallInfo, type HostDetails, type HostInfo, type PoolStats, PoolView } from './monitor/pool-view.js'
export { currentTask, type TaskContext } from './process/task-context.js'
export { expireKeys, type RunTimes } from './queue/chunk-scripts.js'
export { ChunkStore, type NewChunk } from './queue/chunk-store.js'
export { costTolerance, type HeardCost, knownCosts, tellCosts } from './queue/cost-script.js'
export { DurableStore, type DurableView, openDurables } from './queue/durable-store.js'
export { type ChunkCost, leastCost, type Share, unknownStep } from './queue/fair-scripts.js'
export { findForeignKey } from './queue/foreign-key.js'
export { keysOfChunk, PieceStore } from './queue/piece-store.js'
export { copyOrders, orderLife, orderStop, renewLease, sweepPool, sweptKeys } from './queue/pool-scripts.js'
export { type LiveHost, liveHosts } from './queue/presence.js'
export { inheritedExecArgv } from './supervisor/exec-argv.js'
export { type StartFailure, StartFailures } from './supervisor/start-failures.js'

/**
 * The program that a Pool starts for its local worker processes.
 *
 * @throws ModuleError when a bundler has parted us from it
 */
export const localSupervisorProgram = () =>
  ownProgram(
    '@poolmq/worker',
    'dist/supervisor/local-supervisor.js',
    './supervisor/local-supervisor.js',
    import.meta.url,
  )
export type { Client, RunScript, ScriptArgument } from './queue/script.js'
