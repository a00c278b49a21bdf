/**
 * Opens and closes single connections: the settings that every connection of ours has, the first connection with its one
 * error, and the end of a connection in whatever state it is.
 *
 * Once open, a connection is retried for ever and its commands wait.
 */
import { clearTimeout, setTimeout } from 'node:timers'
import { TLSSocket } from 'node:tls'
import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis'
import type { ClientEvents } from './client-events.js'
import type { ConnectionDescriptor } from './connection-descriptor.js'
import { explainFailure, withoutSecrets } from './connection-failure.js'
import { isCluster } from './connection-options.js'
import * as ioredis from './ioredis-module.js'
import { Patience } from './patience.js'
import { connectorFor } from './redis-connector.js'

/** How far a client has come; shared with its retry strategies and its connector. */
interface Phase {
  first: boolean
  socketError?: Error
}

/** What a connection is made with. */
export interface ConnectionSettings {
  /** Milliseconds of this process's own time (see patience) for the first connection, from the start to an answer. */
  readonly connectTimeout: number
  /** Milliseconds after which a server that owes an answer, and sends nothing at all, is taken for gone. */
  readonly silenceLimit: number
  /** What `CLIENT LIST` shows. */
  readonly name?: string | undefined
}

const LONGEST_RETRY_DELAY = 2000
const CLUSTER_RETRIES = 100
const CLUSTER_RETRY_DELAY = 300
const QUIT_TIMEOUT = 400
const DISCONNECT_TIMEOUT = 300

/** Opens a client and waits until it is ready; rejects with a {@link ConnectionError}, and has then tried only once. */
export async function openClient(target: ConnectionDescriptor, settings: ConnectionSettings): Promise<Redis | Cluster> {
  const patience = new Patience(settings.connectTimeout)
  try {
    for (;;) {
      try {
        return await tryClient(target, settings, patience)
      } catch (error) {
        // ioredis goes by the clock, which is not to blame Redis for a pause of this process.
        if ((error as NodeJS.ErrnoException).code !== 'ETIMEDOUT' || patience.isOver)
          throw explainFailure(error, target)
      }
    }
  } finally {
    patience.stop()
  }
}

async function tryClient(
  target: ConnectionDescriptor,
  settings: ConnectionSettings,
  patience: Patience,
): Promise<Redis | Cluster> {
  const phase: Phase = { first: true }
  const client =
    target.kind === 'cluster'
      ? new ioredis.Cluster([...target.nodes], clusterOptions(target.options, settings, phase))
      : new ioredis.Redis(serverOptions(target.options, settings, phase))
  try {
    await untilReady(client, settings.connectTimeout, patience)
    await refuseReplica(client, settings.connectTimeout, patience)
    phase.first = false
    return client
  } catch (error) {
    await closeClient(client)
    // A Cluster says of a node only that it was closed.
    const isMute = (error as Error).message === 'Connection is closed.'
    throw (isMute && phase.socketError) || error
  }
}

/**
 * Another connection to where `client` leads, whose commands wait for ever; it connects by itself.
 *
 * @param resends - false: a command that has lost its connection is not sent again, and never settles; its sender listens for
 *   `close`. A Cluster sends it again all the same.
 */
export function duplicateClient(
  client: Redis | Cluster,
  settings: ConnectionSettings,
  resends: boolean,
): Redis | Cluster {
  const phase: Phase = { first: false }
  const copy = isCluster(client)
    ? client.duplicate([], clusterOptions(client.options, settings, phase))
    : client.duplicate({ ...serverOptions(client.options, settings, phase), autoResendUnfulfilledCommands: resends })
  copy.connect().catch(() => {})
  return copy
}

/**
 * Waits until a client, of ours or not, is ready; the client is left as it is.
 *
 * @param timeout - the milliseconds that are told when the patience is over
 * @param events - the client's
 */
export async function untilReady(
  client: Redis | Cluster,
  timeout: number,
  patience: Patience,
  events: ClientEvents = client,
): Promise<void> {
  if (client.status === 'ready') return
  let seen: Error | undefined
  const note = (error: Error) => {
    // The first error has the reason; those after it come of giving up.
    seen ??= withoutSecrets(error)
  }
  let settle: { readonly ready: () => void; readonly ended: () => void } | undefined
  events.on('error', note)
  events.on('node error', note)
  try {
    await new Promise<void>((resolve, reject) => {
      settle = { ready: resolve, ended: () => reject(seen ?? new Error('Connection is closed.')) }
      void patience.over.then(() => reject(silence(client, seen, timeout)))
      events.once('ready', settle.ready)
      events.once('end', settle.ended)
      if (client.status === 'wait') client.connect().catch(note)
      if (client.status === 'end') settle.ended()
    })
    // ioredis says so, and goes on in database 0.
    if (seen && /DB index/i.test(seen.message)) throw seen
  } finally {
    events.off('error', note)
    events.off('node error', note)
    if (settle) events.off('ready', settle.ready).off('end', settle.ended)
  }
}

/**
 * Ends a connection of ours within a second, whatever state it is in; what waits in it is rejected.
 *
 * @param gently let a ready connection finish what it has sent. Not for one that blocks.
 */
export async function closeClient(client: Redis | Cluster, gently = false): Promise<void> {
  if (client.status === 'end') return
  const ignore = () => {}
  client.on('error', ignore)
  const ended = new Promise<void>((resolve) => client.once('end', () => resolve()))
  if (gently && client.status === 'ready') {
    client.quit().catch(ignore)
    if (await within(ended, QUIT_TIMEOUT)) return
  }
  const sockets = [...(isCluster(client) ? client.nodes() : [client])].map((node) => node.stream)
  // Between two tries, ioredis does not come to an end when it is told to: what waits would wait for ever. While it
  // connects, it does.
  if (client.status === 'reconnecting') client.connect().catch(ignore)
  client.disconnect()
  for (const socket of sockets) socket?.destroy()
  await within(ended, DISCONNECT_TIMEOUT)
  rejectUnanswered(client)
}

