/**
 * The input of a call that has one result, cut into chunks. So much of it is encoded in the call as may wait encoded: later changes of it
 * are not seen. The rest, of a large input, is encoded as it is sent, as CPython's Pool encodes all.
 */
import { weigh } from '@poolmq/shared'
import { type LateChunks, sizeOf } from './backlog.js'
import { type EncodedChunk, encodeCall, encodeChunk } from './chunker.js'

/** What is as small is encoded in its call, whatever waits. */
const small = 64 * 1024

/** Whom the input of a call concerns beside its call. */
export interface InputWatch {
  /** Bytes that a call may encode before there is room for them. */
  readonly early: number
  /** Told of each chunk that was encoded. */
  encoded(items: readonly unknown[], chunk: EncodedChunk): void
}

export interface MapInput {
  /** How many chunks it is, and items in them. */
  readonly chunks: number
  readonly items: number
  /**
   * Encodes it, chunk after chunk, and hands each over at once: the first are on their way while the next are encoded. Returns what
   * follows those; undefined when that is all.
   */
  hand(over: (chunk: EncodedChunk, index: number) => void): LateChunks | undefined
}

export function mapInput(items: readonly unknown[], size: number, watch: InputWatch): MapInput {
  // Python's default size of no items is 0.
  const chunks = items.length === 0 ? 0 : Math.ceil(items.length / size)
  const hand: MapInput['hand'] = (over) => {
    const { early } = watch
    let bytes = 0
    for (let index = 0; index < chunks; index++) {
      const at = index * size
      const some = items.slice(at, at + size)
      if (bytes >= early && (bytes > small || weigh(some, small) > small)) {
        return new LateItems(items.slice(at), size, at, watch)
      }
      const chunk = encodeChunk(some, 'items', at)
      bytes += sizeOf(chunk)
      watch.encoded(some, chunk)
      over(chunk, index)
    }
    return undefined
  }
  return { chunks, items: items.length, hand }
}

/** The one chunk of `apply`: an argument list. */
export function applyInput(args: readonly unknown[], watch: InputWatch): MapInput {
  const hand: MapInput['hand'] = (over) => {
    if (watch.early <= 0 && weigh(args, small) > small) return new LateCall(args, watch)
    over(encodeWatched(args, watch), 0)
    return undefined
  }
  return { chunks: 1, items: 1, hand }
}

function encodeWatched(args: readonly unknown[], watch: InputWatch): EncodedChunk {
  const chunk = encodeCall(args)
  watch.encoded([args], chunk)
  return chunk
}

class LateCall implements LateChunks {
  readonly #args: readonly unknown[]
  readonly #watch: InputWatch
  #left = 1

  constructor(args: readonly unknown[], watch: InputWatch) {
    this.#args = args
    this.#watch = watch
  }

  get left(): number {
    return this.#left
  }

  encodeNext(): EncodedChunk {
    this.#left = 0
    return encodeWatched(this.#args, this.#watch)
  }
}

class LateItems implements LateChunks {
  readonly #items: unknown[]
  readonly #size: number
  readonly #first: number
  readonly #watch: InputWatch
  #at = 0

  /** @param first - the index of the first item in the call's input */
  constructor(items: unknown[], size: number, first: number, watch: InputWatch) {
    this.#watch = watch
    this.#items = items
    this.#size = size
    this.#first = first
  }

  get left(): number {
    return Math.ceil((this.#items.length - this.#at) / this.#size)
  }

  encodeNext(): EncodedChunk {
    const at = this.#at
    this.#at = Math.min(at + this.#size, this.#items.length)
    const items = this.#items.slice(at, this.#at)
    const chunk = encodeChunk(items, 'items', this.#first + at)
    this.#watch.encoded(items, chunk)
    this.#items.fill(undefined, at, this.#at) // what was sent is not held on to
    return chunk
  }
}
