/**
 * What stands for the items of a durable call, so that it is known whether others under its key are the same: a SHA-256 of each
 * as it is encoded, and of these one for each chunk and one for all. Two objects whose properties stand in another order are not
 * the same.
 */
import { createHash, hash } from 'node:crypto'
import { encodeValues, type Payload } from '@poolmq/shared'

const digestLength = 32
/** Bytes of an item's digest that are kept, beside its chunk's: enough to find which one differs. */
const shortLength = 8

export class ItemPrints {
  readonly #digests: Buffer

  /**
   * @param first - the index of the first item, for messages
   * @throws EncodingError for the first item that cannot be encoded
   */
  constructor(items: readonly unknown[], first = 0) {
    this.#digests = Buffer.allocUnsafe(items.length * digestLength)
    for (const [i, item] of items.entries()) {
      this.#digests.write(digestOf(encodeValues([item], 'items', first + i)), i * digestLength, 'latin1')
    }
  }

  /** Stands for all items. */
  get digest(): string {
    return sha256(this.#digests).toString('base64url')
  }

  /** Stands for the items from one index up to another: their digest, and the beginning of that of each. */
  of(from: number, to: number): Buffer {
    const digests = this.#digests.subarray(from * digestLength, to * digestLength)
    const shorts: Buffer[] = []
    for (let at = 0; at < digests.length; at += digestLength) shorts.push(digests.subarray(at, at + shortLength))
    return Buffer.concat([sha256(digests), ...shorts])
  }
}

/** The place in its chunk of the first item that differs; undefined when none does. */
export function firstDifference(kept: Buffer, given: Buffer): number | undefined {
  if (kept.equals(given)) return undefined
  let at = digestLength
  while (at < kept.length && at < given.length) {
    if (kept.compare(given, at, at + shortLength, at, at + shortLength) !== 0) break
    at += shortLength
  }
  return (at - digestLength) / shortLength
}

/** The bytes of the digest, as characters: half the time of a Buffer for each. */
function digestOf(payload: Payload): string {
  if ('text' in payload) return hash('sha256', `${payload.encoding}${payload.text}`, 'binary')
  const digest = createHash('sha256').update(payload.encoding)
  if (payload.encoding === 'numbers') digest.update(payload.bytes)
  else for (const blob of payload.blobs) digest.update(`${blob.length}.`).update(blob)
  return digest.digest('binary')
}

const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()
