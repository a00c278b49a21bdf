/**
 * Tells what runs in a worker process: to subscribers of its channels, to its tracer, and to its supervisor's tally while the
 * host is observed. For a chunk that nobody observes there is no observer, and no time is taken.
 */
import { type Chunk, type ChunkSpan, events, type Outcome, payloadLength, startChunkSpan } from '@poolmq/shared'
import { addTo, itemBuckets, type TallyWriter, type TaskCounts, waitBuckets } from '../line/tally.js'
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
const mostTogether = 16

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
    const about = { pool: this.#pool, chunk: taken.jobId, task: taken.taskId }
    if (events.chunkTake.hasSubscribers) events.chunkTake.publish(about)
    const span = startChunkSpan(chunk.trace, this.#pool, taken.taskId, taken.jobId)
    const counts = this.#isTallied ? this.#count(taken, chunk) : undefined
    if (span === undefined && counts === undefined && !events.itemEnd.hasSubscribers) return undefined
    const began = performance.now()
    let failed = 0
    let since = began
    let last = -1
    /** Items that run for microseconds are measured together: all of them are in the first bucket as long as their sum is. */
    const measure = (offset: number): number => {
      const now = performance.now()
      const each = (now - since) / (offset - last)
      if (counts !== undefined) addTo(counts.items, itemBuckets, each / 1000, offset - last)
      since = now
      last = offset
      return each
    }
    return {
      run: (work) => (span === undefined ? work() : span.run(work)),
      lap: (offset, hasFailed) => {
        if (hasFailed) failed++
        const duration = measure(offset)
        const isHeard = events.itemEnd.hasSubscribers
        if (isHeard) events.itemEnd.publish({ ...about, offset, duration, outcome: hasFailed ? 'failed' : 'ok' })
        return !isHeard && duration * mostTogether < shortestItem ? mostTogether : 1
      },
      chunkEnded: (outcome, items) => {
        if (items - 1 > last) measure(items - 1)
        const ok = items - failed
        // What could not be encoded, or run at all, has failed after its items, or instead of them.
        const unseen = Math.max(0, outcome.failures.length - failed)
        endSpan(span, ok + failed, failed + unseen)
        if (counts !== undefined) this.#write(counts, taken.taskId, began, ok, failed, unseen, outcome)
      },
    }
  }

  #count(taken: TakenChunk, chunk: Chunk): TaskCounts {
    const counts = this.#tally.of(taken.taskId)
    counts.bytesIn += payloadLength(chunk.payload)
    const waited = taken.fields.get('waited')
    if (waited !== undefined) {
      counts.waits++
      counts.waited += Number(waited) / 1000
      addTo(counts.waiting, waitBuckets, Number(waited) / 1000)
    }
    return counts
  }

  #write(
    counts: TaskCounts,
    task: string,
    began: number,
    ok: number,
    failed: number,
    unseen: number,
    outcome: Outcome,
  ): void {
    const duration = performance.now() - began
    counts.itemsOk += Math.max(0, ok - unseen)
    counts.itemsFailed += failed + unseen
    if (failed + unseen > 0) counts.chunksFailed++
    else counts.chunksOk++
    counts.seconds += duration / 1000
    counts.bytesOut += payloadLength(outcome.payload)
    this.#tally.write({ began: performance.timeOrigin + began, duration, task, failed: failed + unseen })
  }
}

function endSpan(span: ChunkSpan | undefined, items: number, failed: number): void {
  span?.end({ items, failed })
}
