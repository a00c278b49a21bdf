/**
 * Tells what runs in a worker process: to subscribers of its channels, to its tracer, and to its supervisor's tally while the
 * host is observed. For a chunk that nobody observes there is no observer, and no time is taken.
 */
import {
  type Chunk,
  type ChunkSpan,
  type ChunkTakeEvent,
  events,
  type Outcome,
  payloadLength,
  startChunkSpan,
} from '@poolmq/shared'
import { addTo, itemBuckets, type TallyWriter, type TaskCounter, waitBuckets } from '../line/tally.js'
import type { TakenChunk } from '../queue/chunk-queue.js'

/** What is told of one chunk. */
export interface ChunkObserver {
  /** Runs the chunk's items in the context of its span. */
  run<T>(work: () => T): T
  /** The item at this offset has ended, and with it all since the last lap. Returns after how many more the next lap is due. */
  lap(offset: number, failed: boolean): number
  /** @param items - how many of its items were run */
  chunkEnded(outcome: Outcome, items: number): void
}

/** Milliseconds: what is in the first bucket. */
const shortestItem = itemBuckets[0] * 1000
/** Items that are measured together at most, where they run for microseconds. */
const mostTogether = 128

export class RunObserver {
  readonly #pool: string
  readonly #tally: TallyWriter
  #isTallied: boolean

  /** @param isTallied - from the beginning, rather than from `startTally` on */
  constructor(pool: string, tally: TallyWriter, isTallied: boolean) {
    this.#pool = pool
    this.#tally = tally
    this.#isTallied = isTallied
  }

  /** The host is observed from now on. */
  startTally(): void {
    this.#isTallied = true
  }

  /** Undefined when nobody observes. */
  of(taken: TakenChunk, chunk: Chunk): ChunkObserver | undefined {
    if (events.chunkTake.hasSubscribers) events.chunkTake.publish(this.#about(taken))
    const span = startChunkSpan(chunk.trace, this.#pool, taken.taskId, taken.jobId)
    if (span === undefined && !this.#isTallied && !events.itemEnd.hasSubscribers) return undefined
    const counts = this.#isTallied ? this.#count(taken, chunk) : undefined
    return new ObservedChunk(this.#tally, counts, span, taken.taskId, () => this.#about(taken))
  }

  #about({ jobId, taskId }: TakenChunk): ChunkTakeEvent {
    return { pool: this.#pool, chunk: jobId, task: taskId }
  }

  #count(taken: TakenChunk, chunk: Chunk): TaskCounter {
    const counts = this.#tally.of(taken.taskId)
    counts.add('bytesIn', payloadLength(chunk.payload))
    if (taken.waited !== undefined) {
      const seconds = taken.waited / 1000
      counts.add('waits', 1)
      counts.add('waited', seconds)
      addTo(counts.waiting, waitBuckets, seconds)
    }
    return counts
  }
}

class ObservedChunk implements ChunkObserver {
  readonly #tally: TallyWriter
  readonly #counts: TaskCounter | undefined
  readonly #span: ChunkSpan | undefined
  readonly #task: string
  readonly #about: () => ChunkTakeEvent
  readonly #began = performance.now()
  #since = this.#began
  #last = -1
  #failed = 0

  constructor(
    tally: TallyWriter,
    counts: TaskCounter | undefined,
    span: ChunkSpan | undefined,
    task: string,
    about: () => ChunkTakeEvent,
  ) {
    this.#tally = tally
    this.#counts = counts
    this.#span = span
    this.#task = task
    this.#about = about
  }

  run<T>(work: () => T): T {
    return this.#span === undefined ? work() : this.#span.run(work)
  }

  lap(offset: number, failed: boolean): number {
    if (failed) this.#failed++
    const duration = this.#measure(offset, performance.now())
    if (!events.itemEnd.hasSubscribers) return duration * mostTogether < shortestItem / 2 ? mostTogether : 1
    events.itemEnd.publish({ ...this.#about(), offset, duration, outcome: failed ? 'failed' : 'ok' })
    return 1
  }

  chunkEnded(outcome: Outcome, items: number): void {
    const now = performance.now()
    if (items - 1 > this.#last) this.#measure(items - 1, now)
    const ok = items - this.#failed
    // What could not be encoded, or run at all, has failed after its items, or instead of them.
    const unseen = Math.max(0, outcome.failures.length - this.#failed)
    const failed = this.#failed + unseen
    this.#span?.end({ items, failed })
    const counts = this.#counts
    if (counts === undefined) return
    const duration = now - this.#began
    counts.add('itemsOk', Math.max(0, ok - unseen))
    counts.add('itemsFailed', failed)
    counts.add(failed > 0 ? 'chunksFailed' : 'chunksOk', 1)
    counts.add('seconds', duration / 1000)
    counts.add('bytesOut', payloadLength(outcome.payload))
    this.#tally.write({ began: performance.timeOrigin + this.#began, duration, task: this.#task, failed })
  }

  /**
   * Items that run for microseconds are measured together: all of them are in the first bucket as long as their sum is. Where it is not,
   * one of them was slow, for all that is known; those that follow are measured alone until they are fast again. Returns what the slowest took.
   */
  #measure(offset: number, now: number): number {
    const [items, sum] = [offset - this.#last, now - this.#since]
    const slow = sum > shortestItem ? 1 : 0
    if (this.#counts !== undefined) {
      if (slow === 1) addTo(this.#counts.items, itemBuckets, sum / 1000)
      if (items > slow) addTo(this.#counts.items, itemBuckets, 0, items - slow)
    }
    this.#since = now
    this.#last = offset
    return slow === 1 ? sum : sum / items
  }
}
