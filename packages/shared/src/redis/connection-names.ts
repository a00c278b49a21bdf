/**
 * The names that ioredis gives its options, and what they are called elsewhere. ioredis ignores a name that it does not
 * know and connects to localhost, which is found out late and far away.
 */
import type { ClusterOptions, RedisOptions } from 'ioredis'

/** Every name is here: the compiler compares them with the installed ioredis. */
const serverNames: Readonly<Record<keyof RedisOptions, true>> = {
  Connector: true,
  autoPipeliningIgnoredCommands: true,
  autoResendUnfulfilledCommands: true,
  autoResubscribe: true,
  blockingTimeout: true,
  blockingTimeoutGrace: true,
  clientInfoTag: true,
  commandQueue: true,
  commandTimeout: true,
  connectTimeout: true,
  connectionName: true,
  db: true,
  disableClientInfo: true,
  disconnectTimeout: true,
  enableAutoPipelining: true,
  enableOfflineQueue: true,
  enableReadyCheck: true,
  enableTLSForSentinelMode: true,
  failoverDetector: true,
  family: true,
  himportFieldsets: true,
  host: true,
  keepAlive: true,
  keyPrefix: true,
  lazyConnect: true,
  maxLoadingRetryTime: true,
  maxRetriesPerRequest: true,
  monitor: true,
  name: true,
  natMap: true,
  noDelay: true,
  offlineQueue: true,
  password: true,
  path: true,
  port: true,
  preferredSlaves: true,
  protocol: true,
  readOnly: true,
  reconnectOnError: true,
  replyMapping: true,
  retryStrategy: true,
  role: true,
  scripts: true,
  sentinelCommandTimeout: true,
  sentinelMaxConnections: true,
  sentinelPassword: true,
  sentinelReconnectStrategy: true,
  sentinelRetryStrategy: true,
  sentinelTLS: true,
  sentinelUsername: true,
  sentinels: true,
  showFriendlyErrorStack: true,
  socketTimeout: true,
  stringNumbers: true,
  tls: true,
  updateSentinels: true,
  username: true,
}

const clusterNames: Readonly<Record<keyof ClusterOptions, true>> = {
  autoPipeliningIgnoredCommands: true,
  clusterNodeRetryStrategy: true,
  clusterRetryStrategy: true,
  dnsLookup: true,
  enableAutoPipelining: true,
  enableOfflineQueue: true,
  enableReadyCheck: true,
  himportFieldsets: true,
  keyPrefix: true,
  lazyConnect: true,
  maxRedirections: true,
  natMap: true,
  redisOptions: true,
  resolveSrv: true,
  retryDelayOnClusterDown: true,
  retryDelayOnFailover: true,
  retryDelayOnMoved: true,
  retryDelayOnTryAgain: true,
  scaleReads: true,
  scripts: true,
  shardedSubscribers: true,
  showFriendlyErrorStack: true,
  slotsRefreshInterval: true,
  slotsRefreshTimeout: true,
  useSRVRecords: true,
}

/** What to write instead of names of other libraries. */
const elsewhere: Readonly<Record<string, string>> = {
  url: "give the address itself, as connection: 'redis://user:password@host:6379/0'",
  socket: 'write host and port, or path, beside the other options',
  hostname: 'it is called host',
  ip: 'it is called host',
  user: 'it is called username',
  pass: 'it is called password',
  auth: 'they are called username and password',
  database: 'it is called db',
  ssl: 'it is called tls',
  masterName: 'it is called name, beside sentinels',
  nodes: 'write the nodes as cluster: [{ host, port }]',
}
for (const name of ['uri', 'href', 'address', 'connectionString', 'redisUrl', 'redis', 'connection']) {
  Object.assign(elsewhere, { [name]: elsewhere.url })
}
for (const name of ['hosts', 'servers', 'rootNodes', 'startupNodes'])
  Object.assign(elsewhere, { [name]: elsewhere.nodes })

/** @throws TypeError for an option that ioredis does not know */
export function refuseUnknown(options: object, kind: 'server' | 'cluster', where: string): void {
  const known = kind === 'server' ? serverNames : clusterNames
  // What a connector of one's own is given is its own affair.
  if ('Connector' in options && options.Connector !== undefined) return
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue
    const meant = Object.keys(known).find((other) => plain(other) === plain(name))
    const hint = meant === undefined ? elsewhere[name] : `it is called ${meant}`
    throw new TypeError(`${where}.${name} is no option of ioredis, which would ignore it; ${hint ?? 'leave it out'}`)
  }
}

const plain = (name: string): string => name.replaceAll(/[_-]/g, '').toLowerCase()

/** @throws TypeError for an object that is neither options nor an ioredis instance, with what to write */
export function refuseForeign(option: object): void {
  const { then, sendCommand } = option as { then?: unknown; sendCommand?: unknown }
  const what = Array.isArray(option)
    ? 'an array; nodes of a cluster are { cluster: [{ host, port }] }'
    : option instanceof URL
      ? 'a URL object; give its text, as url.href'
      : typeof then === 'function'
        ? 'a promise; await it first'
        : typeof sendCommand === 'function'
          ? 'a client of another library than ioredis; give its address'
          : undefined
  if (what !== undefined) {
    throw new TypeError(`connection must be an address, ioredis options or an ioredis instance, got ${what}`)
  }
}
