/**
 * Worker processes that were ready, and have ended by themselves before they were given any work: a module that fails a
 * moment after it was loaded ends each of its processes so, and a host that started the next one at once would do nothing else.
 * Such a host is not given up, as its processes work while they last.
 */
import { Rounds } from './rounds.js'

/** Rounds in a row after which nothing is waited for: whoever has killed one wants the next. */
const freeRounds = 3
/** Milliseconds between two tries at most. */
const longestPause = 30_000
/** Milliseconds after which a process has lived: its end is none of a row. */
const longLife = 60_000

export interface IdleLoss {
  /** Milliseconds before the next start. */
  readonly pause: number
  /** Others have not just ended in the same way. */
  readonly isNews: boolean
}

export class IdleLosses {
  readonly #rounds = new Rounds((round) =>
    round <= freeRounds ? 0 : Math.min(100 * 2 ** (round - freeRounds), longestPause),
  )

  /** @param began - when it was started, in milliseconds of the same clock as `now` */
  ended(began: number, now = performance.now()): IdleLoss {
    if (now - began >= longLife) this.#rounds.succeeded()
    const isNews = this.#rounds.failed(began, now)
    return { pause: this.#rounds.rests(now), isNews }
  }
}
