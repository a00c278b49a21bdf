/** `@poolmq/client`: Python's `multiprocessing.Pool` for TypeScript, with workers on any number of machines. */
export {
  CancelledError,
  ConnectionError,
  type ConnectionOption,
  defineTasks,
  EncodingError,
  InitializerError,
  isWorker,
  ModuleError,
  NestedPoolError,
  PoolError,
  PoolStateError,
  PoolTerminatedError,
  ProtocolError,
  RemoteTraceback,
  registerErrors,
  type Task,
  type TaskFunction,
  type TaskRef,
  type TaskRefs,
  type Tasks,
  TaskTimeoutError,
  TimeoutError,
  taskRefs,
  UnknownTaskError,
  WorkerLostError,
} from '@poolmq/shared'
export { currentTask, type TaskContext } from '@poolmq/worker'
export { AsyncResult } from './async-result.js'
export type {
  ApplyAsyncOptions,
  ApplyOptions,
  CallOptions,
  ImapOptions,
  MapAsyncOptions,
  MapOptions,
  Progress,
} from './call-options.js'
export type { Callbacks } from './callback-queue.js'
export type { ImapResults } from './imap-iterator.js'
export { type ApplyArguments, Pool } from './pool.js'
export type { PoolOptions } from './pool-options.js'
export { ThreadPool } from './thread-pool.js'
