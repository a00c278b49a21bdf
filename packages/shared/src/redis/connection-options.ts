/**
 * What may be given as `connection`, checked without any I/O, so that a wrong one is an error where it is written.
 * Owns what may be given, the names of targets in messages (never with a password), and the form in which a
 * target travels to another process. It opens nothing: see `redis-link.ts`.
 */
import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis'
import { ConnectionError } from '../errors/errors.js'
import type { ConnectionDescriptor } from './connection-descriptor.js'
import { refuseForeign, refuseUnknown } from './connection-names.js'
import { parseAddress, redact } from './redis-address.js'

/** ioredis Cluster options, with the nodes to begin with. */
export interface ClusterConnectionOptions extends ClusterOptions {
  /** Some nodes of the cluster; the others are found through them. */
  readonly cluster: readonly ClusterNode[]
}

/**
 * Where Redis is: an address (`redis://user:password@host:6379/0`, `redis-sentinel://user:password@host:26379,host/master/0`,
 * `redis-cluster://user:password@host:6379,host`, each with `rediss` for TLS, `unix:///path` or `/path` for a socket), ioredis
 * options (with `sentinels` and `name` for Sentinel, `tls` for TLS), ioredis Cluster options with the
 * nodes as `cluster`, or an ioredis `Redis` or `Cluster` instance, which stays its owner's: it is never closed.
 *
 * `keyPrefix`, `stringNumbers` and `replyMapping: 'resp3'` are refused, because BullMQ cannot work with them. Retries,
 * timeouts of commands and the offline queue of the connections that PoolMQ opens are PoolMQ's own, whatever is given.
 */
export type ConnectionOption = string | RedisOptions | ClusterConnectionOptions | Redis | Cluster

/** A checked {@link ConnectionOption}. `embedded`: none was given, and `REDIS_URL` is not set. */
export type ConnectionTarget =
  | ConnectionDescriptor
  | { readonly kind: 'client'; readonly client: Redis | Cluster }
  | { readonly kind: 'embedded' }

/** Bytes of a socket's path at most: longer ones are cut, and then there is no such socket. */
const longestSocketPath = process.platform === 'linux' ? 107 : 103

function checkedSocket<T extends ConnectionTarget>(target: T): T {
  const path = target.kind === 'server' ? target.options.path : undefined
  const length = typeof path === 'string' && process.platform !== 'win32' ? Buffer.byteLength(path) : 0
  if (length <= longestSocketPath) return target
  throw new ConnectionError(
    `PoolMQ cannot connect to the socket ${JSON.stringify(path)}: its path has ${length} bytes, and the system takes at ` +
      `most ${longestSocketPath}. Give a shorter one, or a link to its directory`,
  )
}

/**
 * Checks a connection option; without one, `REDIS_URL`.
 *
 * @throws TypeError for a value of a wrong type, {@link ConnectionError} for an address or options that cannot work.
 */
export function parseConnectionOption(option: ConnectionOption | ConnectionDescriptor | undefined): ConnectionTarget {
  if (option === undefined) {
    const url = process.env.REDIS_URL
    return url ? checkedSocket(parseAddress(url, 'REDIS_URL')) : { kind: 'embedded' }
  }
  if (typeof option === 'string') return checkedSocket(parseAddress(option, 'connection'))
  if (typeof option !== 'object' || option === null) {
    const given = option === null ? 'null' : `a ${typeof option}`
    throw new TypeError(`connection must be an address, ioredis options or an ioredis instance, got ${given}`)
  }
  if (isDescriptor(option)) return option
  if (isClient(option)) return checkedClient(option)
  refuseForeign(option)
  if ('cluster' in option) {
    const { cluster, ...options } = option
    refuseUnknown(options, 'cluster', 'connection')
    if (!Array.isArray(cluster) || cluster.length === 0) {
      throw new TypeError('connection.cluster must be an array of at least one node, as { host, port }')
    }
    refuseUnusable(options, 'connection')
    refuseUnusable(options.redisOptions ?? {}, 'connection.redisOptions')
    return { kind: 'cluster', nodes: cluster, options }
  }
  refuseUnknown(option, 'server', 'connection')
  return checkedSocket({ kind: 'server', options: checkedOptions(option as RedisOptions) })
}

/** The target as an address for messages: without passwords. */
export function describeTarget(target: ConnectionTarget): string {
  if (target.kind === 'embedded') return 'the embedded Redis'
  if (target.kind === 'client') return describeTarget(descriptorOf(target.client))
  if (target.kind === 'cluster') return `the cluster ${target.nodes.map(describeNode).join(', ')}`
  const { options } = target
  if (options.path) return `unix://${options.path}`
  if (options.sentinels) {
    const addresses = options.sentinels.map((node) => `${node.host ?? 'localhost'}:${node.port ?? 26379}`)
    return `the master "${options.name}" of the sentinels ${addresses.join(', ')}`
  }
  const user = options.username || options.password ? `${options.username ?? ''}:***@` : ''
  const host = options.host ?? 'localhost'
  const database = options.db ? `/${options.db}` : ''
  const scheme = options.tls ? 'rediss' : 'redis'
  return `${scheme}://${user}${host.includes(':') ? `[${host}]` : host}:${options.port ?? 6379}${database}`
}

