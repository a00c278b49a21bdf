/**
 * The user's code that a pool waits for: a callback, until what it returned is settled. It runs in the context
 * (`AsyncLocalStorage`) of the place where the call was made, and it is known in all that it awaits: a wait for the pool
 * in there may be a wait for itself, which would never end.
 */

import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { clearInterval, setInterval } from 'node:timers'
import { NestedPoolError } from '@poolmq/shared'

const inside = new AsyncLocalStorage<UserCode>()

/** Milliseconds between two looks at a wait that may be for itself, and how many find nothing else left before it ends. */
const look = 500
const looks = 4

export class UserCode {
  /** The code in whose course the call was made. */
  readonly #outer = inside.getStore()
  readonly #pool: object
  #over = false

  constructor(pool: object) {
    this.#pool = pool
  }

  run<R>(code: () => R): R {
    return inside.run(this, code)
  }

  get isOver(): boolean {
    return this.#over
  }

  /** Nobody waits for it any more. */
  end(): void {
    this.#over = true
  }

  /** The code that this is called in and that the pool waits for, if any. */
  static of(pool: object): UserCode | undefined {
    let code = inside.getStore()
    while (code !== undefined && (code.#over || code.#pool !== pool)) code = code.#outer
    return code
  }
}

/** The place where a call was made, for the functions that it was given. */
export class CallPlace {
  readonly #resource = new AsyncResource('PoolMQ call')

  run<R>(code: () => R): R {
    return this.#resource.runInAsyncScope(code)
  }
}

/**
 * Waits for something of a pool. In code that the pool waits for, the wait ends with an error when nothing else has been
 * left to wait for, for two seconds, and that code has not ended: then it is this wait that it waits for, as far as
 * anyone can tell. Code that only begins the wait and ends is not affected.
 *
 * @param what - the wait, for the message
 * @param onlyUserCode - whether all that is waited for is the user's own code
 */
export function outsideOf<T>(pool: object, what: string, onlyUserCode: () => boolean, wait: Promise<T>): Promise<T> {
  const code = UserCode.of(pool)
  if (code === undefined) return wait
  return new Promise((resolve, reject) => {
    let seen = 0
    const timer = setInterval(() => {
      if (code.isOver) return clearInterval(timer)
      seen = onlyUserCode() ? seen + 1 : 0
      if (seen < looks) return
      clearInterval(timer)
      reject(
        new NestedPoolError(
          `a callback of the pool waits for ${what}, which waits for that callback to end: neither would ever end. Let ` +
            'the callback return first, and wait outside of it',
        ),
      )
    }, look)
    const done = () => clearInterval(timer)
    wait.then(resolve, reject).then(done, done)
  })
}
