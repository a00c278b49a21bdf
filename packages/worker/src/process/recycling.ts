/**
 * When a worker process is to be replaced: after so many chunks, above so many bytes, or after so many milliseconds. The
 * limits are the pools', and reach a process with the first chunk of each. It only tells; its loop and its supervisor act.
 */
import { isMainThread } from 'node:worker_threads'
import type { PoolSpec } from '@poolmq/shared'
import type { RecyclingLimits } from '../line/messages.js'

export class Recycling {
  #chunks = 0
  #maxChunks = Number.POSITIVE_INFINITY
  #memory = Number.POSITIVE_INFINITY
  #age = Number.POSITIVE_INFINITY

  /** Takes a pool's limits; of several pools' the narrowest hold. True when there is something new for the supervisor. */
  limit(spec: Omit<PoolSpec, 'initializer'>): boolean {
    const before = this.#memory
    this.#maxChunks = Math.min(this.#maxChunks, spec.maxTasksPerChild ?? Number.POSITIVE_INFINITY)
    this.#memory = Math.min(this.#memory, spec.maxMemoryPerChild ?? Number.POSITIVE_INFINITY)
    this.#age = Math.min(this.#age, spec.maxAgePerChild ?? Number.POSITIVE_INFINITY)
    return before !== this.#memory
  }

  get limits(): RecyclingLimits {
    return { memory: Number.isFinite(this.#memory) ? this.#memory : null }
  }

  /** A chunk is about to start. False when it is one more than this process may run: the limit was not known in time. */
  startChunk(): boolean {
    if (this.chunksLeft <= 0) return false
    this.#chunks++
    return true
  }

  /** Chunks that may still be started. */
  get chunksLeft(): number {
    return this.#maxChunks - this.#chunks
  }

  /** Whether the process should be replaced as soon as its successor is ready. */
  isDue(): boolean {
    if (this.#age !== Number.POSITIVE_INFINITY && performance.now() >= this.#age) return true
    return this.#memory !== Number.POSITIVE_INFINITY && memoryInUse() >= this.#memory
  }
}

function memoryInUse(): number {
  if (isMainThread) return process.memoryUsage.rss()
  const { heapTotal, external } = process.memoryUsage()
  return heapTotal + external
}
