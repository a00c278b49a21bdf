/** How payloads stand in records: the mark of their encoding, and their text or bytes. */
import { ProtocolError } from '../errors/errors.js'
import { markOf, type NumbersPayload, payloadOfMark, type SentPayload } from '../payload/codec.js'
import { joinBlobs, splitBlobs } from '../payload/payload-blobs.js'
import { excerpt } from './record.js'

/** Characters of a payload, or bytes, above which it travels beside its record. */
export const largestInline = 256 * 1024
/** Fewer bytes travel as base64: commands and replies that are text cost less than a few hundred bytes of it. */
const fewestBytes = 2048

export const lineBreak = 10

/**
 * How a payload's encoding is called in a header: `j`, `r`, `n` and the bytes of a number, `b` and the same when in base64,
 * `x` for blobs, `a` for what travels beside the record.
 */
export function encodingMark(payload: SentPayload): string {
  if (payload.encoding === 'blobs') return 'x'
  if (payload.encoding === 'apart') return 'a'
  return payload.encoding === 'numbers' && isInBase64(payload) ? `b${payload.width}` : markOf(payload)
}

const isInBase64 = ({ bytes }: NumbersPayload): boolean => bytes.length < fewestBytes

export function bodyOf(payload: SentPayload): string | Buffer {
  if (payload.encoding === 'blobs') return joinBlobs(payload)
  if (payload.encoding === 'apart') return ''
  if (payload.encoding !== 'numbers') return payload.text
  return isInBase64(payload) ? payload.bytes.toString('base64') : payload.bytes
}

export function payloadOf(header: Record<string, unknown>, body: Buffer): SentPayload {
  const { e: mark } = header
  if (mark === 'x') return splitBlobs(body)
  if (mark === 'a') return { encoding: 'apart', name: typeof header.k === 'string' ? header.k : '' }
  if (typeof mark === 'string' && mark.startsWith('b')) {
    const packed = payloadOfMark(`n${mark.slice(1)}`, fromBase64(body.toString('latin1')))
    if (packed !== undefined) return packed
  }
  const payload = payloadOfMark(mark, body)
  if (payload !== undefined) return payload
  throw new ProtocolError(`a payload of an unknown encoding: ${excerpt(JSON.stringify(header))}`)
}

/** Node.js skips what is not base64. */
function fromBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (text.length % 4 === 0 && bytes.length === Buffer.byteLength(text, 'base64')) return bytes
  throw new ProtocolError(`numbers that are not in base64: ${excerpt(text)}`)
}
