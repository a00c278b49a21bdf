/**
 * What is known of the items of a durable call, from the outcomes in its stream, in the order in which they stand there. Of each chunk
 * the first outcome of a run counts; a later run has only the items that had no value. Whoever reads the same stream knows
 * the same.
 */
import { chunksOf, type DurableHead, type DurableMark, decodeList, type Outcome, type PoolError } from '@poolmq/shared'
import { failedChunk, mergeOutcome } from '../calls/call.js'

const [nothing, aValue, anError] = [0, 1, 2]

/** Stands for the items of a chunk that its last run did not have. */
const notSent = Object.freeze({}) as never

export class DurableOutcomes {
  readonly values: unknown[]
  /** Of the items that failed, by index. */
  readonly errors = new Map<number, unknown>()
  /** Items that have ended, well or not. */
  done = 0
  run = -1
  readonly #head: DurableHead
  readonly #known: Uint8Array
  /** Chunks that this run has and that nothing has been heard of. */
  readonly #awaited = new Set<number>()
  /** What comes of this run from now on does not count. */
  #isCancelled = false

  constructor(head: DurableHead) {
    this.#head = head
    this.values = new Array(head.items)
    this.#known = new Uint8Array(head.items)
    for (let i = 0; i < chunksOf(head); i++) this.#awaited.add(i)
  }

  /** Chunks of the whole call. */
  get chunks(): number {
    return chunksOf(this.#head)
  }

  /** All has been heard of this run. */
  get isComplete(): boolean {
    return this.#awaited.size === 0 && !this.#isCancelled
  }

  /** The chunks that have not been heard of. */
  get awaited(): number[] {
    return [...this.#awaited].sort((a, b) => a - b)
  }

  /** How many they are. */
  get pending(): number {
    return this.#awaited.size
  }

  awaits(run: number, chunk: number): boolean {
    return run === this.run && !this.#isCancelled && this.#awaited.has(chunk)
  }

  /** A run begins, or is cancelled. */
  begin({ run, what }: DurableMark): void {
    if (what === 'cancelled') this.#isCancelled ||= run === this.run
    if (run <= this.run || what === 'cancelled') return
    this.#isCancelled = false
    this.run = run
    if (what === 'all') {
      this.values.fill(undefined)
      this.#known.fill(nothing)
      this.done = 0
    }
    for (const item of this.errors.keys()) this.#known[item] = nothing
    if (what === 'failed') this.done -= this.errors.size
    this.errors.clear()
    this.#awaited.clear()
    for (const chunk of this.unfinished()) this.#awaited.add(chunk)
  }

  /** The chunks with items that have no value. */
  unfinished(): number[] {
    const chunks: number[] = []
    const { items, chunkSize } = this.#head
    for (let i = 0; i < items; i += chunkSize) {
      if (this.#known.subarray(i, i + chunkSize).some((known) => known !== aValue)) chunks.push(i / chunkSize)
    }
    return chunks
  }

  isKnown(item: number): boolean {
    return this.#known[item] !== nothing
  }

  /** The items of a chunk: from this index, up to that. */
  range(chunk: number): [from: number, to: number] {
    const { items, chunkSize } = this.#head
    return [chunk * chunkSize, Math.min(items, (chunk + 1) * chunkSize)]
  }

  /** The items of a chunk that have a value, by their places in it: a run leaves them out. */
  finished(chunk: number): number[] {
    const [from, to] = this.range(chunk)
    return Array.from({ length: to - from }, (_, offset) => offset).filter(
      (offset) => this.#known[from + offset] === aValue,
    )
  }

  /** An outcome that is awaited. */
  take(chunk: number, outcome: Outcome | PoolError): void {
    const [from, to] = this.range(chunk)
    const finished = new Set(this.finished(chunk))
    const { values, failures } = this.#merge(from, to - from, finished, outcome)
    this.#awaited.delete(chunk)
    for (let offset = 0; offset < to - from; offset++) {
      if (finished.has(offset)) continue
      const item = from + offset
      this.done++
      if (failures.has(offset)) this.errors.set(item, failures.get(offset))
      else this.values[item] = values[offset]
      this.#known[item] = failures.has(offset) ? anError : aValue
    }
  }

  #merge(first: number, length: number, finished: ReadonlySet<number>, outcome: Outcome | PoolError) {
    if (outcome instanceof Error) return failedChunk(length, outcome)
    const failures = new Map([...finished].map((offset) => [offset, notSent]))
    const sent = {
      size: 0,
      chunk: { length, first, payload: undefined, failures },
      call: { header: { mode: 'each' }, method: this.#head.form },
    } as const
    try {
      return mergeOutcome(sent, decodeList(outcome.payload), outcome)
    } catch (error) {
      return failedChunk(length, error)
    }
  }
}
