/**
 * One process's way to Redis: the client for commands, and further connections for commands that block. A `Pool`, a
 * supervisor and a worker process have one each.
 *
 * The first connection succeeds or fails once, soon, with one error that says what to do. From then on a lost connection
 * is an event, not an error: it is retried for ever, and commands wait. The link closes what it opened and nothing else,
 * and never keeps the process alive.
 */

import { EventEmitter } from 'node:events'
import { performance } from 'node:perf_hooks'
import { clearInterval, setInterval } from 'node:timers'
import type { Cluster, Redis } from 'ioredis'
import { ConnectionError } from '../errors/errors.js'
import { type ClientEvents, eventsOf } from './client-events.js'
import {
  type ConnectionSettings,
  closeClient,
  duplicateClient,
  openClient,
  serverInfo,
  untilReady,
} from './connection.js'
import type { ConnectionDescriptor } from './connection-descriptor.js'
import { explainFailure, withoutSecrets } from './connection-failure.js'
import {
  type ConnectionOption,
  type ConnectionTarget,
  describeTarget,
  descriptorOf,
  isCluster,
  parseConnectionOption,
} from './connection-options.js'
import { type EmbeddedLease, EmbeddedRedis } from './embedded-redis.js'
import { Patience } from './patience.js'

const CONNECT_TIMEOUT = 4500
const SILENCE_LIMIT = 20_000
const PINGS_IN_SILENCE_LIMIT = 4

/** How a link is opened. */
export interface RedisLinkOptions {
  /**
   * Milliseconds until the first connection must be ready, but for those in which this process stood still.
   *
   * @defaultValue 4500: one clear error within 5 s
   */
  readonly connectTimeout?: number | undefined
  /** What `CLIENT LIST` shows for the connections of this link. */
  readonly name?: string | undefined
  /**
   * Milliseconds after which a server that owes an answer, and sends nothing, is taken for gone, and is connected to
   * again. Commands that block must come back within half of it. @defaultValue 20000
   */
  readonly silenceLimit?: number | undefined
}

/** What a link emits. Only the connection for commands is meant; the others are lost and restored with it. */
export interface RedisLinkEvents {
  /** The connection is lost, and is being retried. With the error, where there was one. */
  lost: [error: Error | undefined]
  /** The connection is back after so many milliseconds; what waited is being sent. */
  restored: [after: number]
  /** It will not come back: the embedded Redis ended, or the given instance was closed by its owner. */
  failed: [error: ConnectionError]
}

export class RedisLink extends EventEmitter<RedisLinkEvents> {
  /** The client for commands; the caller's own, where an instance was given. A command keeps no process alive. */
  readonly client: Redis | Cluster
  /** From this, another process opens the same target. */
  readonly descriptor: ConnectionDescriptor
  readonly #settings: ConnectionSettings
  readonly #opened = new Set<Redis | Cluster>()
  readonly #embedded: EmbeddedLease | undefined
  readonly #isOurs: boolean
  readonly #events: ClientEvents
  readonly #heartbeat: NodeJS.Timeout
  #lastError: Error | undefined
  // Why the connection is lost this time.
  #reason: Error | undefined
  #lostAt: number | undefined
  #closing: Promise<void> | undefined

