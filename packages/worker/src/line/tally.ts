/**
 * What a worker process (or thread) has run, for its supervisor to read: counts by task, and the chunks that it ran last, in
 * memory that both see, behind what it has in hand. It is counted there when a chunk has ended and its host is observed, and written
 * with what is in hand next, which costs a microsecond; nobody observes: nothing. As with the hand, what was written outlives the process that wrote it, so
 * that no count is lost with a process that is killed.
 */
import { readSync } from 'node:fs'
import type { ShownMemory } from './shown-memory.js'

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
/** First those chunks, behind their number; then the tasks. The first task is close to what is in hand: they are shown together. */
const slotsAt = 8 + recents * recentSize
/** Bytes of the whole. */
export const tallySize = slotsAt + slots * slotSize

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

type Count = (typeof order)[number]
const place = Object.fromEntries(order.map((name, i) => [name, i])) as Record<Count, number>

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

/** What has been run of a task, counted where its supervisor reads it. */
export class TaskCounter {
  readonly #numbers: Float64Array
  readonly items: Float64Array
  readonly waiting: Float64Array

  /** @param at - its number among the tasks */
  constructor(
    readonly at: number,
    numbers: Float64Array,
  ) {
    this.#numbers = numbers
    this.items = numbers.subarray(counts, counts + itemBuckets.length)
    this.waiting = numbers.subarray(counts + itemBuckets.length)
  }

  add(what: Count, count: number): void {
    this.#numbers[place[what]] = (this.#numbers[place[what]] ?? 0) + count
  }
}

export class TallyWriter {
  readonly #memory: ShownMemory
  readonly #start: number
  readonly #slots = new Map<string, TaskCounter>()
  readonly #recent: Float64Array
  #written = 0
  /** When the chunk ended that was told of last. */
  #told = 0

  /** @param start - where in the memory it begins */
  constructor(memory: ShownMemory, start: number) {
    this.#memory = memory
    this.#start = start
    this.#recent = memory.numbers(start, 1 + (recents * recentSize) / 8)
  }

  /** The counts of a task, to be added to; `write` shows them. */
  of(task: string): TaskCounter {
    const known = this.#slots.get(task)
    if (known !== undefined) return known
    if (this.#slots.size >= slots - 1 && task !== others) return this.of(others)
    const at = this.#slots.size
    const start = this.#start + slotsAt + at * slotSize
    const counter = new TaskCounter(at, this.#memory.numbers(start + 8 + nameLength, numbers))
    this.#slots.set(task, counter)
    const name = Buffer.from(task).subarray(0, nameLength)
    this.#memory.numbers(start, 1).set([name.length])
    this.#memory.bytes.set(name, start + 8)
    this.#memory.touch(start, start + 8 + nameLength)
    return counter
  }

  /** What has been counted of a task, and its last chunk, is shown with what is in hand next, which is soon. */
  write(chunk: TalliedChunk): void {
    const { at } = this.of(chunk.task)
    const start = this.#start + slotsAt + at * slotSize
    this.#memory.touch(start + 8 + nameLength, start + slotSize)
    // A picture of the last minute has no room for more.
    const end = chunk.began + chunk.duration
    if (chunk.failed === 0 && end - this.#told < shortest) return
    this.#told = end
    this.#recent.set([chunk.began, chunk.duration, at, chunk.failed], 1 + ((this.#written % recents) * recentSize) / 8)
    this.#written++
    this.#recent[0] = this.#written
    this.#memory.touch(this.#start, this.#start + slotsAt)
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
    const at = slotsAt + slot * slotSize
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
  const written = bytes.readDoubleLE(0)
  const recent: TalliedChunk[] = []
  for (let i = Math.max(0, written - recents); i < written; i++) {
    const at = 8 + (i % recents) * recentSize
    const [began = 0, duration = 0, slot = 0, failed = 0] = [0, 8, 16, 24].map((offset) =>
      bytes.readDoubleLE(at + offset),
    )
    recent.push({ began, duration, task: names[slot] ?? others, failed })
  }
  return { tasks, recent }
}
