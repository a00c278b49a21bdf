/** `@poolmq/shared`: the contract that both sides compile against. Users take what they need from `@poolmq/client`. */

export * from './attempt.js'
export { availableCores } from './available-cores.js'
export * from './deferred.js'
export { type ErrorClass, registerErrors } from './errors/error-class.js'
export * from './errors/error-transport.js'
export * from './errors/errors.js'
export { RemoteTraceback } from './errors/remote-traceback.js'
export { withAdvice } from './errors/system-advice.js'
export * from './observe/events.js'
export { type CallSpan, type Carrier, type ChunkSpan, startCallSpan, startChunkSpan } from './observe/tracing.js'
export { ownProgram, requireOwn } from './own-modules.js'
export * from './payload/codec.js'
export {
  type BlobsPayload,
  type Directory,
  formatDirectory,
  parseDirectory,
  type Segment,
} from './payload/payload-blobs.js'
export { isError } from './payload/payload-kind.js'
export { joinLists, type PackedNumbers, type Width } from './payload/payload-numbers.js'
export {
  compressPiece,
  cutPieces,
  formatHead,
  PieceJoiner,
  type PiecesHead,
  parseHead,
  pieceCount,
  pieceSize,
  piecesHead,
  type TakePiece,
} from './payload/payload-pieces.js'
export { weigh } from './payload/payload-weight.js'
export {
  contentOf,
  type SharedContent,
  type SharedRef,
  type SharedValues,
  sharedContent,
  standFor,
} from './payload/shared-content.js'
export { ProcessAnchor } from './process-anchor.js'
export { oncePerProcess } from './process-registry.js'
export { Recent } from './recent.js'
export * from './records/chunk-record.js'
export * from './records/durable-record.js'
export * from './records/host-report.js'
export * from './records/job-id.js'
export * from './records/keys.js'
export * from './records/order.js'
export * from './records/outcome-record.js'
export { largestInline } from './records/payload-body.js'
export * from './records/pool-records.js'
export { protocolVersion } from './records/record.js'
export type { ConnectionDescriptor } from './redis/connection-descriptor.js'
export { explainFailure } from './redis/connection-failure.js'
export {
  type ClusterConnectionOptions,
  type ConnectionOption,
  type ConnectionTarget,
  isNear,
  parseConnectionOption,
} from './redis/connection-options.js'
export { type EmbeddedLease, EmbeddedRedis } from './redis/embedded-redis.js'
export { isPassing, isRefusal, isWrongType, untilAnswered } from './redis/passing-failure.js'
export {
  assertServer,
  maxMemoryOf,
  memoryLeft,
  RedisLink,
  type RedisLinkEvents,
  type RedisLinkOptions,
} from './redis/redis-link.js'
export { soon } from './soon.js'
export * from './task.js'
export {
  becomeWorker,
  findTask,
  forgetModule,
  isDefined,
  isReloaded,
  isWorker,
  moduleMark,
  moduleOf,
  type TaskFunction,
  taskIds,
  taskModules,
  taskVersions,
} from './task-table.js'
export * from './validate.js'
export { describeValue } from './value-description.js'
export * from './within.js'
