/**
 * Runs the callbacks of a pool one at a time, in the order in which their calls completed, each before its handle is
 * ready. A callback that returns a promise holds up those behind it until the promise is settled, as a slow callback
 * does in Python. Whatever a callback throws is that handle's error, and the queue goes on.
 */
import { attempt } from '@poolmq/shared'
import { type CallPlace, UserCode } from './user-code.js'

export class CallbackQueue {
  readonly #waiting: (() => Promise<void> | void)[] = []
  #busy = false

  /** Runs `step` when all before it have ended; its errors are its own business and must be caught in it. */
  run(step: () => Promise<void> | void): void {
    this.#waiting.push(step)
    if (!this.#busy) this.#next()
  }

  #next(): void {
    this.#busy = true
    for (let step = this.#waiting.shift(); step !== undefined; step = this.#waiting.shift()) {
      const pending = step()
      if (pending !== undefined) {
        const next = () => this.#next()
        pending.then(next, next)
        return
      }
    }
    this.#busy = false
  }
}

/** Functions to be called with what a call yields. They run one at a time, before the handle is ready. */
export interface Callbacks<T> {
  /**
   * Called once with the value that `get()` gives, in the `AsyncLocalStorage` context of the call. If it throws, or the
   * promise that it returns rejects, the error becomes the handle's.
   */
  readonly callback?: ((value: T) => unknown) | undefined
  /** Called once with the error that `get()` throws, in the same way. */
  readonly errorCallback?: ((error: unknown) => unknown) | undefined
}

export type Ending<T> = { readonly value: T } | { readonly error: unknown }

/** Calls the callback that fits; gives the ending, or, when the callback throws, that error. Never throws. */
export function callBack<T>(
  ending: Ending<T>,
  callbacks: Callbacks<T>,
  place: CallPlace,
  pool: object,
): Ending<T> | Promise<Ending<T>> {
  return place.run(() => {
    const code = new UserCode(pool)
    const ended = () => {
      code.end()
      return ending
    }
    const failed = (thrown: unknown): Ending<T> => {
      code.end()
      if ('error' in ending) attempt(() => addContext(thrown, ending.error))
      return { error: thrown }
    }
    try {
      const returned = code.run(() =>
        'value' in ending ? callbacks.callback?.(ending.value) : callbacks.errorCallback?.(ending.error),
      )
      if (!isThenable(returned)) return ended()
      // Made anew whatever it is: the `then` of a promise may be the user's own.
      return new Promise((resolve) => resolve(returned)).then(ended, failed)
    } catch (thrown) {
      return failed(thrown)
    }
  })
}

/** Python's exception context: the task's own error stays visible behind the callback's, where that one can hold it. */
function addContext(thrown: unknown, error: unknown): void {
  if (!(thrown instanceof Error) || thrown === error || thrown.cause !== undefined) return
  Object.defineProperty(thrown, 'cause', { value: error, configurable: true, writable: true })
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}
