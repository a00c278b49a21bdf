/**
 * Compares, every few seconds, the chunks that the client waits for with those that Redis knows. A chunk that is neither
 * in the queue nor in the result stream was lost by Redis (a fail-over, a restart without persistence, a flush), and is
 * added again as it was: the same call as the first time, and harmless if it was not lost after all.
 */

import { performance } from 'node:perf_hooks'
import { clearInterval, setInterval } from 'node:timers'
import { setTimeout as delay } from 'node:timers/promises'
import { keyLife, type RedisLink } from '@poolmq/shared'
import { type ChunkStore, keysOfChunk } from '@poolmq/worker'
import type { PendingChunk } from '../calls/call.js'
import type { ResultReader } from './result-reader.js'

const interval = 5000
/** Milliseconds between two looks at how far the reader has come. */
const pollInterval = 20
/** Chunks compared at once. */
const batch = 500

export class Reconciler {
  readonly #link: RedisLink
  readonly #store: ChunkStore
  readonly #stream: string
  readonly #reader: ResultReader
  readonly #pending: () => Iterable<PendingChunk>
  readonly #add: (chunks: readonly PendingChunk[]) => Promise<void>
  readonly #renewOutcomes: () => Promise<void>
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  /** Chunks that were missing at the last look: they are added again when they still are. */
  #suspects = new Set<PendingChunk>()

  constructor(
    link: RedisLink,
    store: ChunkStore,
    stream: string,
    reader: ResultReader,
    pending: () => Iterable<PendingChunk>,
    add: (chunks: readonly PendingChunk[]) => Promise<void>,
    renewOutcomes: () => Promise<void>,
  ) {
    this.#renewOutcomes = renewOutcomes
    this.#link = link
    this.#store = store
    this.#stream = stream
    this.#reader = reader
    this.#pending = pending
    this.#add = add
  }

  start(): void {
    this.#timer = setInterval(() => void this.reconcile(), interval).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Looks once. Never rejects: what cannot be seen now is seen the next time. */
  reconcile(): Promise<void> {
    this.#running ??= this.#compare()
      .catch(() => undefined)
      .finally(() => {
        this.#running = undefined
      })
    return this.#running
  }

  async #compare(): Promise<void> {
    await this.#renewOutcomes()
    const missing: PendingChunk[] = []
    let looked: PendingChunk[] = []
    const look = async () => {
      missing.push(...(await this.#missing(looked)))
      looked = []
    }
    for (const chunk of [...this.#pending()]) {
      looked.push(chunk)
      if (looked.length >= batch) await look()
    }
    await look()
    if (missing.length > 0 && !(await this.#heardAllUntilNow())) return
    const waitsStill = (chunk: PendingChunk) => {
      const known = chunk.call.pending.get(chunk.index)
      return known === chunk || known?.backup === chunk
    }
    const still = missing.filter(waitsStill)
    // Twice in a row: a chunk that is on its way into the queue is not lost.
    const lost = still.filter((chunk) => this.#suspects.has(chunk))
    this.#suspects = new Set(still)
    if (lost.length > 0) await this.#add(lost)
  }

  /** Looking renews the chunks' time to live: they are there as long as their client is. */
  async #missing(chunks: readonly PendingChunk[]): Promise<PendingChunk[]> {
    const missing = await this.#store.expire(chunks.flatMap(keysOfChunk), keyLife)
    return chunks.filter((chunk) => keysOfChunk(chunk).some((key) => missing.has(key)))
  }

  /**
   * Resolves when all that is in the stream now has been handed on: an outcome that is there is no loss. More may come
   * meanwhile, as it always does to a busy client. False when that takes too long, and another look is due.
   */
  async #heardAllUntilNow(): Promise<boolean> {
    const [last] = await this.#link.client.xrevrange(this.#stream, '+', '-', 'COUNT', 1)
    if (last === undefined) return true
    for (
      const end = performance.now() + interval;
      performance.now() < end;
      await delay(pollInterval, undefined, { ref: false })
    ) {
      if (isAtLeast(this.#reader.cursor, last[0])) return true
    }
    return false
  }
}

function isAtLeast(id: string, other: string): boolean {
  const [time, sequence] = id.split('-').map(Number)
  const [otherTime, otherSequence] = other.split('-').map(Number)
  if (time !== otherTime) return (time ?? 0) > (otherTime ?? 0)
  return (sequence ?? 0) >= (otherSequence ?? 0)
}
