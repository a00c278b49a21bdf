/**
 * How long is waited for what another process does, measured in time that this one has had itself: on a machine with too
 * little processor for all that starts there, an answer is late, or lies here unread, and that is nobody's failure. Counted
 * in looks: however long the event loop stood still between two of them, it counts as little more than one interval.
 */
import { performance } from 'node:perf_hooks'
import { clearTimeout, setTimeout } from 'node:timers'

/** Milliseconds between two looks. */
const interval = 50
/** Milliseconds that count for one at most. */
const most = 1.5 * interval

export class Patience {
  /** Resolves when it is over, and everything that had arrived by then has been read. */
  readonly over: Promise<void>
  readonly #limit: number
  #spent = 0
  #timer: NodeJS.Timeout | undefined
  #last = performance.now()

  /** @param limit - milliseconds */
  constructor(limit: number) {
    this.#limit = limit
    this.over = new Promise((resolve) => this.#look(resolve))
  }

  /** Whether there is nothing left of it. */
  get isOver(): boolean {
    return this.#spent >= this.#limit
  }

  /** It is not needed any more, and its end is never told. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  #look(onOver: () => void): void {
    const now = performance.now()
    this.#spent += Math.min(now - this.#last, most)
    this.#last = now
    // What was there before the last look has been read before the next one.
    this.#timer = this.isOver
      ? setTimeout(onOver, interval)
      : setTimeout(() => this.#look(onOver), Math.min(interval, this.#limit - this.#spent))
  }
}
