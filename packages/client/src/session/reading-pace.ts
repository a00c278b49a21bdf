/**
 * How long a client lets results gather in Redis before it reads on. Each read wakes the client, and Redis for it: where
 * many chunks are under way, one read for each costs time that the worker processes of the same machine could have.
 */
import { performance } from 'node:perf_hooks'
import { Deferred, within } from '@poolmq/shared'

/** What is waited for. */
export interface Awaited {
  /** Chunks that nothing has been heard of. */
  readonly underWay: number
  /** Nobody sees a result before many others: maps only, each far from its end. */
  readonly canGather: boolean
}

/** Chunks under way from which on somebody who sees each result sees them several at a time. */
const many = 32
/** Milliseconds for which they gather then. */
const short = 1
/** Milliseconds for which they gather at most when nobody sees them before the last. */
const longest = 50
/** They gather for such a part of the time that the rest will take, so that the end is not late. */
const part = 1 / 8

export class ReadingPace {
  readonly #awaited: Awaited
  #hurried = new Deferred()
  #last = performance.now()
  /** Milliseconds between two results where they come fastest. What many lanes wait for comes in waves: the first of one tells nothing of the rest. */
  #interval = Number.POSITIVE_INFINITY

  constructor(awaited: Awaited) {
    this.#awaited = awaited
  }

  /** Resolves when it is time to read on, after so many results: at once, unless several are to be had soon. */
  async rest(results: number): Promise<void> {
    const now = performance.now()
    this.#interval = Math.min((now - this.#last) / results, 2 * this.#interval)
    const pause = pauseAfter(this.#interval, this.#awaited)
    this.#last = now
    if (pause === 0) return
    this.#hurried = new Deferred()
    await within(pause, this.#hurried.promise)
  }

  /** Somebody waits for a single result now. */
  hurry(): void {
    this.#hurried.resolve()
  }
}

/** @param interval - milliseconds between two results */
export function pauseAfter(interval: number, { underWay, canGather }: Awaited): number {
  const rest = interval * underWay * part
  const pause = canGather ? Math.min(longest, rest) : underWay > many ? short : 0
  return pause >= Math.max(short, 2 * interval) ? pause : 0
}
