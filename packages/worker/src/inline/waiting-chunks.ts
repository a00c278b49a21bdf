/** Chunks that wait for a lane of this process, in the order in which Redis would give them out: by priority, then by age. */
import type { SentChunk } from './inline-chunk.js'

/** A chunk of a queue that is this process's memory. */
export interface InlineChunk extends SentChunk {
  /** 0 before all others, as in BullMQ. */
  readonly priority: number
}

export interface WaitingChunk {
  readonly sent: InlineChunk
  /** What a chunk's hash tells of how it has fared. */
  readonly fields: Map<string, string>
  /** When it was added, by `performance.now()`. */
  readonly since: number
}

export class WaitingChunks {
  /** Given back: they come before all others. */
  readonly #first: WaitingChunk[] = []
  readonly #byPriority = new Map<number, Map<string, WaitingChunk>>()

  get size(): number {
    let size = this.#first.length
    for (const chunks of this.#byPriority.values()) size += chunks.size
    return size
  }

  /** When the oldest was added; undefined when none waits. */
  get oldest(): number | undefined {
    let oldest = this.#first[0]?.since
    for (const chunks of this.#byPriority.values()) {
      const since = chunks.values().next().value?.since
      if (since !== undefined && (oldest === undefined || since < oldest)) oldest = since
    }
    return oldest
  }

  add(sent: InlineChunk): void {
    const chunks = this.#byPriority.get(sent.priority) ?? new Map<string, WaitingChunk>()
    this.#byPriority.set(sent.priority, chunks)
    chunks.set(sent.jobId, { sent, fields: new Map(), since: performance.now() })
  }

  giveBack(chunk: WaitingChunk): void {
    this.#first.push(chunk)
  }

  take(): WaitingChunk | undefined {
    const first = this.#first.shift()
    if (first !== undefined) return first
    if (this.#byPriority.size === 0) return undefined
    const [chunk] = this.#byPriority.get(Math.min(...this.#byPriority.keys()))?.values() ?? []
    if (chunk !== undefined) this.#remove(chunk)
    return chunk
  }

  /** False when it does not wait. */
  drop(jobId: string): boolean {
    const at = this.#first.findIndex(({ sent }) => sent.jobId === jobId)
    if (at >= 0) return this.#first.splice(at, 1).length > 0
    for (const chunks of this.#byPriority.values()) {
      const chunk = chunks.get(jobId)
      if (chunk !== undefined) return this.#remove(chunk)
    }
    return false
  }

  clear(): void {
    this.#first.length = 0
    this.#byPriority.clear()
  }

  #remove({ sent: { jobId, priority } }: WaitingChunk): boolean {
    const chunks = this.#byPriority.get(priority)
    const isThere = chunks?.delete(jobId) === true
    if (chunks?.size === 0) this.#byPriority.delete(priority)
    return isThere
  }
}
