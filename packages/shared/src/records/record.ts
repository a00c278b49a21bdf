/** What all records that travel through Redis have in common: JSON of a known version, checked before it is used. */
import { ProtocolError } from '../errors/errors.js'

/** Raised when a record changes in a way that an older reader would misread. */
export const protocolVersion = 1

/** @param what - for messages, with its article */
export function parseRecord(text: string, what: string): Record<string, unknown> {
  let record: unknown
  try {
    record = JSON.parse(text)
  } catch (cause) {
    throw new ProtocolError(`${what} that is not JSON: ${excerpt(text)}`, { cause })
  }
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    throw new ProtocolError(`${what} that is not an object: ${excerpt(text)}`)
  }
  return record as Record<string, unknown>
}

export function checkVersion(record: Record<string, unknown>, what: string): void {
  const version = record.v
  if (version === protocolVersion) return
  throw new ProtocolError(
    typeof version === 'number' && version > protocolVersion
      ? `${what} of protocol version ${version}, and this process knows ${protocolVersion}: update its PoolMQ packages`
      : `${what} without a known protocol version: ${excerpt(JSON.stringify(record))}`,
  )
}

/** A whole number of something. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
/** A finite measure of something. */
export const isSize = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0

/** The beginning of a record, for a message. */
export function excerpt(record: string | Buffer): string {
  const start = typeof record === 'string' ? record.slice(0, 81) : record.toString('utf8', 0, 400).slice(0, 81)
  // A control character takes six characters as JSON.
  const text = JSON.stringify(start)
  return start.length > 80 || text.length > 120 ? `${text.slice(0, 100)}…` : text
}
