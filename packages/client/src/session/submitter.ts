/**
 * Sends chunks to the queue in the order in which they were submitted, in batches of bounded count and size. One batch
 * is under way at a time; what it waits for is Redis. Sending a batch again is harmless, since a chunk's id is its own.
 */
import { untilAnswered } from '@poolmq/shared'
import type { PendingChunk } from '../calls/call.js'

const maxChunks = 500
const maxCharacters = 4 * 1024 * 1024

export class Submitter {
  readonly #add: (chunks: readonly PendingChunk[]) => Promise<void>
  readonly #failed: (chunks: readonly PendingChunk[], error: unknown) => void
  readonly #isWanted: (chunk: PendingChunk) => boolean
  #waiting: PendingChunk[] = []
  /** How many of them are not wanted any more, at most. */
  #dropped = 0
  #sending: Promise<void> | undefined

  /**
   * @param add - sends a batch
   * @param failed - is told of a batch that could not be sent
   * @param isWanted - whether a chunk is still to be sent
   */
  constructor(
    add: (chunks: readonly PendingChunk[]) => Promise<void>,
    failed: (chunks: readonly PendingChunk[], error: unknown) => void,
    isWanted: (chunk: PendingChunk) => boolean,
  ) {
    this.#add = add
    this.#failed = failed
    this.#isWanted = isWanted
  }

  /** Takes a chunk; when there is a backlog, resolves when it has been sent. */
  submit(chunk: PendingChunk): Promise<void> | undefined {
    this.#waiting.push(chunk)
    this.#sending ??= this.#send()
    return this.#waiting.length > maxChunks ? this.#sending : undefined
  }

  /** Drops what has not been sent. */
  clear(): void {
    this.#waiting = []
  }

  /** So many more are not wanted. They are passed over when it is their turn, or when they are half of what waits. */
  drop(count: number): void {
    this.#dropped += count
    if (this.#dropped * 2 < this.#waiting.length) return
    this.#waiting = this.#waiting.filter(this.#isWanted)
    this.#dropped = 0
  }

  async #send(): Promise<void> {
    // What is submitted in this turn of the event loop goes together.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#batchLength()).filter(this.#isWanted)
      if (batch.length === 0) continue
      try {
        await untilAnswered(() => this.#add(batch))
      } catch (error) {
        this.#failed(batch, error)
      }
    }
    this.#sending = undefined
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
}
