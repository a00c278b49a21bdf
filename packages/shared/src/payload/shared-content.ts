/**
 * A value that is sent once and stands in arguments by its hash: what its bytes are called, and where they are. Content-addressed:
 * the same bytes are the same value, whoever shares it.
 */
import { createHash } from 'node:crypto'
import { type BlobsPayload, blobsLength, formatDirectory } from './payload-blobs.js'

/** What a chunk tells of a shared value that its items hold. */
export interface SharedRef {
  /** SHA-256 of the value as it is encoded, in base64url. */
  readonly hash: string
  /** Bytes that it is encoded in. */
  readonly size: number
}

/** A shared value, in the process that shares it: kept encoded, so that it can be sent again when Redis loses it. */
export interface SharedContent extends SharedRef {
  readonly payload: BlobsPayload
}

/** Shared values that are here, decoded, by their hash. */
export type SharedValues = ReadonlyMap<string, unknown>

/** On an object, which may be of another installed copy: the content that it stands for. */
const contentKey: unique symbol = Symbol.for('poolmq.shared')

/** An object that stands for a shared value in arguments. */
export interface SharedStandIn {
  readonly [contentKey]: SharedContent
}

/** Has this object stand for a shared value. */
export function standFor(object: object, content: SharedContent): void {
  Object.defineProperty(object, contentKey, { value: content })
}

/** What an object stands for, if it does. Never throws. */
export function contentOf(object: object): SharedContent | undefined {
  try {
    return (object as Partial<SharedStandIn>)[contentKey]
  } catch {
    return undefined // a Proxy that refuses
  }
}

/** @param payload - a list of one item, the value */
export function sharedContent(payload: BlobsPayload): SharedContent {
  const directory = formatDirectory(payload)
  const hash = createHash('sha256').update(directory)
  for (const blob of payload.blobs) hash.update(blob)
  return { hash: hash.digest('base64url'), size: directory.length + blobsLength(payload), payload }
}

/** Whether these are what a chunk tells of shared values: `[hash, size]` of each. */
export function areSharedPairs(value: unknown): value is readonly (readonly [hash: string, size: number])[] {
  return Array.isArray(value) && value.every((one) => Array.isArray(one) && isRef(one[0], one[1]))
}

export function areSharedRefs(value: unknown): value is readonly SharedRef[] {
  return Array.isArray(value) && value.every((one) => isRef(one?.hash, one?.size))
}

const isRef = (hash: unknown, size: unknown): boolean =>
  typeof hash === 'string' && /^[\w-]{43}$/.test(hash) && Number.isSafeInteger(size) && (size as number) >= 0