/** Whether Redis is on this host: bytes cost next to nothing on their way there. */
export function isNear(target: ConnectionDescriptor): boolean {
  if (target.kind === 'cluster') return false
  const { path, sentinels, host = 'localhost' } = target.options
  return Boolean(path) || (sentinels === undefined && /^(localhost|127(\.\d+){3}|::1)$/.test(host))
}

/** The descriptor of what an ioredis instance or checked options lead to. */
export function descriptorOf(target: ConnectionDescriptor | Redis | Cluster): ConnectionDescriptor {
  if (isDescriptor(target)) return cloneable(target) as ConnectionDescriptor
  if (isCluster(target)) {
    // ioredis has the nodes to begin with only in a private field; the nodes found since would lack the NAT mapping.
    const { startupNodes } = target as unknown as { readonly startupNodes: readonly ClusterNode[] }
    return descriptorOf({ kind: 'cluster', nodes: startupNodes, options: target.options })
  }
  // A connection that another process opens has a name of its own, and connects when that process says so.
  const { connectionName: _name, lazyConnect: _lazy, ...options } = target.options
  return descriptorOf({ kind: 'server', options })
}

export function isCluster(client: Redis | Cluster): client is Cluster {
  return client.isCluster
}

function isDescriptor(value: object): value is ConnectionDescriptor {
  return 'kind' in value && (value.kind === 'server' || value.kind === 'cluster')
}

// By what it can do, not by `instanceof`: the caller's ioredis may be another copy of the package.
function isClient(value: object): value is Redis | Cluster {
  return 'duplicate' in value && 'sendCommand' in value && 'options' in value && 'status' in value
}

function checkedClient(client: Redis | Cluster): ConnectionTarget {
  refuseUnusable(client.options, 'the given ioredis instance')
  if (isCluster(client)) refuseUnusable(client.options.redisOptions ?? {}, 'the given ioredis Cluster')
  if (client.options.enableOfflineQueue === false) {
    throw new ConnectionError(
      'PoolMQ cannot use the given ioredis instance: with enableOfflineQueue: false every command fails while Redis ' +
        'is away. Pass an instance with the offline queue, or options instead of an instance',
    )
  }
  return { kind: 'client', client }
}

function refuseUnusable(options: object, where: string): void {
  const { keyPrefix, stringNumbers, replyMapping } = options as RedisOptions
  const [name, value] =
    (keyPrefix && ['keyPrefix', keyPrefix]) ||
    (stringNumbers && ['stringNumbers', true]) ||
    (replyMapping === 'resp3' && ['replyMapping', replyMapping]) ||
    []
  if (name === undefined) return
  throw new ConnectionError(
    `PoolMQ cannot use ${where} with ${name} ${JSON.stringify(value)}: BullMQ's scripts do not work with it. ` +
      'Leave it out, or give PoolMQ a connection of its own',
  )
}

function checkedOptions(options: RedisOptions): RedisOptions {
  refuseUnusable(options, 'connection')
  const { host, path, sentinels, name, tls } = options
  const checked: RedisOptions = { ...options }
  if (options.port !== undefined) checked.port = wholeNumber('connection.port', options.port, 1, 65535)
  if (options.db !== undefined) checked.db = wholeNumber('connection.db', options.db, 0)
  if (host !== undefined && (typeof host !== 'string' || host === '')) {
    throw new TypeError(`connection.host must be a host name or an IP address, got ${JSON.stringify(host)}`)
  }
  if (path !== undefined && path !== null && typeof path !== 'string') {
    throw new TypeError(`connection.path must be the path of a socket, got ${JSON.stringify(path)}`)
  }
  if (sentinels && !(Array.isArray(sentinels) && sentinels.length > 0 && typeof name === 'string')) {
    throw new TypeError(
      'connection.sentinels must be an array of at least one { host, port }, with the name of the master',
    )
  }
  // `true` is what ioredis itself makes of rediss://.
  if ((tls as unknown) === true) checked.tls = {}
  return checked
}

function wholeNumber(name: string, value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most) return number
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  throw new TypeError(`${name} must be a whole number ${range}, got ${JSON.stringify(value)}`)
}

function describeNode(node: ClusterNode): string {
  if (typeof node === 'string') return redact(node)
  return typeof node === 'number' ? `localhost:${node}` : `${node.host ?? 'localhost'}:${node.port ?? 6379}`
}

/** A copy without functions and without objects of classes, which a structured clone refuses or takes apart. */
function cloneable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cloneable).filter((item) => item !== undefined)
  if (ArrayBuffer.isView(value) || value === null || typeof value !== 'object') {
    return typeof value === 'function' || typeof value === 'symbol' ? undefined : value
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return undefined
  const entries = Object.entries(value).map(([key, item]) => [key, cloneable(item)] as const)
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined))
}
