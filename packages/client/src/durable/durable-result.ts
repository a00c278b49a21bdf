import type { ItemRange } from '@poolmq/shared'
import type { DurableView } from '@poolmq/worker'
import type { Progress } from '../call-options.js'
import { AsyncResult } from '../calls/async-result.js'

/** A durable call, as it is known in Redis. */
export interface DurableInfo {
  readonly key: string
  /** The id of its task. */
  readonly task: string
  /** How it was begun. */
  readonly method: 'mapAsync' | 'starmapAsync' | 'applyAsync'
  /** `open`: it runs, or waits to. `done`: every item has ended, well or not. `cancelled`: what had not ended then never will. */
  readonly state: 'open' | 'done' | 'cancelled'
  readonly items: number
  /** Items in a chunk. */
  readonly chunkSize: number
  /** The host name and process id of who began it. */
  readonly host: string
  readonly pid: number
  /** When it was begun, by Redis's clock. */
  readonly began: Date
}

export function infoOf({ head, state, began }: DurableView): DurableInfo {
  const { key, task, form, items, chunkSize, host, pid } = head
  const shown = state === 'opening' ? 'open' : state
  return { key, task, method: `${form}Async`, state: shown, items, chunkSize, host, pid, began: new Date(began) }
}

/** What a handle asks of its call. */
export interface DurableSource {
  readonly key: string
  readonly progress: Progress
  readonly lost: readonly ItemRange[]
  info(): Promise<DurableInfo>
  cancel(): Promise<boolean>
  forget(): Promise<boolean>
  /** Resolves with an item; undefined behind the last. @throws its error, or what ended the handle before it was known */
  item(index: number): Promise<{ readonly value: unknown } | undefined>
  /** Waits for something that keeps the process alive, and the pool from its end. */
  held<T>(wait: () => Promise<T>): Promise<T>
}

/**
 * The handle of a durable call: an {@link AsyncResult} whose call goes on without it. Any number of handles, in any number of
 * processes of the pool, have the same results, and nothing is used up by reading. It holds the results that it has heard of.
 *
 * Its error, where items have failed, is that of the first of them in the order of the input.
 *
 * @typeParam T - what the call yields, as of {@link AsyncResult}
 * @typeParam I - what one item yields
 */
export class DurableResult<T, I = T> extends AsyncResult<T> {
  readonly #source: DurableSource

  /** @internal */
  constructor(source: DurableSource, guard?: (wait: Promise<void>) => Promise<void>) {
    super(guard)
    this.#source = source
  }

  /** Under which it is found. */
  get key(): string {
    return this.#source.key
  }

  /** How far the call is, as far as this handle has heard; `total` is undefined until the call is found. */
  get progress(): Progress {
    return this.#source.progress
  }

  /** The items that Redis has lost, when that is why the handle has failed; else none. */
  get lost(): readonly ItemRange[] {
    return this.#source.lost
  }

  /**
   * What is known of the call in Redis now.
   *
   * @throws NoDurableCallError (`ERR_POOL_NO_DURABLE_CALL`) when there is none
   */
  info(): Promise<DurableInfo> {
    return this.#source.info()
  }

  /**
   * Cancels the call, for everybody: what waits is removed, what runs is stopped, handles reject with CancelledError. What has ended is
   * kept. False when the call has ended, or there is none.
   */
  cancel(): Promise<boolean> {
    return this.#source.cancel()
  }

  /** Removes the call with all its results, and cancels it if it has not ended. False when there is none. */
  forget(): Promise<boolean> {
    return this.#source.forget()
  }

  /**
   * The results one by one, in input order, as they come. A failed item rejects the `next()` whose turn it is, and iteration
   * can go on.
   *
   * @param index - the item to begin with: a whole number. @defaultValue 0
   */
  from(index = 0): AsyncIterableIterator<I> {
    if (!Number.isSafeInteger(index) || index < 0) {
      throw new RangeError(`from must be the index of an item, a whole number of at least 0, got ${String(index)}`)
    }
    let at = index
    let ended = false
    const iterator: AsyncIterableIterator<I> = {
      next: async () => {
        const item = ended ? undefined : await this.#source.item(at++)
        if (item !== undefined) return { done: false, value: item.value as I }
        ended = true
        return { done: true, value: undefined }
      },
      return: async () => {
        ended = true
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }

  /** The results from the first on: see {@link DurableResult.from}. */
  [Symbol.asyncIterator](): AsyncIterableIterator<I> {
    return this.from(0)
  }

  override wait(timeout?: number): Promise<void> {
    return this.ready() ? super.wait(timeout) : this.#source.held(() => super.wait(timeout))
  }

  override toString(): string {
    return super.toString().replace('AsyncResult', 'DurableResult')
  }

  override get [Symbol.toStringTag](): string {
    return 'DurableResult'
  }
}
