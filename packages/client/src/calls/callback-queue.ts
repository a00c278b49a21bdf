/**
 * Runs the callbacks of a pool one at a time, in the order in which their calls completed, each before its handle is
 * ready. A callback that returns a promise holds up those behind it until the promise is settled, as a slow callback
 * does in Python.
 */
export class CallbackQueue {
  readonly #waiting: (() => unknown)[] = []
  #busy = false

  /** Runs `step` when all before it have ended; its errors are its own business and must be caught in it. */
  run(step: () => unknown): void {
    this.#waiting.push(step)
    if (!this.#busy) this.#next()
  }

  #next(): void {
    this.#busy = true
    for (let step = this.#waiting.shift(); step !== undefined; step = this.#waiting.shift()) {
      const pending = step()
      if (pending instanceof Promise) {
        void pending.finally(() => this.#next())
        return
      }
    }
    this.#busy = false
  }
}

/** Functions to be called with what a call yields. They run one at a time, before the handle is ready. */
export interface Callbacks<T> {
  /** Called once with the value that `get()` gives. If it throws, the error becomes the handle's. */
  readonly callback?: ((value: T) => unknown) | undefined
  /** Called once with the error that `get()` throws. */
  readonly errorCallback?: ((error: unknown) => unknown) | undefined
}

export type Ending<T> = { readonly value: T } | { readonly error: unknown }

/** Calls the callback that fits; resolves to the ending, or, when the callback throws, to that error. */
export function callBack<T>(ending: Ending<T>, callbacks: Callbacks<T>): Ending<T> | Promise<Ending<T>> {
  const failed = (thrown: unknown): Ending<T> => {
    if ('error' in ending && thrown instanceof Error && thrown.cause === undefined && thrown !== ending.error) {
      // Python's exception context: the task's own error stays visible behind the callback's.
      Object.defineProperty(thrown, 'cause', { value: ending.error, configurable: true, writable: true })
    }
    return { error: thrown }
  }
  try {
    const returned = 'value' in ending ? callbacks.callback?.(ending.value) : callbacks.errorCallback?.(ending.error)
    if (!isThenable(returned)) return ending
    return Promise.resolve(returned).then(() => ending, failed)
  } catch (thrown) {
    return failed(thrown)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
