/**
 * Chunks that have ended, in hand until their outcomes are delivered: in batches, with others taken in the same round trip. What
 * Redis refuses for good is delivered one by one, and what it refuses then is removed: it must not hold this process, nor what
 * else is delivered.
 */
import { formatOutcome, isRefusal, type Outcome, type OutcomeFields } from '@poolmq/shared'
import type { ChunkQueue, Exchange } from '../queue/chunk-queue.js'
import type { ChunkStore } from '../queue/chunk-store.js'
import type { LaneChunk } from './chunk-starter.js'
import type { Insist } from './insistence.js'

/** A chunk that has ended, and the fields of its outcome. */
export interface EndedChunk {
  readonly chunk: LaneChunk
  readonly entry: OutcomeFields
  readonly gathers: boolean
}

/** What an exchange brings. */
type Brought = Pick<Exchange, 'taken' | 'rest'>

export interface EndedChunksParts {
  readonly token: string
  readonly queue: ChunkQueue
  readonly store: ChunkStore
  readonly insist: Insist
  readonly log: (error: unknown) => void
}

/**
 * Chunks that are delivered at once. Where hundreds end together, the lanes of the first go on while the next are delivered; a
 * round trip costs little, shared by so many.
 */
const mostAtOnce = 32
/** Characters of outcomes that are sent at once, but for one that is longer. */
const mostSent = 4 * 1024 * 1024

export class EndedChunks {
  readonly #parts: EndedChunksParts
  #ended: EndedChunk[] = []

  constructor(parts: EndedChunksParts) {
    this.#parts = parts
  }

  get isEmpty(): boolean {
    return this.#ended.length === 0
  }

  /** @param gathers - its client reads several outcomes in one entry */
  push(chunk: LaneChunk, outcome: Outcome, gathers = false): void {
    this.#ended.push({ chunk, entry: formatOutcome(chunk.taken.jobId, outcome), gathers })
  }

  /** This one is not to be delivered. */
  drop(chunk: LaneChunk): void {
    this.#ended = this.#ended.filter((ended) => ended.chunk !== chunk)
  }

  /** Those that are delivered next, and wait no more. */
  next(): EndedChunk[] {
    let length = 0
    const fits = this.#ended.findIndex(({ entry }, i) => {
      for (const field of entry) length += field.length
      return i === mostAtOnce || (i > 0 && length > mostSent)
    })
    return this.#ended.splice(0, fits < 0 ? this.#ended.length : fits)
  }

  /**
   * Delivers them and takes up to `want` others. Never rejects. A client whose stream is gone never sees the outcome; if it
   * lives (Redis has lost the stream), it misses the chunk.
   *
   * @param idles - nothing else will be in hand: a chunk may be handed to this process when nothing is there to take
   */
  exchange(batch: readonly EndedChunk[], want: number, idles = false): Promise<Brought> {
    const { queue, token, insist } = this.#parts
    const ended = batch.map(({ chunk, entry, gathers }) => [chunk.taken.jobId, entry, gathers] as const)
    const isFinal = (error: unknown) => batch.length > 0 && isRefusal(error)
    return insist(() => queue.exchange(token, ended, want, idles), isFinal).catch((error: unknown) =>
      this.#deliverEach(batch, want, error),
    )
  }

  async #deliverEach(batch: readonly EndedChunk[], want: number, refusal: unknown): Promise<Brought> {
    const { store, token, insist, log } = this.#parts
    if (batch.length > 1 || want > 0) {
      for (const one of batch) await this.exchange([one], 0)
      return { taken: [], rest: 'more' }
    }
    log(refusal)
    for (const { chunk } of batch) {
      await insist(() => store.dropHeld(chunk.taken.jobId, token), isRefusal).catch(log)
    }
    return { taken: [], rest: 'none' }
  }
}
