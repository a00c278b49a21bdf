/**
 * What stands for the items of a durable call, so that it is known whether others under its key are the same: a SHA-256 of each
 * as it is encoded, and of these one for each block of items and one for all. Two objects whose properties stand in another
 * order are not the same.
 */
import { createHash, hash } from 'node:crypto'
import { encodeValues, type Payload } from '@poolmq/shared'

const digestLength = 32
/** Bytes of an item's digest that are kept, beside its block's: enough to find which one differs. */
const shortLength = 8
/** Items of a block. What is kept of one is small, however many items a chunk has. */
export const blockSize = 1024

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

  /** What is kept of each block: its digest, and the beginning of that of each item. */
  get blocks(): Buffer[] {
    const count = Math.ceil(this.#digests.length / (blockSize * digestLength))
    return Array.from({ length: count }, (_, block) => this.#block(block))
  }

  #block(block: number): Buffer {
    const from = block * blockSize * digestLength
    const digests = this.#digests.subarray(from, from + blockSize * digestLength)
    const kept = Buffer.allocUnsafe(digestLength + (digests.length / digestLength) * shortLength)
    sha256(digests).copy(kept)
    for (let at = digestLength, of = 0; at < kept.length; at += shortLength, of += digestLength) {
      digests.copy(kept, at, of, of + shortLength)
    }
    return kept
  }

  /** Whether the items from this index on are those. */
  has(from: number, items: readonly unknown[]): boolean {
    const digests = new ItemPrints(items, from).#digests
    return this.#digests.subarray(from * digestLength, from * digestLength + digests.length).equals(digests)
  }
}

/** The place in its block of the first item that differs; undefined when none does. */
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
