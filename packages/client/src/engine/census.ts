/**
 * Counts the lanes of the worker processes that serve a pool, one in each as a rule: the local ones, and those whose
 * supervisors show their presence in Redis. It warns once when calls wait and nobody is there to serve them.
 */
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers'
import type { PoolKeys, RedisLink } from '@poolmq/shared'
import { liveHosts } from '@poolmq/worker'
import type { PoolLog } from '../pool-logger.js'

/** Lanes that are reckoned with when none is known yet. */
const unknownWorkers = 4
const interval = 3000
/** Milliseconds that calls may wait for a first worker before a warning says so. */
const warnAfter = 5000

export interface CensusOptions {
  readonly name: string | undefined
  readonly lanes: number
  readonly processes: number
  readonly threads: boolean
  readonly expectedWorkers: number | undefined
}

export class Census {
  readonly #options: CensusOptions
  readonly #keys: PoolKeys
  #remote = 0
  #hasRemoteLanes = false
  #timer: NodeJS.Timeout | undefined
  #warning: NodeJS.Timeout | undefined
  #warned = false

  readonly #log: PoolLog

  constructor(options: CensusOptions, keys: PoolKeys, log: PoolLog) {
    this.#log = log
    this.#options = options
    this.#keys = keys
  }

  /** Local and remote lanes that are known of. */
  get seen(): number {
    return Math.max(this.#options.lanes, this.#remote)
  }

  /** What the default chunk size reckons with; at least 1. */
  get workers(): number {
    const { seen } = this
    const { lanes, expectedWorkers = lanes > 0 ? lanes : unknownWorkers } = this.#options
    // Its own have been known from the beginning: others are still to be seen.
    return seen > lanes ? seen : Math.max(lanes, expectedWorkers)
  }

  /** Whether a worker process runs several tasks at a time: a process, as Python's ThreadPool has threads of its own. */
  get hasLanes(): boolean {
    const { threads, lanes, processes } = this.#options
    return (!threads && lanes > processes) || this.#hasRemoteLanes
  }

  start(link: RedisLink): void {
    // A private pool has no other workers than its own.
    if (this.#options.name === undefined) return
    const count = () => this.#count(link).catch(() => undefined) // the last count stands until Redis answers
    void count()
    this.#timer = setInterval(count, interval).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    clearTimeout(this.#warning)
  }

  /** A call waits now: if nobody serves the pool after some seconds, and it still waits, say so. */
  callOpened(stillWaits: () => boolean): void {
    if (this.seen > 0 || this.#warned || this.#warning !== undefined) return
    this.#warning = setTimeout(() => {
      this.#warning = undefined
      if (this.seen > 0 || !stillWaits()) return
      this.#warned = true
      this.#log.warn(
        'POOLMQ_NO_WORKERS',
        `calls of pool ${this.#keys.pool} wait, and no worker serves it; start one: npx @poolmq/worker worker --pool ${this.#keys.pool} MODULE…`,
      )
    }, warnAfter).unref()
  }

  async #count(link: RedisLink): Promise<void> {
    // The local supervisor is among them once it has started.
    const hosts = await liveHosts(link, this.#keys)
    this.#remote = hosts.reduce((sum, host) => sum + host.lanes, 0)
    this.#hasRemoteLanes = !this.#options.threads && hosts.some(({ lanes, processes }) => lanes > processes)
  }
}
