/** Tells how far a call is, each time one of its chunks has ended. */

import type { Progress } from '../call-options.js'
import type { Collector } from './call.js'

export class ProgressReporter {
  /** Items of the call, once they are known. */
  total: number | undefined
  #done = 0
  readonly #listener: ((progress: Progress) => void) | undefined

  constructor(listener: ((progress: Progress) => void) | undefined) {
    this.#listener = listener
  }

  /** A collector that reports before it hands on. A listener that throws fails the call with its error. */
  before(collector: Collector): Collector {
    const listener = this.#listener
    if (listener === undefined) return collector
    let failed = false
    return {
      take: (index, result) => {
        if (failed) return
        this.#done += result.values.length
        try {
          listener({ done: this.#done, total: this.total })
        } catch (error) {
          failed = true
          collector.fail(error)
          return
        }
        collector.take(index, result)
      },
      fail: (error) => collector.fail(error),
    }
  }
}
