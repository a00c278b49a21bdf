/** `@poolmq/shared`: the contract that both sides compile against. Users take what they need from `@poolmq/client`. */
export * from './codec.js'
export { explainFailure } from './connection-failure.js'
export {
  type ClusterConnectionOptions,
  type ConnectionDescriptor,
  type ConnectionOption,
  parseConnectionOption,
} from './connection-options.js'
export * from './deferred.js'
export { registerErrors } from './error-class.js'
export * from './error-transport.js'
export * from './errors.js'
export * from './job-id.js'
export * from './keys.js'
export { isPassing, isRefusal, untilAnswered } from './passing-failure.js'
export { joinLists } from './payload-numbers.js'
export * from './pool-records.js'
export { protocolVersion } from './record.js'
export { assertServer, RedisLink, type RedisLinkOptions } from './redis-link.js'
export { RemoteTraceback } from './remote-traceback.js'
export * from './task.js'
export * from './validate.js'
export * from './wire.js'
export * from './within.js'
