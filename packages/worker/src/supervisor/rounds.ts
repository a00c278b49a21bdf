/**
 * Failures in a row, counted over time: those of one moment are one round, however many processes had them. What was begun
 * before the pause of a round is over belongs to it.
 */
export class Rounds {
  readonly #pause: (round: number) => number
  #count = 0
  #restsUntil = Number.NEGATIVE_INFINITY

  /** @param pause - the milliseconds to wait after each round, from the first, which is 1 */
  constructor(pause: (round: number) => number) {
    this.#pause = pause
  }

  /** Rounds in a row that have failed. */
  get count(): number {
    return this.#count
  }

  /** Something failed that was begun then. @returns whether it is the first of a round */
  failed(began: number, now: number): boolean {
    if (began < this.#restsUntil) return false
    this.#count++
    this.#restsUntil = now + this.#pause(this.#count)
    return true
  }

  /** Milliseconds before the next try. */
  rests(now: number): number {
    return Math.max(0, this.#restsUntil - now)
  }

  succeeded(): void {
    this.#count = 0
    this.#restsUntil = Number.NEGATIVE_INFINITY
  }
}
