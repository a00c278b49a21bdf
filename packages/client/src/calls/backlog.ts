/**
 * The chunks of one call that wait in the client until there is room for them in Redis: first those that were encoded in
 * the call, then those that are encoded when their turn has come.
 */
import { Deferred, payloadLength } from '@poolmq/shared'
import type { Call } from './call.js'
import type { EncodedChunk } from './chunker.js'

/** The end of a call's input, not encoded yet. */
export interface LateChunks {
  /** Chunks that it still is. */
  readonly left: number
  /** Encodes the next one. */
  encodeNext(): EncodedChunk
}

export class Backlog {
  readonly call: Call
  /** When it came, or had its last turn: a lower number is longer ago. */
  since = 0
  readonly #encoded: EncodedChunk[] = []
  #at = 0
  /** The index of the next one in the call. */
  #index: number
  #late: LateChunks | undefined
  readonly #emptied = new Deferred()
  #bytes = 0
  /** Whether it waits among the large. */
  isLarge = false

  /** @param first - the index of its first chunk in the call */
  constructor(call: Call, first: number) {
    this.call = call
    this.#index = first
  }

  /** How many chunks wait. */
  get length(): number {
    return this.#encoded.length - this.#at + (this.#late?.left ?? 0)
  }

  /** Bytes that its encoded chunks take. */
  get bytes(): number {
    return this.#bytes
  }

  /** Resolves when none waits any more, or the call is over. */
  get emptied(): Promise<void> {
    return this.#emptied.promise
  }

  /** Bytes of the next chunk; undefined when it must be encoded before that is known. */
  get nextSize(): number | undefined {
    const next = this.#encoded[this.#at]
    return next && sizeOf(next)
  }

  /** Puts a chunk at the end of those that are encoded. */
  push(chunk: EncodedChunk): void {
    this.#encoded.push(chunk)
    this.#bytes += sizeOf(chunk)
  }

  /** Puts the rest of the call at the end. */
  pushLate(late: LateChunks): void {
    this.#late = late
  }

  /** The next chunk, encoded now if it was not. There is one. */
  peek(): { readonly index: number; readonly chunk: EncodedChunk } {
    if (this.#at === this.#encoded.length && this.#late !== undefined) this.push(this.#late.encodeNext())
    return { index: this.#index, chunk: this.#encoded[this.#at] as EncodedChunk }
  }

  /** Takes away what `peek` gives. */
  shift(): void {
    this.#bytes -= sizeOf(this.#encoded[this.#at] as EncodedChunk)
    this.#encoded[this.#at++] = undefined as never // what was taken is not held on to
    this.#index++
    if (this.#at === this.#encoded.length) this.#encoded.length = this.#at = 0
    if (this.length === 0) this.#emptied.resolve()
  }

  /** Nobody waits for any of it. */
  drop(): void {
    this.#encoded.length = this.#at = this.#bytes = 0
    this.#late = undefined
    this.#emptied.resolve()
  }
}

export const sizeOf = ({ payload }: EncodedChunk): number => (payload === undefined ? 0 : payloadLength(payload))