/** What the server says about itself: of a cluster, any of its nodes. */
export async function serverInfo(client: Redis | Cluster): Promise<ReadonlyMap<string, string>> {
  const lines = (await client.info()).split('\r\n')
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)] as const))
}

async function refuseReplica(client: Redis | Cluster, timeout: number, patience: Patience): Promise<void> {
  if (isCluster(client)) return
  // Who may not ask for INFO can still be served.
  const info = serverInfo(client).catch(() => undefined)
  if ((await Promise.race([info, patience.over.then(() => 'late')])) === 'late') {
    throw new Error(`no answer within ${timeout} ms`)
  }
  const facts = await info
  if (facts?.get('role') === 'slave' && facts.get('slave_read_only') !== '0') throw new Error('READONLY: role slave')
}

// `replyMapping` is in the type of a client, so it must not be open here.
type ServerOptions = RedisOptions & { replyMapping: 'legacy' }

function serverOptions(given: RedisOptions, settings: ConnectionSettings, phase: Phase): ServerOptions {
  const { name, connectTimeout } = settings
  return {
    ...given,
    ...(name === undefined ? {} : { connectionName: name.replace(/[^!-~]+/g, '-') }),
    lazyConnect: true,
    // Of the first connection, ours comes first: it can tell more.
    connectTimeout: connectTimeout + 500,
    disconnectTimeout: DISCONNECT_TIMEOUT,
    sentinelCommandTimeout: given.sentinelCommandTimeout ?? Math.min(connectTimeout, 2000),
    keepAlive: 10_000,
    replyMapping: 'legacy',
    maxLoadingRetryTime: 200,
    maxRetriesPerRequest: null,
    enableOfflineQueue: true,
    enableReadyCheck: true,
    autoResendUnfulfilledCommands: true,
    autoResubscribe: true,
    // ioredis's own timeouts do not fit: `commandTimeout` and `socketTimeout` fail blocking commands, `blockingTimeout`
    // drops an answer that comes late (an item that was popped is then lost), and their timers keep the process alive.
    commandTimeout: undefined,
    socketTimeout: undefined,
    blockingTimeout: undefined,
    retryStrategy: (attempt) => (phase.first ? null : retryDelay(attempt)),
    sentinelRetryStrategy: (attempt) => (phase.first ? null : retryDelay(attempt)),
    // After a fail-over the old master is a replica: connect again, to where the name leads now, and send again.
    reconnectOnError: given.reconnectOnError ?? ((error) => (error.message.includes('READONLY') ? 2 : false)),
    Connector: given.Connector ?? connectorFor(given, settings.silenceLimit, phase),
  }
}

function clusterOptions(
  given: ClusterOptions,
  settings: ConnectionSettings,
  phase: Phase,
): ClusterOptions & { redisOptions: ServerOptions } {
  const redisOptions = serverOptions(given.redisOptions ?? {}, settings, phase)
  return {
    ...given,
    lazyConnect: true,
    enableOfflineQueue: true,
    enableReadyCheck: true,
    scaleReads: 'master',
    // A cluster's fail-over takes its node timeout (15 s by default) and an election: ioredis gives up after 1.6 s.
    maxRedirections: Math.max(given.maxRedirections ?? 0, CLUSTER_RETRIES),
    retryDelayOnFailover: CLUSTER_RETRY_DELAY,
    retryDelayOnClusterDown: CLUSTER_RETRY_DELAY,
    clusterRetryStrategy: (attempt) => (phase.first ? null : retryDelay(attempt)),
    // With TLS, a certificate is for the node's name, which ioredis replaces by its address otherwise.
    ...(redisOptions.tls && !given.dnsLookup ? { dnsLookup: (name, done) => done(null, name) } : {}),
    redisOptions,
  }
}

// Half of it by chance, so that a restarted server is not met by all clients at once.
function retryDelay(attempt: number): number {
  const longest = Math.min(LONGEST_RETRY_DELAY, 50 * 2 ** Math.min(attempt, 10))
  return Math.round((longest * (1 + Math.random())) / 2)
}

function silence(client: Redis | Cluster, seen: Error | undefined, timeout: number): Error {
  if (seen) return seen
  const stream = isCluster(client) ? undefined : client.stream
  // Then it has told of itself, at length, and that it was not ready.
  if (stream && stream.bytesRead > 1000) return new Error(`it is still loading its data after ${timeout} ms`)
  // Redis waits for the end of a line where a TLS client waits for an answer.
  if (stream instanceof TLSSocket && !stream.connecting) return new Error(`no TLS handshake within ${timeout} ms`)
  return new Error(`no answer within ${timeout} ms`)
}

// ioredis keeps what was sent, and not answered, apart until it is connected again, and forgets it when it never is.
function rejectUnanswered(client: Redis | Cluster): void {
  const { prevCommandQueue: queue } = client as unknown as { prevCommandQueue?: UnansweredQueue | null }
  for (let item = queue?.shift(); item; item = queue?.shift()) item.command.reject(new Error('Connection is closed.'))
}

interface UnansweredQueue {
  shift(): { readonly command: { reject(error: Error): void } } | undefined
}

async function within(promise: Promise<unknown>, time: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, time, false)
  })
  const inTime = await Promise.race([promise.then(() => true), late])
  clearTimeout(timer)
  return inTime
}
