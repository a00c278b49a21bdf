import { endianness } from 'node:os'
import { longestPayload } from './wire.js'

/**
 * The fast path of lists of numbers: a packed array in base64, which takes a fraction of the time of JSON. It carries
 * every number exactly, also -0, NaN and infinities, and nothing else: any other list is left to JSON or to devalue.
 *
 * The text is the width of a number in bytes, as one digit (1, 2, 4: signed integers; 8: doubles), and the numbers in
 * base64, the least significant byte first whatever the host. Text that is none of ours is refused.
 */

/** With fewer numbers there is little to gain or nothing, and JSON can be read. */
export const FEWEST_PACKED = 16

/** For more elements than this `new Array(n)` makes a dictionary, which is slow; an array that grows past it stays fast. */
const LONGEST_ALLOCATED = 2 ** 25

/** Costs nothing: V8 knows without a look that a string of single bytes has none. */
const TWO_BYTES = /[\u0100-\uffff]/

type Width = 1 | 2 | 4 | 8

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

/** Bytes of memory that is kept at most, to be used again. */
const LARGEST_KEPT = 1024 * 1024

/** Used again and again: to touch new memory takes longer than to pack the numbers into it. */
let kept = new Room(16_384)

const swapsBytes = endianness() === 'BE'

/** The text for a list of numbers alone; undefined for any other, and where it would be too short or too long. */
export function packNumbers(values: readonly unknown[]): string | undefined {
  // A list of anything else gets no further. It also keeps the loops below to few kinds of arrays, for V8's sake.
  if (typeof values[0] !== 'number' || values.length < FEWEST_PACKED || !Array.isArray(values)) return undefined
  return packIntegers(values)
}

/** Each value is read once, and what is packed is what was checked: a getter or a Proxy may answer otherwise later. */
function packIntegers(values: readonly unknown[]): string | undefined {
  const count = values.length
  const room = roomFor(count * 4)
  const { int32 } = room
  let bits = 0
  for (let i = 0; i < count; i += 1) {
    const value = values[i]
    if (typeof value !== 'number') return undefined
    const integer = value | 0
    if (integer !== value || Object.is(value, -0)) return packDoubles(values)
    int32[i] = integer
    bits |= integer ^ (integer >> 31)
  }
  if (bits > 0x7fff) return textOf(room, 4, count)
  const narrow = bits > 0x7f ? room.int16 : room.int8
  narrow.set(int32.subarray(0, count))
  return textOf(room, bits > 0x7f ? 2 : 1, count)
}

function packDoubles(values: readonly unknown[]): string | undefined {
  const count = values.length
  const room = roomFor(count * 8)
  const { float64 } = room
  for (let i = 0; i < count; i += 1) {
    const value = values[i]
    if (typeof value !== 'number') return undefined
    float64[i] = value
  }
  return textOf(room, 8, count)
}

function textOf(room: Room, width: Width, count: number): string | undefined {
  const size = count * width
  // JSON of the same list may be shorter, and travel.
  if (1 + Math.ceil(size / 3) * 4 > longestPayload) return undefined
  if (swapsBytes) swap(room.bytes.subarray(0, size), width)
  return width + room.bytes.toString('base64', 0, size)
}

/** Throws on text that {@link packNumbers} never writes. */
export function unpackNumbers(text: string): number[] {
  const width = Number(text[0])
  if (width !== 1 && width !== 2 && width !== 4 && width !== 8) throw new Error('its numbers are of an unknown width')
  const base64 = text.slice(1)
  const size = Buffer.byteLength(base64, 'base64')
  if (base64.length % 4 !== 0 || size % width !== 0) throw new Error('its numbers are not whole')
  const room = roomFor(size)
  // What is not base64 is skipped by Node.js, so that fewer bytes are written; of a character of two bytes it takes one.
  const isBase64 = !TWO_BYTES.test(base64) && room.bytes.write(base64, 0, size, 'base64') === size
  if (!isBase64) throw new Error('its numbers are not in base64')
  if (swapsBytes) swap(room.bytes.subarray(0, size), width)
  const count = size / width
  if (width === 8) return listDoubles(room.float64, count)
  return listIntegers(width === 4 ? room.int32 : width === 2 ? room.int16 : room.int8, count)
}

function listIntegers(integers: Int8Array | Int16Array | Int32Array, count: number): number[] {
  const list = new Array<number>(Math.min(count, LONGEST_ALLOCATED))
  for (let i = 0; i < count; i += 1) list[i] = integers[i] as number
  return list
}

/** A function of its own: where V8 has once seen doubles, it would keep integers as doubles, too. */
function listDoubles(doubles: Float64Array, count: number): number[] {
  const list = new Array<number>(Math.min(count, LONGEST_ALLOCATED))
  for (let i = 0; i < count; i += 1) list[i] = doubles[i] as number
  return list
}

function roomFor(size: number): Room {
  if (size <= kept.bytes.length) return kept
  if (size > LARGEST_KEPT) return new Room(size)
  kept = new Room(size)
  return kept
}

function swap(bytes: Buffer, width: Width): void {
  if (width === 2) bytes.swap16()
  else if (width === 4) bytes.swap32()
  else if (width === 8) bytes.swap64()
}
