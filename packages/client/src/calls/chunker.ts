/** Cuts input into chunks and encodes each once. It owns Python's rule for the default size; it sends nothing. */
import { EncodingError, encodeValue, encodeValues, type Payload, type SharedContent, weigh } from '@poolmq/shared'

/** Python's default for map and starmap: about four chunks for each worker process. */
export function defaultChunkSize(items: number, workers: number): number {
  return Math.ceil(items / (4 * workers))
}

/** Chunks of more items than these leave little of a round empty. */
const coarse = 64
/** Fewer lanes are as Python's workers. */
const many = 64

/**
 * The same where several tasks run in one worker process, which Python does not know: chunks are small there, and a last round in
 * which few of many lanes have one costs as much as a full one. Somewhat smaller chunks may fill it.
 */
export function evenChunkSize(items: number, lanes: number): number {
  const size = defaultChunkSize(items, lanes)
  if (size > coarse || lanes < many) return size
  /** Items that a lane runs one after the other until all are done. */
  const span = (chunk: number) => Math.ceil(Math.ceil(items / chunk) / lanes) * chunk
  let best = size
  for (let chunk = size - 1; chunk >= size / 2; chunk--) if (span(chunk) < span(best)) best = chunk
  return best
}

/** Items that are looked at, and bytes that a chunk of several should have at most, about. */
const samples = 16
const fittingBytes = 8 * 1024 * 1024

/**
 * The usual size, and less where the items are large, so that a chunk fits in memory: what they share counts once.
 *
 * @param room - bytes that may be in Redis at a time, where that is known: each worker is to have some chunks of them
 */
export function fittingChunkSize(
  items: readonly unknown[],
  workers: number,
  room = Number.POSITIVE_INFINITY,
  usual: (items: number, workers: number) => number = defaultChunkSize,
): number {
  const size = usual(items.length, workers)
  if (size <= 1) return size
  const seen = new Set<unknown>()
  const fitting = Math.min(fittingBytes, room / (4 * workers))
  const step = Math.max(1, Math.floor(items.length / samples))
  weigh(items[0], fittingBytes, seen)
  let weight = 0
  let looked = 0
  for (let i = step; i < items.length && looked < samples; i += step) {
    weight += weigh(items[i], fittingBytes, seen)
    looked += 1
  }
  return Math.max(1, Math.min(size, Math.floor((fitting * looked) / Math.max(weight, 1))))
}

/** A chunk, encoded: what goes to a worker, and what fails before it could go. */
export interface EncodedChunk {
  /** Items of the chunk, those that cannot be encoded included. */
  readonly length: number
  /** The index of the first of them in the call's input. */
  readonly first: number
  /** The items that can be encoded; undefined when there is none. */
  readonly payload: Payload | undefined
  /** Offset in the chunk to error. */
  readonly failures: ReadonlyMap<number, EncodingError>
}

const none: ReadonlyMap<number, EncodingError> = new Map()

/** The shared values that a payload holds; undefined: none. */
export const sharedIn = (payload: Payload): readonly SharedContent[] | undefined =>
  payload.encoding === 'numbers' ? undefined : payload.shared

/** A chunk of which something is to be sent. */
export type SendableChunk = EncodedChunk & { readonly payload: Payload }

/** Whether anything of a chunk is to be sent: where its first failure ends it, nothing is when an item cannot be encoded. */
export function isSendable(chunk: EncodedChunk, mode: 'first' | 'each'): chunk is SendableChunk {
  return chunk.payload !== undefined && (chunk.failures.size === 0 || mode === 'each')
}

/**
 * @param items - the items of one chunk
 * @param first - the place of the first of them in the whole input, for messages
 */
export function encodeChunk(items: readonly unknown[], place: string, first: number): EncodedChunk {
  const together = encodeTogether(items, place, first)
  if (!(together instanceof Error)) return { length: items.length, first, payload: together, failures: none }
  if (together.index !== undefined) return encodeEach(items, place, first)
  // Only their sum is too much: there is none to be found.
  return { length: items.length, first, payload: undefined, failures: new Map(items.map((_, i) => [i, together])) }
}

/** The one chunk of `apply`: an argument list. */
export function encodeCall(args: readonly unknown[]): EncodedChunk {
  const chunk = encodeChunk([args], 'calls', 0)
  if (chunk.failures.size === 0) return chunk
  try {
    encodeValue(args, 'args')
    return chunk
  } catch (error) {
    // The same error, with the place as the caller of `apply` knows it.
    return error instanceof EncodingError ? { ...chunk, failures: new Map([[0, error]]) } : chunk
  }
}

/** Sends what can be sent: an item that cannot be encoded must not take its neighbours with it. */
function encodeEach(items: readonly unknown[], place: string, first: number): EncodedChunk {
  const good: unknown[] = []
  const failures = new Map<number, EncodingError>()
  for (const [i, item] of items.entries()) {
    try {
      encodeValues([item], place, first + i)
      good.push(item)
    } catch (error) {
      if (!(error instanceof EncodingError)) throw error
      failures.set(i, error)
    }
  }
  if (good.length === 0) return { length: items.length, first, payload: undefined, failures }
  const rest = encodeTogether(good, place, first)
  if (!(rest instanceof EncodingError)) return { length: items.length, first, payload: rest, failures }
  // Each could be encoded, and all of them together cannot, or cannot travel.
  for (let i = 0; i < items.length; i++) if (!failures.has(i)) failures.set(i, rest)
  return { length: items.length, first, payload: undefined, failures }
}

function encodeTogether(items: readonly unknown[], place: string, first: number): Payload | EncodingError {
  try {
    return encodeValues(items, place, first)
  } catch (error) {
    if (error instanceof EncodingError) return error
    throw error
  }
}
