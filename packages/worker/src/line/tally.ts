/**
 * What a worker process (or thread) has run, for its supervisor to read: counts by task, and the chunks that it ran last, in
 * memory that both see, behind what it has in hand. It is written when a chunk has ended and its host is observed, and costs
 * some microseconds then; nobody observes: nothing. As with the hand, what was written outlives the process that wrote it, so
 * that no count is lost with a process that is killed.
 */
import { readSync, writeSync } from 'node:fs'

/** Seconds: upper bounds of the buckets in which items are counted by how long they ran. */
export const itemBuckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 600] as const
/** Seconds: the same for how long chunks waited for a worker. */
export const waitBuckets = [0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800] as const

/** Tasks that are counted apart; all further ones together are the last. */
const slots = 64
const nameLength = 120
/** Numbers of a task: those of `TaskCounts` without its buckets, and the buckets. */
const counts = 9
const numbers = counts + itemBuckets.length + waitBuckets.length
const slotSize = 8 + nameLength + numbers * 8
/** Chunks that are told of one by one. */
const recents = 64
const recentSize = 32
/** Milliseconds after a chunk that was told of in which others are not, unless an item of theirs failed. */
const shortest = 5
const recentAt = slots * slotSize
/** Bytes of the whole. */
export const tallySize = recentAt + 8 + recents * recentSize

/** Counts by bucket. */
export type Buckets = number[] | Float64Array

/** What has been run of a task. */
export interface TaskCounts {
  chunksOk: number
  /** Chunks of which an item failed. */
  chunksFailed: number
  itemsOk: number
  itemsFailed: number
  /** Seconds that its chunks ran. */
  seconds: number
  /** Bytes of payload: taken, delivered. */
  bytesIn: number
  bytesOut: number
  /** Chunks whose wait is known, and the seconds that they waited together. */
  waits: number
  waited: number
  readonly items: Buckets
  readonly waiting: Buckets
}

const order = [
  'chunksOk',
  'chunksFailed',
  'itemsOk',
  'itemsFailed',
  'seconds',
  'bytesIn',
  'bytesOut',
  'waits',
  'waited',
] as const

export function newCounts(): TaskCounts {
  return {
    chunksOk: 0,
    chunksFailed: 0,
    itemsOk: 0,
    itemsFailed: 0,
    seconds: 0,
    bytesIn: 0,
    bytesOut: 0,
    waits: 0,
    waited: 0,
    items: itemBuckets.map(() => 0),
    waiting: waitBuckets.map(() => 0),
  }
}

/** Adds one's counts to another's. */
export function addCounts(to: TaskCounts, from: TaskCounts): void {
  for (const name of order) to[name] += from[name]
  for (const [i, count] of from.items.entries()) to.items[i] = (to.items[i] ?? 0) + count
  for (const [i, count] of from.waiting.entries()) to.waiting[i] = (to.waiting[i] ?? 0) + count
}

/** Counts so many measures in the first bucket that they fit in; what fits in none is in the sum only. */
export function addTo(buckets: Buckets, bounds: readonly number[], seconds: number, count = 1): void {
  const at = bounds.findIndex((bound) => seconds <= bound)
  if (at >= 0) buckets[at] = (buckets[at] ?? 0) + count
}

/** A chunk that was run: when it began, in milliseconds since 1970 by this machine's clock. */
export interface TalliedChunk {
  readonly began: number
  /** Milliseconds. */
  readonly duration: number
  readonly task: string
  readonly failed: number
}

interface Slot {
  readonly at: number
  readonly counts: TaskCounts
  /** As they are written; the buckets of the counts are views of it. */
  readonly numbers: Float64Array
}

export class TallyWriter {
  readonly #descriptor: number
  readonly #start: number
  readonly #slots = new Map<string, Slot>()
  readonly #recent = new Float64Array(recentSize / 8)
  #written = 0
  /** When the chunk ended that was told of last. */
  #told = 0

