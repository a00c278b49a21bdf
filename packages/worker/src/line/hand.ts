/**
 * What a worker process (or thread) has in hand, for its supervisor to look up: a few bytes of memory that both see, as a
 * file without a name, with a place for each lane. To tell it costs a microsecond, and is done before a task can block
 * the event loop; a message for each chunk would cost both sides more than many a chunk. What was told outlives the
 * process that told it.
 *
 * A place: a byte with the length of the id (0: none), a byte that says whether the chunk runs, the id. The last byte of
 * the file is written only to tell that the event loop turns.
 *
 * A look may see half of a change. That is harmless: whatever is done with a job id is done under the lock's token.
 */
import { closeSync, constants, fstatSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ShownMemory } from './shown-memory.js'
import { readTally, type Tally, tallySize } from './tally.js'

/** Bytes of a lane's place. An id that does not fit is not ours: its chunk fails before it runs. */
const size = 128
/** Bytes of a place before the id. */
const head = 2

/** Linux's `O_TMPFILE`, which Node does not name: a file that never has a name, so that none can be left. */
const unnamed = process.platform === 'linux' ? 0o20_000_000 | constants.O_DIRECTORY : undefined

/** Where the tally begins, in the file of a worker process of so many lanes. */
export const tallyStart = (lanes: number) => (lanes + 1) * size

/** A chunk in hand. */
export interface HeldChunk {
  readonly lane: number
  readonly jobId: string
  /** False while it is only kept: none of its items has been started. */
  readonly runs: boolean
}

/** Makes the file, with places for so many lanes; returns its descriptor. @throws Error when there is no place for it. */
export function openHand(lanes = 1): number {
  const places = process.platform === 'linux' ? ['/dev/shm', tmpdir()] : [tmpdir()]
  let failure: unknown
  for (const place of places) {
    try {
      return openWithoutName(place, tallyStart(lanes) + tallySize)
    } catch (error) {
      failure = error
    }
  }
  throw new Error(`a worker process needs a small file in ${places.join(' or ')}: make one writable, or set TMPDIR`, {
    cause: failure,
  })
}

function openWithoutName(place: string, length: number): number {
  const descriptor = openUnnamed(place) ?? openAndUnlink(place)
  try {
    // It takes its room now: that the disk is full later does not matter.
    writeSync(descriptor, Buffer.alloc(length), 0, length, 0)
    return descriptor
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

function openUnnamed(place: string): number | undefined {
  if (unnamed === undefined) return undefined
  try {
    return openSync(place, constants.O_RDWR | unnamed, 0o600)
  } catch {
    return undefined // not every file system can; if it is the place that cannot be used, the other way tells
  }
}

function openAndUnlink(place: string): number {
  const path = join(place, `poolmq-${process.pid}-${process.hrtime.bigint()}`)
  const descriptor = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  return descriptor
}

/** The whole of it, as the worker process of so many lanes sees it. */
export function shownMemory(descriptor: number, lanes = 1): ShownMemory {
  return new ShownMemory(descriptor, tallyStart(lanes) + tallySize)
}

export class HandWriter {
  readonly #memory: ShownMemory
  readonly #end: number

  constructor(memory: ShownMemory, lanes = 1) {
    this.#memory = memory
    this.#end = lanes * size
  }

  /** This chunk is in hand in this lane from now on; undefined: none. What has been tallied is shown with it. */
  write(lane: number, jobId: string | undefined, runs = true): void {
    this.put(lane, jobId, runs)
    this.show()
  }

  /** The same, to be shown with others. */
  put(lane: number, jobId: string | undefined, runs = true): void {
    const { bytes } = this.#memory
    const at = lane * size
    const length = jobId === undefined || jobId.length > size - head ? 0 : bytes.write(jobId, at + head, 'latin1')
    bytes[at] = length
    bytes[at + 1] = runs ? 1 : 0
    this.#memory.touch(at, at + head + length)
  }

  show(): void {
    this.#memory.show()
  }

  /** The event loop turns. */
  beat(): void {
    this.#memory.touch(this.#end, this.#end + 1)
    this.#memory.show()
  }
}

export class HandReader {
  #descriptor: number | undefined
  readonly #record: Buffer

  constructor(descriptor: number, lanes = 1) {
    this.#descriptor = descriptor
    this.#record = Buffer.alloc(lanes * size)
  }

  /** The chunks in hand, by lane. */
  read(): HeldChunk[] {
    const held: HeldChunk[] = []
    if (this.#descriptor === undefined) return held
    const record = this.#record
    const end = readSync(this.#descriptor, record, 0, record.length, 0)
    for (let at = 0; at < end; at += size) {
      const length = record[at] ?? 0
      if (length === 0) continue
      held.push({
        lane: at / size,
        jobId: record.toString('latin1', at + head, at + head + length),
        runs: record[at + 1] === 1,
      })
    }
    return held
  }

  /** Whether it has ever had a chunk in hand: of the last one in a lane the id is left, and only its length is not. */
  hasHeld(): boolean {
    if (this.#descriptor === undefined) return false
    const record = this.#record
    const end = readSync(this.#descriptor, record, 0, record.length, 0)
    for (let at = head; at < end; at += size) if (record[at] !== 0) return true
    return false
  }

  /** What has been run, where it is tallied. */
  tally(): Tally {
    if (this.#descriptor === undefined) return { tasks: new Map(), recent: [] }
    return readTally(this.#descriptor, tallyStart(this.#record.length / size))
  }

  /** When something was last told, in milliseconds; a worker process without a chunk tells that it is there. */
  lastTold(): number {
    return this.#descriptor === undefined ? 0 : fstatSync(this.#descriptor).mtimeMs
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}
