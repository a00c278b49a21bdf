import { ProtocolError } from '../errors/errors.js'
import type { SharedContent } from './shared-content.js'

/**
 * A list as several runs of bytes: of any size, as no string is made of the whole, and with bytes among its values as they
 * are. It is made of segments, each some of the items in an encoding of its own; a segment has one blob or more.
 *
 * As bytes it is a directory, which tells the segments and the lengths of all blobs, and then the blobs one after the other.
 */
export interface BlobsPayload {
  readonly encoding: 'blobs'
  readonly segments: readonly Segment[]
  readonly blobs: readonly Uint8Array[]
  /** The shared values that it holds, if any. */
  readonly shared?: readonly SharedContent[]
}

export interface Segment {
  /** The mark of its encoding. */
  readonly mark: string
  /** How many of the blobs are its own. */
  readonly blobs: number
}

/** What is told of blobs before they are there. */
export interface Directory {
  readonly segments: readonly Segment[]
  /** Bytes of each blob. */
  readonly lengths: readonly number[]
}

export function blobsLength({ blobs }: BlobsPayload): number {
  let length = 0
  for (const blob of blobs) length += blob.byteLength
  return length
}

export function formatDirectory({ segments, blobs }: BlobsPayload): Buffer {
  const s = segments.map((segment) => [segment.mark, segment.blobs])
  return Buffer.from(JSON.stringify({ s, b: blobs.map((blob) => blob.byteLength) }))
}

export function parseDirectory(bytes: Buffer): Directory {
  const record = readJson(bytes) as { s?: unknown; b?: unknown } | null
  if (
    !Array.isArray(record?.s) ||
    !Array.isArray(record.b) ||
    !record.b.every(isLength) ||
    !record.s.every(isSegment)
  ) {
    throw new ProtocolError('the directory of a payload is not ours')
  }
  const segments = record.s.map(([mark, blobs]: [string, number]) => ({ mark, blobs }))
  if (segments.reduce((sum, { blobs }) => sum + blobs, 0) !== record.b.length) {
    throw new ProtocolError('the directory of a payload does not tell whose its blobs are')
  }
  return { segments, lengths: record.b }
}

/** Each blob is found at a multiple of 8, as seen from the first: numbers can be read where they are. */
const aligned = (length: number): number => Math.ceil(length / 8) * 8

/** All in one: a directory of so many bytes, a line break, and the blobs. */
export function joinBlobs(payload: BlobsPayload): Buffer {
  const directory = formatDirectory(payload)
  const head = aligned(directory.length + 1)
  const joined = Buffer.alloc(head + payload.blobs.reduce((sum, blob) => sum + aligned(blob.byteLength), 0), ' ')
  directory.copy(joined)
  joined[head - 1] = lineBreak
  let at = head
  for (const blob of payload.blobs) {
    joined.set(blob, at)
    at += aligned(blob.byteLength)
  }
  return joined
}

export function splitBlobs(body: Buffer): BlobsPayload {
  const end = body.indexOf(lineBreak)
  if (end < 0) throw new ProtocolError('a payload without its directory')
  const { segments, lengths } = parseDirectory(body.subarray(0, end))
  let at = end + 1
  const blobs = lengths.map((length) => {
    if (at + length > body.length) throw new ProtocolError('a payload that is cut off')
    // Its own memory: it may become that of a value, and then must show nothing else.
    const blob = Buffer.allocUnsafeSlow(length)
    body.copy(blob, 0, at, at + length)
    at += aligned(length)
    return blob
  })
  return { encoding: 'blobs', segments, blobs }
}

const lineBreak = 10

function readJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch (cause) {
    throw new ProtocolError('the directory of a payload is no JSON', { cause })
  }
}

const isLength = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

const isSegment = (value: unknown): boolean =>
  Array.isArray(value) && typeof value[0] === 'string' && isLength(value[1])
