import { endianness } from 'node:os'

/**
 * The fast path of lists of numbers: their bytes, which take a fraction of the time of JSON. It carries every number
 * exactly, also -0, NaN and infinities, and nothing else: any other list is left to the ways for any value.
 *
 * A number has the narrowest width that holds all of its list: 1, 2 or 4 bytes as signed integers, or 8 as doubles, the
 * least significant byte first whatever the host.
 */

export type Width = 1 | 2 | 4 | 8

export interface PackedNumbers {
  readonly width: Width
  readonly bytes: Buffer
}

/** With fewer numbers there is little to gain or nothing, and JSON can be read. */
export const FEWEST_PACKED = 16

/** For more elements than this `new Array(n)` makes a dictionary, which is slow; an array that grows past it stays fast. */
const LONGEST_ALLOCATED = 2 ** 25

/** Bytes of memory that is kept, to be used again: at first, and at most. */
const FIRST_KEPT = 16 * 1024
const LARGEST_KEPT = 1024 * 1024

/** Memory for packed numbers, to be seen as bytes and as numbers of each width. */
class Room {
  readonly bytes: Buffer
  readonly int8: Int8Array
  readonly int16: Int16Array
  readonly int32: Int32Array
  readonly float64: Float64Array

  constructor(size: number) {
    const memory = new ArrayBuffer(Math.ceil(size / 8) * 8)
    this.bytes = Buffer.from(memory)
    this.int8 = new Int8Array(memory)
    this.int16 = new Int16Array(memory)
    this.int32 = new Int32Array(memory)
    this.float64 = new Float64Array(memory)
  }
}

/** Used again and again: to touch new memory takes longer than to pack the numbers into it. */
let kept: Room | undefined

const swapsBytes = endianness() === 'BE'

/** The bytes of a list of numbers alone; undefined for any other list, and for a short one. */
export function packNumbers(values: readonly unknown[]): PackedNumbers | undefined {
  // A list of anything else gets no further. It also keeps the loops below to few kinds of arrays, for V8's sake.
  if (typeof values[0] !== 'number' || values.length < FEWEST_PACKED || !Array.isArray(values)) return undefined
  const room = borrow(values.length * 8)
  try {
    return packIntegers(values, room)
  } finally {
    giveBack(room)
  }
}

/** Nobody else's while it is in use: a getter that packs a list of its own gets another. */
function borrow(size: number): Room {
  const room = kept
  if (room === undefined || room.bytes.length < size) return new Room(Math.max(size, FIRST_KEPT))
  kept = undefined
  return room
}

function giveBack(room: Room): void {
  const { length } = room.bytes
  if (length <= LARGEST_KEPT && length > (kept?.bytes.length ?? 0)) kept = room
}

/** Each value is read once, and what is packed is what was checked: a getter or a Proxy may answer otherwise later. */
function packIntegers(values: readonly unknown[], room: Room): PackedNumbers | undefined {
  const count = values.length
  const { int32 } = room
  let bits = 0
  for (let i = 0; i < count; i += 1) {
    const value = values[i]
    if (typeof value !== 'number') return undefined
    const integer = value | 0
    if (integer !== value || Object.is(value, -0)) return packDoubles(values, room)
    int32[i] = integer
    bits |= integer ^ (integer >> 31)
  }
  if (bits > 0x7fff) return taken(room, 4, count)
  const narrow = bits > 0x7f ? room.int16 : room.int8
  narrow.set(int32.subarray(0, count))
  return taken(room, bits > 0x7f ? 2 : 1, count)
}

function packDoubles(values: readonly unknown[], room: Room): PackedNumbers | undefined {
  const count = values.length
  const { float64 } = room
  for (let i = 0; i < count; i += 1) {
    const value = values[i]
    if (typeof value !== 'number') return undefined
    float64[i] = value
  }
  return taken(room, 8, count)
}

function taken(room: Room, width: Width, count: number): PackedNumbers {
  const filled = room.bytes.subarray(0, count * width)
  const bytes = room.bytes.length <= LARGEST_KEPT ? Buffer.from(filled) : filled
  return { width, bytes: swapsBytes ? swapped(bytes, width) : bytes }
}

/** The numbers, as a view of the bytes where these are aligned. @throws Error on bytes that are not whole numbers. */
export function viewNumbers({ width, bytes }: PackedNumbers): ArrayLike<number> {
  if (bytes.length % width !== 0) throw new Error('its numbers are not whole')
  const inPlace = bytes.byteOffset % width === 0 && !swapsBytes
  const { buffer, byteOffset } = inPlace ? bytes : aligned(bytes, width)
  const count = bytes.length / width
  if (width === 1) return new Int8Array(buffer, byteOffset, count)
  if (width === 2) return new Int16Array(buffer, byteOffset, count)
  if (width === 4) return new Int32Array(buffer, byteOffset, count)
  return new Float64Array(buffer, byteOffset, count)
}

function aligned(bytes: Buffer, width: Width): Uint8Array {
  const copy = new Uint8Array(bytes)
  return swapsBytes ? swapped(Buffer.from(copy.buffer), width) : copy
}

function swapped(bytes: Buffer, width: Width): Buffer {
  if (width === 2) return bytes.swap16()
  if (width === 4) return bytes.swap32()
  return width === 8 ? bytes.swap64() : bytes
}

/** One plain array of all the lists' values, in order. */
export function joinLists(lists: readonly ArrayLike<unknown>[]): unknown[] {
  if (lists.length === 1 && Array.isArray(lists[0])) return lists[0]
  const total = lists.reduce((sum, list) => sum + list.length, 0)
  const joined = new Array<unknown>(Math.min(total, LONGEST_ALLOCATED))
  let at = 0
  for (const list of lists) {
    if (Array.isArray(list)) copyValues(list, joined, at)
    else if (list instanceof Float64Array) copyDoubles(list, joined, at)
    else copyIntegers(list as Int32Array, joined, at)
    at += list.length
  }
  return joined
}

// A function for each kind: V8 makes a loop fast for the few kinds that it has seen, and would keep integers as doubles.

function copyIntegers(integers: Int8Array | Int16Array | Int32Array, target: unknown[], start: number): void {
  for (let i = 0; i < integers.length; i += 1) target[start + i] = integers[i]
}

function copyDoubles(doubles: Float64Array, target: unknown[], start: number): void {
  for (let i = 0; i < doubles.length; i += 1) target[start + i] = doubles[i]
}

function copyValues(values: readonly unknown[], target: unknown[], start: number): void {
  for (let i = 0; i < values.length; i += 1) target[start + i] = values[i]
}
