/**
 * The event loop of a worker process, watched from within, where several lanes share it: it shows the supervisor that the
 * loop turns, has tasks that never wait let it turn, and measures time without that in which it stood still. With one
 * lane it does nothing of it: there the one task may keep the loop, and its time is the clock's.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'

/** Milliseconds between two signs of life while something is in hand. */
const interval = 100
/** Milliseconds that may lie between two signs of life of a loop that turns. */
const usual = 2 * interval
/** Milliseconds that tasks which never wait may keep the event loop, all together. */
const slice = 10

export class LoopClock {
  readonly #beat: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  /** When it was seen to turn. */
  #last = performance.now()
  /** Milliseconds that it stood still, in all. */
  #stood = 0
  /** When the lanes last let it turn. */
  #turned = performance.now()

  /** @param beat - shows that the loop turns; none where nobody shares it */
  constructor(beat: (() => void) | undefined) {
    this.#beat = beat
  }

  /** Something is in hand. */
  start(): void {
    if (this.#beat === undefined || this.#timer !== undefined) return
    this.#last = performance.now()
    this.#turned = this.#last
    this.#beat()
    this.#timer = setInterval(() => this.#tick(), interval)
  }

  /** Nothing is. */
  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Milliseconds of a clock that stands still while the event loop does. */
  now(): number {
    const now = performance.now()
    return now - this.#stood - this.#standing(now)
  }

  /** Whether it is time to let the event loop turn. */
  isDue(): boolean {
    return this.#beat !== undefined && performance.now() - this.#turned > slice
  }

  /** Lets the event loop turn: what waits to be delivered, heard, or told gets its chance. */
  async turn(): Promise<void> {
    await nextTurn()
    this.#turned = performance.now()
  }

  #tick(): void {
    const now = performance.now()
    this.#stood += this.#standing(now)
    this.#last = now
    this.#turned = now
    this.#beat?.()
  }

  #standing(now: number): number {
    return this.#timer === undefined ? 0 : Math.max(0, now - this.#last - usual)
  }
}
