/**
 * What a worker process (or thread) has in hand, for its supervisor to look up: a few bytes of memory that both see, as a
 * file without a name. To tell it costs a microsecond, and is done before a task can block the event loop; a message
 * for each chunk would cost both sides more than many a chunk. What was told outlives the process that told it.
 *
 * A look may see half of a change. That is harmless: whatever is done with a job id is done under the lock's token.
 */
import { closeSync, constants, fstatSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Bytes of a record. An id that does not fit is not ours: its chunk fails before it runs. */
const size = 128

/** Linux's `O_TMPFILE`, which Node does not name: a file that never has a name, so that none can be left. */
const unnamed = process.platform === 'linux' ? 0o20_000_000 | constants.O_DIRECTORY : undefined

/** Makes the record; returns its descriptor. @throws Error when there is no place for it. */
export function openHand(): number {
  const places = process.platform === 'linux' ? ['/dev/shm', tmpdir()] : [tmpdir()]
  let failure: unknown
  for (const place of places) {
    try {
      return openWithoutName(place)
    } catch (error) {
      failure = error
    }
  }
  throw new Error(`a worker process needs a small file in ${places.join(' or ')}: make one writable, or set TMPDIR`, {
    cause: failure,
  })
}

function openWithoutName(place: string): number {
  const descriptor = openUnnamed(place) ?? openAndUnlink(place)
  try {
    // It takes its room now: that the disk is full later does not matter.
    writeSync(descriptor, Buffer.alloc(size), 0, size, 0)
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

export class HandWriter {
  readonly #descriptor: number
  readonly #record = Buffer.alloc(size)

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  /** This chunk is in hand from now on; undefined: none. */
  write(jobId: string | undefined): void {
    const length = jobId === undefined || jobId.length > size - 1 ? 0 : this.#record.write(jobId, 1, 'latin1')
    this.#record[0] = length
    writeSync(this.#descriptor, this.#record, 0, length + 1, 0)
  }
}

export class HandReader {
  #descriptor: number | undefined
  readonly #record = Buffer.alloc(size)

  constructor(descriptor: number) {
    this.#descriptor = descriptor
  }

  /** The chunk in hand. */
  read(): string | undefined {
    if (this.#descriptor === undefined) return undefined
    const length = readSync(this.#descriptor, this.#record, 0, size, 0) === 0 ? 0 : (this.#record[0] ?? 0)
    return length === 0 ? undefined : this.#record.toString('latin1', 1, 1 + length)
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
