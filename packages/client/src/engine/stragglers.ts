/**
 * Second copies of chunks that run for much longer than their peers, for calls with the option `backup`. It knows such calls
 * only, and asks Redis only where worker processes may be idle: while more is under way than they can run at a time, none is.
 * Which copy counts is not its business (see open-calls), nor where the second may run (the worker's copy-place).
 */
import { performance } from 'node:perf_hooks'
import { clearInterval, setInterval } from 'node:timers'
import { formatChunkId, untilAnswered } from '@poolmq/shared'
import type { RunTimes } from '@poolmq/worker'
import type { Call, ChunkResult, Collector, PendingChunk } from '../calls/call.js'

/** Milliseconds between two looks. */
const interval = 500
/** Milliseconds that a chunk must have run at least. */
const leastRunTime = 1000
/** So many times the median of its peers is too long. */
const mostMedians = 2
/** Run times of a call that are kept: a sample of all, which its median is as good of. */
const mostKept = 1000
/** Chunks that are asked for at once. */
const mostAsked = 500

export interface StragglersParts {
  readonly clientId: string
  /** Chunks that the pool's worker processes can run at a time, as far as known. */
  readonly lanes: () => number
  /** Chunks of this client that nothing has been heard of. */
  readonly underWay: () => number
  readonly look: (jobIds: readonly string[]) => Promise<RunTimes | undefined>
  readonly add: (chunk: PendingChunk) => Promise<void>
  readonly withdraw: (jobId: string) => void
}

/** A collector that notes how long the chunks have run which it hands on. */
export class Stopwatch implements Collector {
  readonly #next: Collector
  readonly #kept: number[] = []
  #count = 0

  constructor(next: Collector) {
    this.#next = next
  }

  take(index: number, result: ChunkResult): void {
    if (result.duration > 0 && result.failures.size === 0) this.#note(result.duration)
    this.#next.take(index, result)
  }

  fail(error: unknown): void {
    this.#next.fail(error)
  }

  /** Undefined while nothing has ended. */
  get median(): number | undefined {
    return [...this.#kept].sort((a, b) => a - b)[this.#kept.length >> 1]
  }

  /** Each is kept with the same chance, however many come. */
  #note(duration: number): void {
    const place = this.#count < mostKept ? this.#count : Math.floor(Math.random() * (this.#count + 1))
    if (place < mostKept) this.#kept[place] = duration
    this.#count++
  }
}

export class Stragglers {
  readonly #parts: StragglersParts
  readonly #calls = new Map<Call, Stopwatch>()
  /** Chunks that have had their second copy, whatever has become of it. */
  readonly #copied = new WeakSet<PendingChunk>()
  #timer: NodeJS.Timeout | undefined
  #looking = false

  constructor(parts: StragglersParts) {
    this.#parts = parts
  }

  stopwatch(collector: Collector): Stopwatch {
    return new Stopwatch(collector)
  }

  /** Watches a call until it ends. */
  watch(call: Call, times: Stopwatch): void {
    this.#calls.set(call, times)
    this.#timer ??= setInterval(() => void this.#look(), interval).unref()
    call.atEnd.push(() => {
      this.#calls.delete(call)
      if (this.#calls.size > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    })
  }

  /** Never rejects: what cannot be seen now is seen the next time. */
  async #look(): Promise<void> {
    const { lanes, underWay, look } = this.#parts
    if (this.#looking || underWay() >= lanes()) return
    const candidates = this.#candidates()
    if (candidates.length === 0) return
    this.#looking = true
    try {
      const found = await look(candidates.map(({ chunk }) => chunk.jobId))
      if (found === undefined) return
      const late = candidates
        .map(({ chunk, limit }, i) => ({ chunk, excess: (found.times[i] ?? 0) / limit }))
        .filter(({ excess }) => excess > 1)
        .sort((a, b) => b.excess - a.excess)
      const idle = Math.max(0, lanes() - found.running)
      await Promise.all(late.slice(0, idle).map(({ chunk }) => this.#copy(chunk)))
    } catch {
      // Redis is away, which is told by others.
    } finally {
      this.#looking = false
    }
  }

  /** Chunks of which one might have run for too long, with how long that is. */
  #candidates(): { readonly chunk: PendingChunk; readonly limit: number }[] {
    const found: { chunk: PendingChunk; limit: number }[] = []
    for (const [call, times] of this.#calls) {
      const { median } = times
      // Where more of it waits in the client, as Redis is to hold no more, that is what idle lanes are for.
      if (median === undefined || call.usage.backlog !== undefined) continue
      const limit = Math.max(leastRunTime, mostMedians * median)
      if (performance.now() - call.opened <= limit) continue
      for (const chunk of call.pending.values()) {
        if (found.length === mostAsked) return found
        if (chunk.sent && !chunk.arriving && chunk.copy === 0 && !this.#copied.has(chunk)) found.push({ chunk, limit })
      }
    }
    return found
  }

  async #copy(chunk: PendingChunk): Promise<void> {
    const { clientId, add, withdraw } = this.#parts
    const { call, index } = chunk
    const isWanted = () => call.pending.get(index) === chunk
    if (!isWanted()) return
    this.#copied.add(chunk)
    const copy: PendingChunk = {
      ...chunk,
      jobId: formatChunkId(clientId, call.number, index, 1),
      copy: 1,
      sent: false,
      arriving: false,
      backup: undefined,
    }
    chunk.backup = copy
    const isAwaited = () => chunk.backup === copy && isWanted()
    try {
      await untilAnswered(async () => {
        if (isAwaited()) await add(copy)
      })
      copy.sent = true
      call.backups++
    } catch {
      // Redis takes no more: the chunk itself goes on.
      if (chunk.backup === copy) chunk.backup = undefined
    }
    // It was withdrawn, perhaps before it was there.
    if (!isAwaited() && call.pending.get(index) !== copy) withdraw(copy.jobId)
  }
}
