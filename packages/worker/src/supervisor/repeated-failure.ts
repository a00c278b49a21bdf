/**
 * What fails again and again is told when it begins, when its reason changes, and once a minute: a Redis that refuses for an
 * hour would fill the log of each host with one line, thousands of times.
 */

/** Milliseconds after which the same is told again. */
const silence = 60_000

export class RepeatedFailure {
  #reason: string | undefined
  #times = 0
  #told = 0

  /** Failures in a row. */
  get times(): number {
    return this.#times
  }

  /** It has failed; returns whether that is to be told. */
  isNews(error: unknown, now = performance.now()): boolean {
    const reason = error instanceof Error ? error.message : String(error)
    this.#times++
    const isNews = reason !== this.#reason || now - this.#told >= silence
    if (isNews) {
      this.#reason = reason
      this.#told = now
    }
    return isNews
  }

  /** It has been done; returns how often in a row it had failed. */
  over(): number {
    const times = this.#times
    this.#reason = undefined
    this.#times = 0
    return times
  }
}