  private constructor(
    client: Redis | Cluster,
    target: ConnectionTarget,
    settings: ConnectionSettings,
    embedded?: EmbeddedLease,
  ) {
    super()
    this.client = client
    this.descriptor = descriptorOf(target.kind === 'client' || target.kind === 'embedded' ? client : target)
    this.#settings = settings
    this.#embedded = embedded
    this.#isOurs = target.kind !== 'client'
    this.#events = this.#isOurs ? client : eventsOf(client)
    if (this.#isOurs) this.#own(client)
    else this.#events.on('error', this.#onError)
    this.#events.on('close', this.#onClose).on('ready', this.#onReady).on('end', this.#onEnd)
    void embedded?.ended.then((error) => error && this.#fail(error))
    this.#heartbeat = setInterval(this.#beat, settings.silenceLimit / PINGS_IN_SILENCE_LIMIT).unref()
  }

  /**
   * Opens a link. Without an option: `REDIS_URL`, else an embedded Redis.
   *
   * @throws {@link ConnectionError} when there is no usable Redis; nothing is left open then.
   */
  static async open(
    option: ConnectionOption | ConnectionDescriptor | undefined,
    options: RedisLinkOptions = {},
  ): Promise<RedisLink> {
    const { connectTimeout = CONNECT_TIMEOUT, silenceLimit = SILENCE_LIMIT, name } = options
    const settings = { connectTimeout, silenceLimit, name }
    const target = parseConnectionOption(option)
    if (target.kind === 'client') {
      await borrow(target.client, settings, target)
      return new RedisLink(target.client, target, settings)
    }
    if (target.kind !== 'embedded') {
      const client = await openClient(target, settings)
      return new RedisLink(client, target, settings)
    }
    const embedded = await EmbeddedRedis.acquire()
    try {
      const server = { kind: 'server', options: { path: embedded.path } } as const
      return new RedisLink(await openClient(server, settings), server, settings, embedded)
    } catch (error) {
      await embedded.release()
      throw error
    }
  }

  /** The last error of any connection of this link; it may be long over. */
  get lastError(): Error | undefined {
    return this.#lastError
  }

  /** The server ends with this process, and all its data with it. */
  get isEmbedded(): boolean {
    return this.#embedded !== undefined
  }

  /** For how many milliseconds the connection for commands has been lost; 0 while it is there. */
  get lostFor(): number {
    return this.#lostAt === undefined ? 0 : performance.now() - this.#lostAt
  }

  /** Another connection to the same target, for commands that block. It ends with the link, or when it is quit. */
  duplicate({ resends = true }: { readonly resends?: boolean } = {}): Redis | Cluster {
    if (this.#closing !== undefined) throw new ConnectionError('The connection to Redis is closed')
    const copy = duplicateClient(this.client, this.#settings, resends)
    this.#own(copy)
    return copy
  }

  /** Closes what this link opened, within a second. What still waits in those connections is rejected. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    clearInterval(this.#heartbeat)
    const { client } = this
    this.#events.off('close', this.#onClose).off('ready', this.#onReady).off('end', this.#onEnd)
    if (!this.#isOurs) this.#events.off('error', this.#onError)
    await Promise.all([...this.#opened].map((opened) => closeClient(opened, opened === client)))
    await this.#embedded?.release()
  }

  #own(client: Redis | Cluster): void {
    this.#opened.add(client)
    client.on('error', this.#onError)
    client.on('node error', this.#onError)
    client.on('reconnecting', () => unrefRetry(client))
    client.once('end', () => this.#opened.delete(client))
  }

  #fail(error: ConnectionError): void {
    this.#lastError = error
    if (this.#closing !== undefined) return
    // Nothing can come back: what waits must not wait for ever.
    void this.close()
    this.emit('failed', error)
  }

  readonly #onError = (error: Error): void => {
    this.#lastError = withoutSecrets(error)
    this.#reason = error
  }

  readonly #onClose = (): void => {
    if (this.#lostAt !== undefined) return
    this.#lostAt = performance.now()
    this.emit('lost', this.#reason)
  }

  readonly #onReady = (): void => {
    const after = this.lostFor
    this.#reason = undefined
    if (this.#lostAt === undefined) return
    this.#lostAt = undefined
    this.emit('restored', after)
  }

  readonly #onEnd = (): void => {
    this.#fail(new ConnectionError('The connection to Redis was closed, not by PoolMQ', { cause: this.#lastError }))
  }

  // A connection on which nothing is sent never owes an answer, and would never be found dead.
  readonly #beat = (): void => {
    for (const client of this.#opened) {
      for (const node of isCluster(client) ? client.nodes() : [client]) {
        if (node.status === 'ready' && node.commandQueue.length === 0) node.ping().catch(() => {})
      }
    }
  }
}

/**
 * Checks that the server can run a pool: Redis 6.2 or later (Valkey and others say which Redis they stand for).
 *
 * @returns a warning for the log, where keys may be evicted.
 */
export async function assertServer(link: RedisLink): Promise<string | undefined> {
  const where = describeTarget(link.descriptor)
  const info = await serverInfo(link.client)
  const [major = 0, minor = 0] = (info.get('redis_version') ?? '').split('.').map(Number)
  if (major < 6 || (major === 6 && minor < 2)) {
    const version = info.get('redis_version') ?? 'of unknown version'
    throw new ConnectionError(`PoolMQ needs Redis 6.2 or later; ${where} is ${version}. Upgrade it, or use another`)
  }
  const policy = info.get('maxmemory_policy') ?? 'noeviction'
  if (policy === 'noeviction') return undefined
  return (
    `${where} has maxmemory-policy ${policy}: when its memory is full, it drops keys, and with them work. ` +
    'Set maxmemory-policy to noeviction'
  )
}

/** Bytes that the server may use (`maxmemory`); 0 where it has no limit, or does not tell. */
export async function maxMemoryOf(link: RedisLink): Promise<number> {
  // Who may not ask for INFO can still be served.
  const info = await serverInfo(link.client).catch(() => undefined)
  const bytes = Number(info?.get('maxmemory') ?? 0)
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : 0
}

/** Bytes that the server has left before it refuses to take more; `Infinity` where it does not refuse, or does not tell. */
export async function memoryLeft(link: RedisLink): Promise<number> {
  // Of a Cluster any node answers, and not the one that has the pool.
  if (isCluster(link.client)) return Number.POSITIVE_INFINITY
  const info = await serverInfo(link.client).catch(() => undefined)
  const [most = 0, used, apart = 0] = ['maxmemory', 'used_memory', 'mem_not_counted_for_evict'].map((name) =>
    Number(info?.get(name) ?? 0),
  )
  const refuses = (info?.get('maxmemory_policy') ?? 'noeviction') === 'noeviction'
  return refuses && most > 0 && used ? Math.max(0, most - used + apart) : Number.POSITIVE_INFINITY
}

async function borrow(client: Redis | Cluster, settings: ConnectionSettings, target: ConnectionTarget): Promise<void> {
  const patience = new Patience(settings.connectTimeout)
  try {
    await untilReady(client, settings.connectTimeout, patience, eventsOf(client))
  } catch (error) {
    throw explainFailure(error, target)
  } finally {
    patience.stop()
  }
}

// Waiting for the next try must not keep the process alive, as the sockets do not.
function unrefRetry(client: Redis | Cluster): void {
  const { reconnectTimeout } = client as unknown as { reconnectTimeout?: NodeJS.Timeout | null }
  reconnectTimeout?.unref()
}
