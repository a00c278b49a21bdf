/**
 * The async context of a chunk's items: each begins with the one that its worker process had before the chunk, whatever
 * another item has entered and not left (`AsyncLocalStorage.enterWith`). It costs those who enter nothing a comparison.
 */
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'

/** How often something was entered in this process: nothing else tells that a context is no longer what it was. */
let entered = 0
const { enterWith } = AsyncLocalStorage.prototype
AsyncLocalStorage.prototype.enterWith = function (store) {
  entered++
  enterWith.call(this, store)
}

/** As it was when the process began, before any user's code. */
const clean = new AsyncResource('PoolMQ')

/** Runs what ends with what was entered in its course. */
export function apart<R>(run: () => R): R {
  return new AsyncResource('PoolMQ chunk').runInAsyncScope(run)
}

export class ItemScope {
  readonly #enclose: (work: () => unknown) => unknown
  #seen = entered

  /** @param enclose - runs an item in the contexts that are ours */
  constructor(enclose: (work: () => unknown) => unknown) {
    this.#enclose = enclose
  }

  run(run: (item: unknown) => unknown, item: unknown): unknown {
    if (this.#seen === entered) return run(item)
    const fresh = clean.runInAsyncScope(() => new AsyncResource('PoolMQ item'))
    return fresh.runInAsyncScope(this.#enclose, undefined, () => run(item))
  }
}
