/**
 * A chunk as it travels (client → worker, the `data` of a BullMQ job): a small JSON header, a line break, and the payload, which is
 * encoded once, by the codec, and never wrapped in another encoding. Whatever is read is checked here; what does not fit
 * is a ProtocolError.
 */
import { ProtocolError } from '../errors/errors.js'
import type { Carrier } from '../observe/tracing.js'
import type { SentPayload } from '../payload/codec.js'
import { areSharedPairs, type SharedRef } from '../payload/shared-content.js'
import { bodyOf, encodingMark, lineBreak, payloadOf } from './payload-body.js'
import { checkVersion, excerpt, isCount, isSize, parseRecord, protocolVersion } from './record.js'

/** Bytes of a chunk's header at most: what is longer is none. */
const longestHeader = 500_000
/** Gaps that are told of a chunk: what a header has room for. */
const mostGaps = 5000

/** What the chunks of a call have in common. */
export interface CallHeader {
  /** `first`: the first failing item ends the chunk (map, starmap). `each`: every item has an outcome (apply, imap). */
  readonly mode: 'first' | 'each'
  /** Items are argument lists (apply, starmap), not single arguments. */
  readonly spread: boolean
  /** The pool has a spec, which the worker process must have carried out before it runs the chunk. */
  readonly spec: boolean
  /** Milliseconds that one item may run; 0: no limit. */
  readonly timeout: number
  /** How items that fail are tried again; absent: they are not. */
  readonly retry?: Retry
  /**
   * The mark of the module whose definition of the task is meant, where the id alone does not say it: its client's own
   * worker processes know several, or are just loading it.
   */
  readonly module?: string
  /** The version of the task that is meant; absent: any. */
  readonly version?: string
  /** The context of the call's span, where somebody traces. */
  readonly trace?: Carrier
}

export interface Retry {
  /** Tries after the first one. */
  readonly count: number
  /** Milliseconds before the first of them, doubled for each that follows, with jitter. */
  readonly delay: number
  /** Names or codes of the errors that are worth it; absent: all. */
  readonly on?: readonly string[]
}

/** Where the items of a chunk stand in the input of its call. */
export interface ChunkPlace {
  /** The index of the first of them. */
  readonly first: number
  /** Offsets in the chunk, in order, of those that were not sent, as they cannot be encoded. */
  readonly gaps?: readonly number[]
}

/** The index in the call's input of the item that was sent at this offset. */
export function indexInCall({ first, gaps = [] }: ChunkPlace, offset: number): number {
  let at = offset
  for (const gap of gaps) if (gap <= at) at++
  return first + at
}

/** A chunk as the worker sees it. */
export interface Chunk extends CallHeader {
  /** Its client reads several outcomes in one entry of its stream. */
  readonly gathers: boolean
  readonly place: ChunkPlace
  /** The shared values that its items hold; absent: none. */
  readonly shared?: readonly SharedRef[]
  readonly payload: SentPayload
}

/** What the headers of a call's chunks begin with: written once, as a call may have a million of them. */
const heads = new WeakMap<CallHeader, string>()

function headOf(call: CallHeader): string {
  const known = heads.get(call)
  if (known !== undefined) return known
  const text = JSON.stringify({
    v: protocolVersion,
    m: call.mode === 'first' ? 'f' : 'e',
    x: call.spread ? 1 : undefined,
    s: call.spec ? 1 : undefined,
    t: call.timeout === 0 ? undefined : call.timeout,
    r: call.retry,
    o: call.trace,
    u: call.module,
    w: call.version,
    b: 1,
  }).slice(0, -1)
  heads.set(call, text)
  return text
}

/** Text, or bytes where the payload is bytes. */
export function formatChunk(
  call: CallHeader,
  payload: SentPayload,
  { first, gaps }: ChunkPlace = { first: 0 },
  shared?: readonly SharedRef[],
): string | Buffer {
  let header = headOf(call)
  if (first !== 0) header += `,"i":${first}`
  if (gaps !== undefined && gaps.length > 0) header += `,"g":${JSON.stringify(gaps.slice(0, mostGaps))}`
  if (shared !== undefined) header += `,"h":${JSON.stringify(shared.map(({ hash, size }) => [hash, size]))}`
  header += `,"e":"${encodingMark(payload)}"}`
  const body = bodyOf(payload)
  if (typeof body === 'string') return `${header}\n${body}`
  // Numbers and blobs begin at a multiple of 8, so that they can be read where they are.
  const length = Buffer.byteLength(header)
  return Buffer.concat([Buffer.from(`${header}${' '.repeat(7 - (length % 8))}\n`), body])
}

export function parseChunk(data: Buffer): Chunk {
  const end = data.indexOf(lineBreak)
  if (end < 0 || end > longestHeader) throw new ProtocolError(`a chunk without a header: ${excerpt(data)}`)
  const header = parseRecord(data.toString('utf8', 0, end), 'a chunk header')
  checkVersion(header, 'a chunk')
  const timeout = header.t ?? 0
  const retry = header.r
  const module = header.u
  const version = header.w
  const isMark = [module, version].every((name) => name === undefined || typeof name === 'string')
  const { i: first = 0, g: gaps, o: trace, h: shared } = header
  const isPlace = isCount(first) && (gaps === undefined || (Array.isArray(gaps) && gaps.every(isCount)))
  const fits = (header.m === 'f' || header.m === 'e') && isSize(timeout) && isMark && isPlace && isCarrier(trace)
  if (!fits || (retry !== undefined && !isRetry(retry)) || (shared !== undefined && !areSharedPairs(shared))) {
    throw new ProtocolError(`a chunk header that is not ours: ${excerpt(data)}`)
  }
  return {
    mode: header.m === 'f' ? 'first' : 'each',
    spread: header.x === 1,
    spec: header.s === 1,
    gathers: header.b === 1,
    timeout,
    ...(retry !== undefined && { retry }),
    ...(module !== undefined && { module: module as string }),
    ...(version !== undefined && { version: version as string }),
    place: { first, ...(gaps !== undefined && { gaps }) },
    ...(trace !== undefined && { trace }),
    ...(shared !== undefined && { shared: shared.map(([hash, size]) => ({ hash, size })) }),
    payload: payloadOf(header, data.subarray(end + 1)),
  }
}

function isCarrier(value: unknown): value is Carrier | undefined {
  if (value === undefined) return true
  return typeof value === 'object' && value !== null && Object.values(value).every((text) => typeof text === 'string')
}

function isRetry(value: unknown): value is Retry {
  const retry = value as Partial<Retry> | null
  const on = retry?.on ?? []
  return (
    isCount(retry?.count) && isSize(retry?.delay) && Array.isArray(on) && on.every((name) => typeof name === 'string')
  )
}