  /** @param start - where in the file it begins */
  constructor(descriptor: number, start: number) {
    this.#descriptor = descriptor
    this.#start = start
  }

  /** The counts of a task, to be added to; `write` shows them. */
  of(task: string): TaskCounts {
    return this.#slot(task).counts
  }

  /** Shows what has been counted of a task, and its last chunk. */
  write(chunk: TalliedChunk): void {
    const { at, counts, numbers } = this.#slot(chunk.task)
    for (let i = 0; i < order.length; i++) numbers[i] = counts[order[i] as (typeof order)[number]]
    this.#put(numbers, at * slotSize + 8 + nameLength)
    // A picture of the last minute has no room for more.
    const end = chunk.began + chunk.duration
    if (chunk.failed === 0 && end - this.#told < shortest) return
    this.#told = end
    this.#recent.set([chunk.began, chunk.duration, at, chunk.failed])
    this.#put(this.#recent, recentAt + 8 + (this.#written % recents) * recentSize)
    this.#written++
    this.#put(Float64Array.of(this.#written), recentAt)
  }

  #slot(task: string): Slot {
    const known = this.#slots.get(task)
    if (known !== undefined) return known
    if (this.#slots.size >= slots - 1 && task !== others) return this.#slot(others)
    const written = new Float64Array(numbers)
    const [items, waiting] = [
      written.subarray(counts, counts + itemBuckets.length),
      written.subarray(counts + itemBuckets.length),
    ]
    const slot = { at: this.#slots.size, counts: { ...newCounts(), items, waiting }, numbers: written }
    this.#slots.set(task, slot)
    const name = Buffer.from(task).subarray(0, nameLength)
    this.#put(Float64Array.of(name.length), slot.at * slotSize)
    writeSync(this.#descriptor, name, 0, name.length, this.#start + slot.at * slotSize + 8)
    return slot
  }

  #put(values: Float64Array, at: number): void {
    writeSync(this.#descriptor, values, 0, values.byteLength, this.#start + at)
  }
}

/** The name under which tasks are counted that have no place of their own. */
const others = 'other'

/** What a worker process has run, as it was when it was read. */
export interface Tally {
  readonly tasks: ReadonlyMap<string, TaskCounts>
  /** Oldest first. */
  readonly recent: readonly TalliedChunk[]
}

/** Reads it, from a file that begins there; a look may see half of a change, and the next sees it whole. */
export function readTally(descriptor: number, start: number): Tally {
  const bytes = Buffer.alloc(tallySize)
  readSync(descriptor, bytes, 0, tallySize, start)
  const tasks = new Map<string, TaskCounts>()
  const names: string[] = []
  for (let slot = 0; slot < slots; slot++) {
    const at = slot * slotSize
    const length = bytes.readDoubleLE(at)
    if (length === 0) break
    const name = bytes.toString('utf8', at + 8, at + 8 + length)
    const number = (i: number) => bytes.readDoubleLE(at + 8 + nameLength + i * 8)
    const read = newCounts()
    for (const [i, field] of order.entries()) read[field] = number(i)
    for (const i of itemBuckets.keys()) read.items[i] = number(counts + i)
    for (const i of waitBuckets.keys()) read.waiting[i] = number(counts + itemBuckets.length + i)
    names.push(name)
    tasks.set(name, read)
  }
  const written = bytes.readDoubleLE(recentAt)
  const recent: TalliedChunk[] = []
  for (let i = Math.max(0, written - recents); i < written; i++) {
    const at = recentAt + 8 + (i % recents) * recentSize
    const [began = 0, duration = 0, slot = 0, failed = 0] = [0, 8, 16, 24].map((offset) =>
      bytes.readDoubleLE(at + offset),
    )
    recent.push({ began, duration, task: names[slot] ?? others, failed })
  }
  return { tasks, recent }
}
