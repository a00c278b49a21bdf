/**
 * Inflicts faults on a test pool: it leaves orders to kill where worker processes look, adds entries to the result stream again, and
 * cuts or slows the way to Redis. It recovers nothing: that is the pool's business.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  Deferred,
  formatOutcome,
  knownOptions,
  milliseconds,
  type OutcomeEntry,
  PoolTerminatedError,
  type RedisLink,
  randomId,
  taskInfo,
  wholeNumber,
} from '@poolmq/shared'
import type { KillOrders } from './kill-orders.js'
import type { KillOptions, PoolFaults } from './pool-faults.js'
import type { RedisProxy } from './redis-proxy.js'

/** Milliseconds between two looks whether an order has been carried out. */
const interval = 10

export class FaultInjector implements PoolFaults {
  readonly #orders: KillOrders
  readonly #proxy: RedisProxy
  readonly #over = new AbortController()
  /** Outcomes that are to be delivered twice: those that come next. */
  readonly #copies: Deferred<string>[] = []
  /** Those that were added again, by the id of their chunk. */
  readonly #added = new Map<string, Deferred<string>>()
  #link: RedisLink | undefined

  constructor(orders: KillOrders, proxy: RedisProxy) {
    this.#orders = orders
    this.#proxy = proxy
  }

  killAtItem(index: number, options: KillOptions = {}): Promise<number> {
    wholeNumber('index', index, 0)
    knownOptions('killAtItem', options, ['task', 'times'])
    const { task, times = 1 } = options
    wholeNumber('times', times, 1)
    const names = Array.from({ length: times }, () => randomId())
    for (const name of names) this.#orders.give(name, { index, task: task && taskInfo(task).id })
    return quiet(this.#killed(names))
  }

  deliverTwice(): Promise<string> {
    const copy = new Deferred<string>()
    this.#copies.push(copy)
    return quiet(copy.promise)
  }

  async cutRedis(duration: number): Promise<void> {
    await this.#proxy.cut(bounded('duration', duration))
  }

  async delayRedis(delay: number, duration?: number): Promise<void> {
    const lasts = duration === undefined ? undefined : bounded('duration', duration)
    this.#proxy.slow(bounded('delay', delay))
    if (lasts === undefined) return
    await sleep(lasts)
    this.#proxy.slow(0)
  }

  connected(link: RedisLink): void {
    this.#link = link
  }

  /** An outcome has been read. */
  heard(entry: OutcomeEntry, stream: string): void {
    const { jobId, outcome } = entry
    const added = this.#added.get(jobId)
    if (added !== undefined) {
      this.#added.delete(jobId)
      added.resolve(jobId)
      return
    }
    if (this.#link === undefined || outcome instanceof Error) return
    const copy = this.#copies.shift()
    if (copy === undefined) return
    this.#added.set(jobId, copy)
    this.#link.client.xadd(stream, 'NOMKSTREAM', '*', ...formatOutcome(jobId, outcome)).catch(copy.reject)
  }

  /** What has not happened does not happen any more. */
  end(): void {
    this.#over.abort(new PoolTerminatedError())
    for (const copy of [...this.#copies.splice(0), ...this.#added.values()]) copy.reject(new PoolTerminatedError())
  }

  async #killed(names: readonly string[]): Promise<number> {
    for (;;) {
      const pids = names.map((name) => this.#orders.killed(name))
      const last = pids.at(-1)
      if (last !== undefined && !pids.includes(undefined)) return last
      const { signal } = this.#over
      signal.throwIfAborted()
      // At the end it is looked once more.
      await sleep(interval, undefined, { ref: false, signal }).catch(() => undefined)
    }
  }
}

/** Timers take no more; it is 24 days. */
const longest = 2 ** 31 - 1

function bounded(name: string, value: number): number {
  if (milliseconds(name, value) <= longest) return value
  throw new RangeError(`${name} must be at most ${longest} ms, got ${value}`)
}

/** Nobody need wait for it. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}
