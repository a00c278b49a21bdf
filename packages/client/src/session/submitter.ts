/**
 * Sends chunks to the queue in the order in which they were submitted, in batches of bounded count and size; then those that
 * have waited for room in Redis, as far as there is room. One batch is under way at a time; what it waits for is Redis. Sending a
 * batch again is harmless, since a chunk's id is its own.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Deferred, soon, untilAnswered } from '@poolmq/shared'
import type { PendingChunk } from '../calls/call.js'

const maxChunks = 500
const maxCharacters = 4 * 1024 * 1024

export interface SubmitterOptions {
  /** Sends a batch. */
  readonly add: (chunks: readonly PendingChunk[]) => Promise<void>
  /** Is told of a batch that could not be sent. */
  readonly failed: (chunks: readonly PendingChunk[], error: unknown) => void
  /** Whether a chunk is still to be sent. */
  readonly isWanted: (chunk: PendingChunk) => boolean
  /**
   * The next of the chunks that have waited for room; `unsendable` when it cannot be encoded, which the call has been told;
   * undefined when none may go.
   */
  readonly next: () => PendingChunk | 'unsendable' | undefined
}

export class Submitter {
  readonly #options: SubmitterOptions
  #waiting: PendingChunk[] = []
  /** How many of them are not wanted any more, at most. */
  #dropped = 0
  #isSending = false
  #isWaking = false
  /** Resolves when there is less to send; for all who wait for that, as nobody may. */
  #shorter: Deferred | undefined

  constructor(options: SubmitterOptions) {
    this.#options = options
  }

  /** Takes a chunk; when there is a backlog, resolves when it is shorter. */
  submit(chunk: PendingChunk): Promise<void> | undefined {
    this.#waiting.push(chunk)
    // As many as are sent at once go at once, else what is submitted in this turn of the event loop goes together.
    if (this.#waiting.length === maxChunks) void this.#send()
    else this.wake()
    if (this.#waiting.length <= maxChunks) return undefined
    this.#shorter ??= new Deferred()
    return this.#shorter.promise
  }

  /** There may be room for what waits for it. */
  wake(): void {
    if (this.#isSending || this.#isWaking) return
    this.#isWaking = true
    soon(() => {
      this.#isWaking = false
      void this.#send()
    })
  }

  /** Drops what has not been sent. */
  clear(): void {
    this.#waiting = []
    this.#letGo()
  }

  /** So many more are not wanted. They are passed over when it is their turn, or when they are half of what waits. */
  drop(count: number): void {
    this.#dropped += count
    if (this.#dropped * 2 < this.#waiting.length) return
    this.#waiting = this.#waiting.filter(this.#options.isWanted)
    this.#dropped = 0
    this.#letGo()
  }

  /** Sends what waits, unless it is being sent. Never rejects. */
  async #send(): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    const { add, failed, isWanted } = this.#options
    for (;;) {
      const length = this.#batchLength()
      const batch = this.#waiting.splice(0, length).filter(isWanted)
      this.#letGo()
      const taken = length + this.#fill(batch)
      if (taken === 0) break
      try {
        if (batch.length > 0) await untilAnswered(() => add(batch))
        else if (length === 0) await nextTurn() // of a long input nothing can be encoded
      } catch (error) {
        failed(batch, error)
      }
    }
    this.#isSending = false
  }

  #batchLength(): number {
    let characters = 0
    let count = 0
    for (const chunk of this.#waiting) {
      characters += chunk.size
      if (count > 0 && (count >= maxChunks || characters > maxCharacters)) break
      count++
    }
    return count
  }

  /** Puts what has waited for room into a batch that has room for it; returns how many chunks were looked at. */
  #fill(batch: PendingChunk[]): number {
    let looked = 0
    if (this.#waiting.length > 0) return looked
    let characters = batch.reduce((sum, { size }) => sum + size, 0)
    for (const room = maxChunks - batch.length; looked < room && characters < maxCharacters; ) {
      const chunk = this.#options.next()
      if (chunk === undefined) break
      looked++
      if (chunk === 'unsendable') continue
      batch.push(chunk)
      characters += chunk.size
    }
    return looked
  }

  #letGo(): void {
    if (this.#shorter === undefined || this.#waiting.length > maxChunks) return
    this.#shorter.resolve()
    this.#shorter = undefined
  }
}
