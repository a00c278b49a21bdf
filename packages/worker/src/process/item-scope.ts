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

/** Runs what ends with what was entered in its course. */
export function apart<R>(run: () => R): R {
  return new AsyncResource('PoolMQ chunk').runInAsyncScope(run)
}

export class ItemScope {
  /** As it was before the first item. */
  readonly #clean = new AsyncResource('PoolMQ chunk')
  #seen = entered

  run(run: (item: unknown) => unknown, item: unknown): unknown {
    if (this.#seen === entered) return run(item)
    const fresh = this.#clean.runInAsyncScope(() => new AsyncResource('PoolMQ item'))
    return fresh.runInAsyncScope(run, undefined, item)
  }
}
