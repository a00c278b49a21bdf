/** `@poolmq/client`: Python's `multiprocessing.Pool` for TypeScript, with workers on any number of machines. */
export {
  type CallReport,
  CancelledError,
  type ClusterConnectionOptions,
  ConnectionError,
  type ConnectionOption,
  DurableConflictError,
  DurableLostError,
  defineTasks,
  EncodingError,
  type EncodingErrorDetails,
  type ErrorClass,
  type HostReport,
  InitializerError,
  type ItemRange,
  isWorker,
  type LossReport,
  ModuleError,
  NestedPoolError,
  NoDurableCallError,
  type NotATask,
  PoolError,
  type PoolErrorOptions,
  PoolStateError,
  PoolTerminatedError,
  type ProcessReport,
  ProtocolError,
  type RecentChunk,
  RemoteTraceback,
  registerErrors,
  type Task,
  type TaskFunction,
  type TaskFunctions,
  type TaskHolder,
  type TaskOptions,
  type TaskRef,
  type TaskRefs,
  type Tasks,
  TaskTimeoutError,
  TaskVersionError,
  TimeoutError,
  taskRefs,
  UnknownTaskError,
  type WorkerLostDetails,
  WorkerLostError,
} from '@poolmq/shared'
export {
  type CallInfo,
  currentTask,
  type HostDetails,
  type HostInfo,
  Monitor,
  type MonitorOptions,
  type PoolStats,
  type TaskContext,
} from '@poolmq/worker'
export type {
  ApplyAsyncOptions,
  ApplyOptions,
  BackupOptions,
  CallOptions,
  DurableOptions,
  ImapOptions,
  Kwds,
  MapAsyncOptions,
  MapOptions,
  OptionName,
  OptionsInPlaceOfKwds,
  Progress,
} from './call-options.js'
export { AsyncResult } from './calls/async-result.js'
export type { Callbacks } from './calls/callback-queue.js'
export type { ImapResults } from './calls/imap-iterator.js'
export { type DurableInfo, DurableResult, type DurableSource } from './durable/durable-result.js'
export { type ApplyArguments, Pool } from './pool.js'
export type { PoolLogger } from './pool-logger.js'
export type { PoolOptions, PoolShare, ThreadPoolOptions } from './pool-options.js'
export type { Sharable, SharableArguments, SharedValue, WholeValue } from './shared-value.js'
export { ThreadPool } from './thread-pool.js'
