/**
 * What fails again and again, told when it begins, when its reason changes, and once a minute: a Redis that refuses for an
 * hour would fill the log of each host with one line, thousands of times.
 */
import type { Log } from '../logger.js'

/** Milliseconds after which the same is told again. */
const silence = 60_000

export class RepeatedFailure {
  readonly #log: Pick<Log, 'warn' | 'info' | 'debug'>
  readonly #what: string
  readonly #interval: number
  #reason: string | undefined
  #times = 0
  #told = 0

  /** @param interval - the milliseconds between two tries */
  constructor(log: Pick<Log, 'warn' | 'info' | 'debug'>, what: string, interval: number) {
    this.#log = log
    this.#what = what
    this.#interval = Math.round(interval)
  }

  tell(error: unknown, now = performance.now()): void {
    const reason = error instanceof Error ? error.message : String(error)
    this.#times++
    const isNews = reason !== this.#reason || now - this.#told >= silence
    const times = this.#times === 1 ? '' : ` ${this.#times} times in a row`
    const text = `${this.#what} failed${times}; it is done again in ${this.#interval} ms`
    this.#log[isNews ? 'warn' : 'debug']({ err: error }, text)
    if (!isNews) return
    this.#reason = reason
    this.#told = now
  }

  /** It has been done. */
  over(): void {
    if (this.#times > 0) this.#log.info(`${this.#what} works again, after ${this.#times} failures`)
    this.#reason = undefined
    this.#times = 0
  }
}
