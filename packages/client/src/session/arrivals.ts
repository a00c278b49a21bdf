/**
 * Outcomes on their last way. Most stand whole in the result stream and are handed on as they are read; what is large is
 * fetched from beside the stream first, one at a time, while the reader goes on. An outcome of which a part is missing is
 * no outcome: its chunk counts as unheard of, and the reconciler has it run again.
 */
import { type Outcome, type OutcomeEntry, PoolError, ProtocolError, untilAnswered, wholeOutcome } from '@poolmq/shared'
import type { PieceStore } from '@poolmq/worker'
import type { PendingChunk } from '../calls/call.js'

export class Arrivals {
  readonly #pieces: PieceStore
  readonly #awaited: (jobId: string) => PendingChunk | undefined
  readonly #onEntry: (entry: OutcomeEntry) => void
  #last: Promise<void> = Promise.resolve()

  constructor(
    pieces: PieceStore,
    awaited: (jobId: string) => PendingChunk | undefined,
    onEntry: (entry: OutcomeEntry) => void,
  ) {
    this.#pieces = pieces
    this.#awaited = awaited
    this.#onEntry = onEntry
  }

  hear(entry: OutcomeEntry): void {
    const { jobId, outcome } = entry
    if (outcome instanceof Error || outcome.payload.encoding !== 'apart') {
      this.#onEntry(entry)
      return
    }
    const { name } = outcome.payload
    const chunk = this.#awaited(jobId)
    if (chunk === undefined || chunk.arriving) {
      this.#drop(jobId, name)
      return
    }
    chunk.arriving = true
    this.#last = this.#last.then(() => this.#fetch(chunk, outcome, name))
  }

  /** Never rejects. */
  async #fetch(chunk: PendingChunk, outcome: Outcome, name: string): Promise<void> {
    const { jobId } = chunk
    try {
      // Nobody may wait any more.
      const large = this.#isAwaited(chunk) ? await untilAnswered(() => this.#pieces.getOutcome(jobId, name)) : undefined
      if (large !== undefined) this.#handOn(chunk, wholeOutcome(outcome, large))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const failure =
        error instanceof PoolError ? error : new ProtocolError(`a result cannot be read: ${reason}`, { cause: error })
      this.#handOn(chunk, failure)
    }
    chunk.arriving = false
    this.#drop(jobId, name)
  }

  #handOn(chunk: PendingChunk, outcome: Outcome | PoolError): void {
    if (this.#isAwaited(chunk)) this.#onEntry({ jobId: chunk.jobId, outcome })
  }

  #isAwaited(chunk: PendingChunk): boolean {
    return this.#awaited(chunk.jobId) === chunk
  }

  /** Housekeeping: what is not removed now is when the outcomes are renewed, or expires. */
  #drop(jobId: string, name: string): void {
    this.#pieces.dropOutcome(jobId, name).catch(() => undefined)
  }
}
