/**
 * The results of `imap` and `imapUnordered`, one by one: Python's IMapIterator. Outcomes are per item whatever the chunk
 * size. It buffers what has arrived and is not yet taken; how much that can be is bounded by who feeds it (imap-feeder).
 */
import { CancelledError, describe, TimeoutError } from '@poolmq/shared'
import type { ChunkResult, Collector } from './call.js'

type Item = { readonly value: unknown } | { readonly error: unknown }

interface Waiter {
  readonly resolve: (result: IteratorResult<unknown, undefined>) => void
  readonly reject: (error: unknown) => void
  timer?: NodeJS.Timeout
}

/** What an iterator tells its feeder. */
export interface ImapListener {
  /** All items of one more chunk have been taken: there is room for another. */
  onChunkTaken(): void
  /** Nobody will ask for more: stop reading the input. */
  onReturn(): void
  /** Somebody has begun to wait for a result, or nobody waits any more. */
  onWaiting(): void
}

/** The iterator of an `imap`. It stands alone: what the compilers' libraries call one has changed over their versions. */
export interface ImapResults<T> {
  /**
   * The next result, waited for.
   *
   * @param timeout - milliseconds to wait at most; no result is lost when it is over, and the iterator stays usable.
   * @defaultValue no limit
   * @throws TimeoutError (`ERR_POOL_TIMEOUT`) when there is none in time; the item's error when the item failed, and
   *   iteration can go on with the items that follow.
   */
  next(timeout?: number): Promise<IteratorResult<T, undefined>>
  /** Ends the iteration: input that was not read is not read, chunks that wait are removed. `break` calls it. */
  return(): Promise<IteratorResult<T, undefined>>
  /** Ends the iteration, and rejects with the error: what `yield*` does with one that its generator is given. */
  throw(error: unknown): Promise<IteratorResult<T, undefined>>
  [Symbol.asyncIterator](): ImapResults<T>
  /** `await using`: as `return`. A loop that an item's error has ended did not call that, as the iteration could go on. */
  [Symbol.asyncDispose](): Promise<void>
}

export class ImapIterator<T> implements Collector, ImapResults<T> {
  readonly #ordered: boolean
  readonly #listener: ImapListener
  /** Results in the order in which they are handed out, and how many of them end a chunk. */
  #ready: ({ readonly result: ChunkResult; next: number } | undefined)[] = []
  #head = 0
  /** Ordered: chunks that have arrived before their turn. */
  readonly #early = new Map<number, ChunkResult>()
  #turn = 0
  /** Chunks of the whole input, once it is known. */
  #total: number | undefined
  #arrived = 0
  /** What ends the iteration after all that came before it: an error of the input, or of the pool. */
  #ending: { readonly error: unknown } | undefined
  #waiters: Waiter[] = []
  #returned = false

  constructor(ordered: boolean, listener: ImapListener) {
    this.#ordered = ordered
    this.#listener = listener
  }

  [Symbol.asyncIterator](): ImapResults<T> {
    return this
  }

  /** Whether somebody waits for a result. */
  get isWaitedFor(): boolean {
    return this.#waiters.length > 0
  }

  next(timeout?: number): Promise<IteratorResult<T, undefined>> {
    if (timeout !== undefined && (typeof timeout !== 'number' || Number.isNaN(timeout))) {
      return Promise.reject(new TypeError(`timeout must be a number of milliseconds, got ${describe(timeout)}`))
    }
    // What is there is given at once: most results of a large chunk are.
    const item = this.#waiters.length === 0 ? this.#shift() : undefined
    if (item !== undefined) {
      return 'error' in item ? Promise.reject(item.error) : Promise.resolve({ done: false, value: item.value as T })
    }
    return new Promise<IteratorResult<T, undefined>>((resolve, reject) => {
      const waiter: Waiter = { resolve: resolve as Waiter['resolve'], reject }
      this.#waiters.push(waiter)
      this.#serve()
      if (timeout === undefined || timeout === Number.POSITIVE_INFINITY || !this.#waiters.includes(waiter)) return
      const give = () => {
        this.#waiters = this.#waiters.filter((one) => one !== waiter)
        this.#listener.onWaiting()
        reject(new TimeoutError(`no result arrived within ${timeout} ms`))
      }
      if (timeout <= 0) give()
      else waiter.timer = setTimeout(give, Math.min(timeout, 2 ** 31 - 1))
    })
  }

  /** @param value - what `yield*` hands on, whose generator then returns it */
  async return(value?: undefined): Promise<IteratorResult<T, undefined>> {
    if (!this.#returned) {
      this.#returned = true
      this.#ready = []
      this.#early.clear()
      this.#listener.onReturn()
      this.#release(new CancelledError('the iterator was returned'))
    }
    return { done: true, value }
  }

  async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return()
    throw error
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  take(index: number, result: ChunkResult): void {
    this.#arrived++
    if (this.#returned) return
    if (!this.#ordered) {
      this.#ready.push({ result, next: 0 })
    } else {
      this.#early.set(index, result)
      for (let turn = this.#early.get(this.#turn); turn !== undefined; turn = this.#early.get(this.#turn)) {
        this.#early.delete(this.#turn++)
        this.#ready.push({ result: turn, next: 0 })
      }
    }
    this.#serve()
  }

  /** The pool has failed: what has arrived is still handed out, then the error, then the end. */
  fail(error: unknown): void {
    this.#ending = { error }
    this.#total = this.#arrived
    this.#early.clear()
    this.#serve()
  }

  /** All input has been handed over in so many chunks; it ended with this error, if any. */
  inputEnded(chunks: number, ending?: { readonly error: unknown }): void {
    this.#total ??= chunks
    this.#ending ??= ending
    this.#serve()
  }

  #serve(): void {
    while (this.#waiters.length > 0) {
      const item = this.#shift()
      if (item === undefined && !this.#ended()) break
      const waiter = this.#waiters.shift() as Waiter
      clearTimeout(waiter.timer)
      const outcome = item ?? this.#ending
      if (item === undefined) this.#ending = undefined
      if (outcome === undefined) waiter.resolve({ done: true, value: undefined })
      else if ('error' in outcome) waiter.reject(outcome.error)
      else waiter.resolve({ done: false, value: outcome.value })
    }
    this.#listener.onWaiting()
  }

  #shift(): Item | undefined {
    const chunk = this.#ready[this.#head]
    if (chunk === undefined) return undefined
    const at = chunk.next++
    const { values, failures } = chunk.result
    const item: Item = failures.size > 0 && failures.has(at) ? { error: failures.get(at) } : { value: values[at] }
    if (chunk.next >= values.length) {
      this.#ready[this.#head++] = undefined // what was taken is not held on to
      // The array is cut now and then: shifting it each time would move all that is buffered.
      if (this.#head > 1024 && this.#head * 2 > this.#ready.length) {
        this.#ready.splice(0, this.#head)
        this.#head = 0
      }
      this.#listener.onChunkTaken()
    }
    return item
  }

  #ended(): boolean {
    return this.#returned || (this.#total !== undefined && this.#arrived >= this.#total)
  }

  #release(error: unknown): void {
    for (const waiter of this.#waiters.splice(0)) {
      clearTimeout(waiter.timer)
      waiter.reject(error)
    }
  }
}
