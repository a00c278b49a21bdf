import { attempt } from '../attempt.js'
import { EncodingError } from '../errors/errors.js'
import { describeValue } from '../value-description.js'
import { type BlobsPayload, blobsLength, type Segment } from './payload-blobs.js'
import { isPlainJson, isPlainJsonList } from './payload-json.js'
import { isError } from './payload-kind.js'
import { joinLists, type PackedNumbers, packNumbers, viewNumbers, type Width } from './payload-numbers.js'
import { findUncarried } from './payload-walk.js'
import { parseRich } from './rich-reader.js'
import { stringifyRich } from './rich-writer.js'
import type { SharedContent, SharedValues } from './shared-content.js'

/**
 * Values to what travels and back. What structured clone carries, this carries, with its types, cycles and shared references:
 * undefined, bigint, -0, NaN, Date, RegExp, Map, Set, ArrayBuffer and its views, boxed primitives, sparse arrays, errors;
 * beyond it Buffer (as Buffer), URL, URLSearchParams and objects without prototype (as such).
 *
 * Not carried, and an EncodingError that names the place: functions, symbols (also as keys), promises, shared memory,
 * instances of any other class. Getters are read, perhaps more than once. As in structured clone, extra properties of a
 * Map, Set, Date, RegExp or view, `lastIndex`, non-enumerable properties and frozenness do not travel. A view takes its
 * whole ArrayBuffer along; a Buffer that is a slice only its own bytes.
 */

/** An encoded value as it stands in a record. The text is well-formed Unicode: lone surrogates in strings are escaped. */
export interface EncodedText {
  /** `json`: plain JSON. `rich`: JSON, and notes of what it cannot say. */
  readonly encoding: 'json' | 'rich'
  readonly text: string
}

/** An encoded value. */
export interface TextPayload extends EncodedText {
  /** The shared values that it holds, if any. */
  readonly shared?: readonly SharedContent[]
}

/** A list of numbers as their bytes. */
export interface NumbersPayload extends PackedNumbers {
  readonly encoding: 'numbers'
}

/** Nothing but the sign that the list travels beside the record that it belongs to, as blobs in pieces. */
export interface ApartPayload {
  readonly encoding: 'apart'
  /** What its pieces are kept under, where that is not known by the record itself. */
  readonly name: string
}

/** An encoded list. */
export type Payload = TextPayload | NumbersPayload | BlobsPayload

/** A list as it stands in a record. */
export type SentPayload = Payload | ApartPayload

/** Characters of its text, or bytes: what is near enough to the room that it takes. */
export function payloadLength(payload: SentPayload): number {
  if (payload.encoding === 'numbers') return payload.bytes.length
  if (payload.encoding === 'blobs') return blobsLength(payload)
  return payload.encoding === 'apart' ? 0 : payload.text.length
}

/**
 * Encodes one value.
 *
 * @param place - what the value is to the reader of an error, as `args[0]` or `result`
 * @throws EncodingError naming the place of what is not carried, as `args[0].fn`
 */
export function encodeValue(value: unknown, place: string): TextPayload {
  const json = tryJson(isPlainJson, value)
  if (json !== undefined) return json
  try {
    const shared = new Map<string, SharedContent>()
    return { encoding: 'rich', text: stringifyRich(value, undefined, shared), ...sharedOf(shared) }
  } catch (cause) {
    refuseUncarried(value, place)
    throw failedToEncode(value, place, cause)
  }
}

/**
 * Encodes a list of items as a whole; {@link decodeList} gives back the list. Within an item, an object that is held
 * twice stays one object. Whether two items that hold the same object get the same copy is not defined.
 *
 * @param firstIndex - the index that the first item has for the reader of an error
 * @throws EncodingError with the place as `items[3].fn`, and its `index`, both counted from `firstIndex`
 */
export function encodeValues(values: readonly unknown[], place: string, firstIndex = 0): Payload {
  const fast = tryNumbers(values) ?? tryJson(isPlainJsonList, values)
  if (fast !== undefined) return fast
  const items = Array.from(values)
  try {
    return encodeRich(items)
  } catch (cause) {
    for (let i = 0; i < items.length; i += 1) refuseUncarried(items[i], place, i, firstIndex)
    const failing = findFailing(items)
    if (failing === undefined && items.length > 1) return encodeHalves(items, place, firstIndex)
    throw failedToEncode(items, place, cause, failing, firstIndex)
  }
}

