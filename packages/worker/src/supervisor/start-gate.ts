/**
 * How many worker processes (or threads) of a host start at the same time: one for each core, two at least. A start is a third
 * of a second of processor time and little else; if a hundred began at once, the first would be ready hardly before the last. The next is let in as one has loaded what it needs, as it dies, or after a while: what it loads may be user
 * code that waits for something.
 */
import { availableCores } from '@poolmq/shared'

/** Milliseconds after which a start counts no more. */
const longestStart = 5000

/** Starts; to be told, once, when it is over. */
export type Start = (leave: () => void) => void

export class StartGate {
  readonly #waiting: Start[] = []
  #places: number
  #closed = false

  /** @param places - how many may start at the same time */
  constructor(places = startsAtOnce()) {
    this.#places = places
  }

  /**
   * Lets this start begin: now, or when it is its turn.
   *
   * @param isNext - somebody waits for it: it comes before those that only add to what is there
   */
  enter(start: Start, isNext = false): void {
    if (isNext) this.#waiting.unshift(start)
    else this.#waiting.push(start)
    this.#admit()
  }

  /** None begins from now on. */
  close(): void {
    this.#closed = true
    this.#waiting.length = 0
  }

  #admit(): void {
    while (!this.#closed && this.#places > 0) {
      const start = this.#waiting.shift()
      if (start === undefined) return
      this.#places--
      start(this.#place())
    }
  }

  #place(): () => void {
    let isTaken = true
    const leave = () => {
      clearTimeout(timer)
      if (!isTaken) return
      isTaken = false
      this.#places++
      this.#admit()
    }
    const timer = setTimeout(leave, longestStart)
    timer.unref()
    return leave
  }
}

/** Worker processes that a host starts before any of them is ready. */
export function startsAtOnce(): number {
  return Math.max(2, availableCores())
}
