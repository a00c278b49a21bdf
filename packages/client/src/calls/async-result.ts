import { debuglog } from 'node:util'
import { describe, describeValue, PoolStateError, TimeoutError, within } from '@poolmq/shared'

/** Written with NODE_DEBUG=poolmq. */
const debug = debuglog('poolmq')

type State<T> =
  | { readonly status: 'pending' }
  | { readonly status: 'fulfilled'; readonly value: T }
  | { readonly status: 'rejected'; readonly error: unknown }

/**
 * The handle of a submitted call: Python's `multiprocessing.pool.AsyncResult` (and `MapResult`). It can be awaited as it
 * is. A failed handle that nobody looks at is silent, as in Python.
 *
 * @typeParam T - what the call yields: a value for `applyAsync`, an array in input order for `mapAsync`.
 */
export class AsyncResult<T> implements PromiseLike<T> {
  #state: State<T> = { status: 'pending' }
  #isWaitedFor = false
  /** Looks at waits without a limit, when callbacks belong to the call. */
  readonly #guard: ((wait: Promise<void>) => Promise<void>) | undefined
  #settle!: () => void
  readonly #settled = new Promise<void>((resolve) => {
    this.#settle = resolve
  })

  /** @internal */
  constructor(guard?: (wait: Promise<void>) => Promise<void>) {
    this.#guard = guard
  }

  /** @internal */
  static fulfil<T>(result: AsyncResult<T>, value: T): void {
    result.#end({ status: 'fulfilled', value })
  }

  /** @internal */
  static reject<T>(result: AsyncResult<T>, error: unknown): void {
    result.#end({ status: 'rejected', error })
  }

  #end(state: State<T>): void {
    if (this.#state.status !== 'pending') return
    this.#state = state
    if (state.status === 'rejected' && !this.#isWaitedFor)
      debug('a call has failed, and nobody waits for it: %s', describeValue(state.error))
    this.#settle()
  }

  /**
   * The result, waited for. Repeatable: every call gives the same value, or throws the same error object.
   *
   * @param timeout - milliseconds to wait at most; 0 looks without waiting. Timing out cancels nothing.
   * @defaultValue no limit
   * @throws TimeoutError (`ERR_POOL_TIMEOUT`) when it is not ready in time; otherwise the error of the call.
   *   NestedPoolError in a callback of the same pool that this waits for.
   */
  async get(timeout?: number): Promise<T> {
    await this.wait(timeout)
    const state = this.#state
    if (state.status === 'pending') throw new TimeoutError(`the result was not ready within ${timeout} ms`)
    if (state.status === 'rejected') throw state.error
    return state.value
  }

  /**
   * Waits until the result is ready, or the time is over. Never throws the call's error; as `get` does, it refuses to wait
   * for the callback that it is called in.
   *
   * @param timeout - milliseconds to wait at most. @defaultValue no limit
   */
  async wait(timeout?: number): Promise<void> {
    if (timeout !== undefined && (typeof timeout !== 'number' || Number.isNaN(timeout))) {
      throw new TypeError(`timeout must be a number of milliseconds, got ${describe(timeout)}`)
    }
    this.#isWaitedFor = true
    if (this.#state.status !== 'pending') return
    if (timeout === undefined || timeout === Number.POSITIVE_INFINITY) {
      await (this.#guard === undefined ? this.#settled : this.#guard(this.#settled))
    } else if (timeout > 0) {
      await within(timeout, this.#settled)
    }
  }

  /** Whether the call has ended, with a value or an error. */
  ready(): boolean {
    return this.#state.status !== 'pending'
  }

  /**
   * Whether the call has ended without an error.
   *
   * @throws PoolStateError (`ERR_POOL_STATE`) while it is not ready: Python's ValueError.
   */
  successful(): boolean {
    if (this.#state.status === 'pending') throw new PoolStateError(`${String(this)} is not ready`)
    return this.#state.status === 'fulfilled'
  }

  // biome-ignore lint/suspicious/noThenProperty: a handle is meant to be awaited
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.get().then(onFulfilled, onRejected)
  }

  catch<B = never>(onRejected?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.get().catch(onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<T> {
    return this.get().finally(onFinally)
  }

  toString(): string {
    return `<AsyncResult ${this.#state.status}>`
  }

  get [Symbol.toStringTag](): string {
    return 'AsyncResult'
  }
}
