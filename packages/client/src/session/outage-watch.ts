/**
 * Whether Redis serves this client. An outage is waited out for a minute; then it is told as a failure, since nothing may wait
 * for ever. A Redis that answers and refuses (it is out of memory, or read-only) is no better than one out of reach. Where a
 * key of the pool is somebody else's, that is told at once.
 */
import { performance } from 'node:perf_hooks'
import { clearTimeout, setTimeout } from 'node:timers'
import { ConnectionError, type PoolError, type PoolKeys, type ProtocolError, type RedisLink } from '@poolmq/shared'
import { findForeignKey } from '@poolmq/worker'
import type { PoolLog } from '../pool-logger.js'

/** Milliseconds that Redis may be out of reach before open calls are given up. */
const outageLimit = 60_000

/** Who is told that Redis does not serve. */
export interface OutageListener {
  /** Redis is out of reach for good. */
  readonly onFailed: (error: ConnectionError) => void
  /** Redis has been out of reach, or has refused to write, for too long; undefined: it is back. */
  readonly onOutage: (error: PoolError | undefined) => void
}

export interface OutageWatchOptions extends OutageListener {
  readonly keys: PoolKeys
  readonly clientId: string
  readonly log: PoolLog
  /** The connection is there again: what it has missed is to be made good. */
  readonly onRestored: () => void
}

export class OutageWatch {
  readonly #link: RedisLink
  readonly #options: OutageWatchOptions
  #isLost = false
  #outage: NodeJS.Timeout | undefined
  /** A key of the pool is somebody else's. */
  #foreign: ProtocolError | undefined
  /** When Redis began to refuse what it is asked. */
  #refusedSince: number | undefined

  constructor(link: RedisLink, options: OutageWatchOptions) {
    this.#link = link
    this.#options = options
    link.on('lost', () => this.#lost())
    link.on('restored', () => this.#restored())
    link.on('failed', (error) => {
      this.#isLost = true
      options.onFailed(error)
    })
  }

  /** Redis is out of reach for good: nothing more can be said to it. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** An outage is not waited out any more. */
  stop(): void {
    clearTimeout(this.#outage)
  }

  /** The lease was renewed, or Redis has refused that with this. */
  noteRenewal(error?: unknown): void {
    void this.lookForForeignKey()
    if (error === undefined) {
      if (this.#refusedSince !== undefined) this.#options.onOutage(undefined)
      this.#refusedSince = undefined
      return
    }
    this.#refusedSince ??= performance.now()
    if (performance.now() - this.#refusedSince < outageLimit) return
    const reason = error instanceof Error ? error.message : String(error)
    this.#options.onOutage(
      new ConnectionError(`Redis has refused to write for ${outageLimit / 1000} s: ${reason}`, { cause: error }),
    )
  }

  /**
   * Looks whether a key of the pool is somebody else's, whoever stumbles over it, here or on a host. Calls fail as long as one
   * is. Never rejects.
   */
  async lookForForeignKey(): Promise<ProtocolError | undefined> {
    const { keys, clientId, onOutage } = this.#options
    try {
      const found = await findForeignKey(this.#link.client, keys, clientId)
      if (found !== undefined || this.#foreign !== undefined) onOutage(found)
      this.#foreign = found
      return found
    } catch {
      return undefined // Redis is away, which is told by others
    }
  }

  #lost(): void {
    if (this.#outage === undefined)
      this.#options.log.tell('warn', 'the connection to Redis is lost; it is connected to again')
    this.#outage ??= setTimeout(() => {
      const cause = this.#link.lastError
      const why = cause === undefined ? '' : `: ${cause.message}`
      this.#options.onOutage(
        new ConnectionError(`Redis has been out of reach for ${outageLimit / 1000} s${why}`, { cause }),
      )
    }, outageLimit).unref()
  }

  #restored(): void {
    this.#options.log.tell('info', 'Redis is back')
    clearTimeout(this.#outage)
    this.#outage = undefined
    this.#options.onOutage(undefined)
    this.#options.onRestored()
  }
}