function encodeRich(items: readonly unknown[]): Payload {
  const blobs: Uint8Array[] = []
  const shared = new Map<string, SharedContent>()
  const text = stringifyRich(items, blobs, shared)
  if (blobs.length === 0) return { encoding: 'rich', text, ...sharedOf(shared) }
  return {
    encoding: 'blobs',
    segments: [{ mark: 'r', blobs: blobs.length + 1 }],
    blobs: [Buffer.from(text), ...blobs],
    ...sharedOf(shared),
  }
}

function sharedOf(shared: ReadonlyMap<string, SharedContent>): { readonly shared?: readonly SharedContent[] } {
  return shared.size === 0 ? {} : { shared: [...shared.values()] }
}

/** Each can be encoded, and all of them are too much for one string. */
function encodeHalves(items: readonly unknown[], place: string, firstIndex: number): Payload {
  const half = Math.ceil(items.length / 2)
  const halves = [
    inBlobs(encodeValues(items.slice(0, half), place, firstIndex)),
    inBlobs(encodeValues(items.slice(half), place, firstIndex + half)),
  ]
  return {
    encoding: 'blobs',
    segments: halves.flatMap(({ segments }) => segments),
    blobs: halves.flatMap(({ blobs }) => blobs),
    ...sharedOf(new Map(halves.flatMap(({ shared = [] }) => shared.map((content) => [content.hash, content])))),
  }
}

/** A list as bytes. */
export function inBlobs(payload: Payload): BlobsPayload {
  if (payload.encoding === 'blobs') return payload
  const blob = payload.encoding === 'numbers' ? payload.bytes : Buffer.from(payload.text)
  const shared = payload.encoding === 'numbers' ? undefined : payload.shared
  return {
    encoding: 'blobs',
    segments: [{ mark: markOf(payload), blobs: 1 }],
    blobs: [blob],
    ...(shared !== undefined && { shared }),
  }
}

const widths = [1, 2, 4, 8] as const

/** How an encoding is called in a record: `j`, `r`, or `n` and the bytes of a number. */
export function markOf(payload: TextPayload | NumbersPayload): string {
  return payload.encoding === 'numbers' ? `n${payload.width}` : payload.encoding === 'json' ? 'j' : 'r'
}

/** What {@link markOf} has called so; undefined for a mark that it never makes. */
export function payloadOfMark(mark: unknown, body: Buffer): TextPayload | NumbersPayload | undefined {
  if (mark === 'j') return { encoding: 'json', text: body.toString() }
  if (mark === 'r') return { encoding: 'rich', text: body.toString() }
  const width: Width | undefined = widths.find((one) => mark === `n${one}`)
  return width && { encoding: 'numbers', width, bytes: body }
}

/** @throws EncodingError on any text that is damaged or was not written by {@link encodeValue}; never anything else. */
export function decodePayload(payload: EncodedText, shared?: SharedValues): unknown {
  return decoding(() => parseText(payload, [], shared))
}

/**
 * The values of a list, by index; a plain array unless they are numbers.
 *
 * @param shared - the shared values that it may hold
 * @throws EncodingError on a payload that is damaged, or no list; never anything else.
 */
export function decodeList(payload: SentPayload, shared?: SharedValues): ArrayLike<unknown> {
  return decoding(() => {
    if (payload.encoding === 'blobs') return decodeSegments(payload, shared)
    if (payload.encoding === 'apart') throw new TypeError('it is not here')
    return decodeRun(payload, [], shared)
  })
}

function decodeRun(
  payload: TextPayload | NumbersPayload,
  blobs: readonly Uint8Array[],
  shared: SharedValues | undefined,
): ArrayLike<unknown> {
  if (payload.encoding === 'numbers') return viewNumbers(payload)
  const list = parseText(payload, blobs, shared)
  if (!Array.isArray(list)) throw new TypeError('it is not a list')
  return list
}

