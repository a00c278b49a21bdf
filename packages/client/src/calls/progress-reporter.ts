/** Tells how far a call is, each time one of its chunks has ended. */
import { setImmediate } from 'node:timers'
import type { Progress } from '../call-options.js'
import type { Collector } from './call.js'
import { isThenable } from './callback-queue.js'
import type { CallPlace } from './user-code.js'

export class ProgressReporter {
  /** Items of the call, once they are known. */
  total: number | undefined
  #done = 0
  /** The listener has returned a promise. */
  #isAsync = false
  readonly #listener: ((progress: Progress) => unknown) | undefined
  readonly #place: CallPlace | undefined

  /** @param place - where the call was made: the listener runs in its context */
  constructor(listener: ((progress: Progress) => unknown) | undefined, place: CallPlace | undefined) {
    this.#listener = listener
    this.#place = place
  }

  /**
   * Calls this when the call has its value. A promise of the listener's that is rejected by then (an async function that throws) needs a
   * turn of the event loop to say so.
   */
  beforeEnd(end: () => void): void {
    if (this.#isAsync) setImmediate(end)
    else end()
  }

  /**
   * A collector that reports before it hands on. A listener that throws fails the call with its error, and so does a
   * promise of its that rejects, which is not waited for.
   */
  before(collector: Collector): Collector {
    const [listener, place] = [this.#listener, this.#place]
    if (listener === undefined || place === undefined) return collector
    let failed = false
    const fail = (error: unknown) => {
      if (failed) return
      failed = true
      collector.fail(error)
    }
    return {
      take: (index, result) => {
        if (failed) return
        this.#done += result.values.length
        const progress = { done: this.#done, total: this.total }
        try {
          place.run(() => {
            const returned = listener(progress)
            if (!isThenable(returned)) return
            this.#isAsync = true
            new Promise((resolve) => resolve(returned)).catch(fail)
          })
        } catch (error) {
          return fail(error)
        }
        collector.take(index, result)
      },
      fail: (error) => collector.fail(error),
    }
  }
}