function decodeSegments({ segments, blobs }: BlobsPayload, shared?: SharedValues): ArrayLike<unknown> {
  let at = 0
  const lists = segments.map((segment) => {
    const own = blobs.slice(at, at + segment.blobs)
    at += segment.blobs
    return decodeSegment(segment, own, shared)
  })
  const [only] = lists
  return lists.length === 1 && only !== undefined ? only : joinLists(lists)
}

function decodeSegment(
  { mark }: Segment,
  [body, ...blobs]: readonly Uint8Array[],
  shared: SharedValues | undefined,
): ArrayLike<unknown> {
  const payload = body && payloadOfMark(mark, Buffer.from(body.buffer, body.byteOffset, body.byteLength))
  if (payload === undefined) throw new TypeError(`its encoding ${describeValue(mark)} is not known to this version`)
  return decodeRun(payload, blobs, shared)
}

function parseText({ encoding, text }: EncodedText, blobs: readonly Uint8Array[] = [], shared?: SharedValues): unknown {
  if (typeof text !== 'string') throw new TypeError('it has no text')
  if (encoding === 'json') return JSON.parse(text)
  if (encoding === 'rich') return parseRich(text, blobs, shared)
  throw new TypeError(`its encoding ${describeValue(encoding)} is not known to this version`)
}

function decoding<T>(decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    const reason = reasonOf(cause)
    throw new EncodingError(`A payload cannot be decoded: ${reason}`, { place: 'payload', reason, cause })
  }
}

function tryNumbers(values: readonly unknown[]): NumbersPayload | undefined {
  try {
    const packed = packNumbers(values)
    return packed === undefined ? undefined : { encoding: 'numbers', ...packed }
  } catch {
    // A getter threw, or there is no memory for a packed copy. The paths for any value say so, or find a way.
    return undefined
  }
}

function tryJson<T>(isPlain: (value: T) => boolean, value: T): TextPayload | undefined {
  try {
    return isPlain(value) ? { encoding: 'json', text: JSON.stringify(value) } : undefined
  } catch {
    // A getter threw, it is nested too deeply, or too long for one string. The slow path finds out where and says so.
    return undefined
  }
}

function refuseUncarried(value: unknown, place: string, index?: number, firstIndex?: number): void {
  const found = findUncarried(value)
  if (found === undefined) return
  const where = placeOf(place, index, firstIndex) + found.path
  throw new EncodingError(`${where} ${found.reason}`, {
    place: where,
    reason: found.reason,
    value: describeValue(found.value),
    ...(index !== undefined && { index: (firstIndex ?? 0) + index }),
    ...(found.cause !== undefined && { cause: found.cause }),
  })
}

/** Finds the item that alone fails as the list did; none when only their sum is too much. */
function findFailing(items: readonly unknown[]): number | undefined {
  const index = items.findIndex((item) => {
    try {
      stringifyRich(item, [])
      return false
    } catch {
      return true
    }
  })
  return index === -1 ? undefined : index
}

function failedToEncode(
  value: unknown,
  place: string,
  cause: unknown,
  index?: number,
  firstIndex?: number,
): EncodingError {
  const where = placeOf(place, index, firstIndex)
  const reason = reasonOf(cause)
  return new EncodingError(`${where} cannot be encoded: ${reason}`, {
    place: where,
    reason,
    value: describeValue(index === undefined ? value : (value as readonly unknown[])[index]),
    ...(index !== undefined && { index: (firstIndex ?? 0) + index }),
    cause,
  })
}

function placeOf(place: string, index: number | undefined, firstIndex = 0): string {
  return index === undefined ? place : `${place}[${firstIndex + index}]`
}

function reasonOf(cause: unknown): string {
  // A getter may have thrown anything.
  if (!isError(cause) || typeof attempt(() => cause.message) !== 'string') return describeValue(cause)
  if (cause instanceof RangeError && cause.message.includes('call stack')) return 'it is nested too deeply'
  if (cause instanceof RangeError && cause.message.includes('string length')) return 'it is too large for one string'
  return cause.message
}
