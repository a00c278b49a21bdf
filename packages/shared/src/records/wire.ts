/**
 * A chunk (client → worker, the `data` of a BullMQ job) and its outcome (worker → client, an entry of the client's result
 * stream), as they travel through Redis.
 *
 * Both are a small JSON header and a payload. The payload is encoded once, by the codec, and never wrapped in another
 * encoding. Whatever is read is checked here; what does not fit is a ProtocolError.
 */

import type { WireError } from '../errors/error-transport.js'
import { type PoolError, ProtocolError } from '../errors/errors.js'
import type { Carrier } from '../observe/tracing.js'
import {
  inBlobs,
  markOf,
  type NumbersPayload,
  type Payload,
  payloadLength,
  payloadOfMark,
  type SentPayload,
} from '../payload/codec.js'
import { type BlobsPayload, joinBlobs, splitBlobs } from '../payload/payload-blobs.js'
import { weigh } from '../payload/payload-weight.js'
import { areSharedPairs, type SharedRef } from '../payload/shared-content.js'
import { checkVersion, excerpt, isCount, isSize, parseRecord, protocolVersion } from './record.js'

/** Characters of a payload, or bytes, above which it travels beside its record. */
export const largestInline = 256 * 1024
/** Characters of an outcome's failures above which they travel with its payload. */
const largestFailures = 64 * 1024

/** Bytes of a chunk's header at most: what is longer is none. */
const longestHeader = 500_000

/** Gaps that are told of a chunk: what a header has room for. */
const mostGaps = 5000
const lineBreak = 10
/** Fewer bytes travel as base64: commands and replies that are text cost less than a few hundred bytes of it. */
const fewestBytes = 2048

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

/** What became of a chunk. */
export interface Outcome {
  /** Milliseconds that the items ran. */
  readonly duration: number
  /** The values in input order; where an item failed, or was not run, any placeholder. */
  readonly payload: SentPayload
  /**
   * `[offset in the chunk, error]` of each item that failed; offset -1 stands for all items of the chunk. In mode
   * `first` the first of them stands for the chunk.
   */
  readonly failures: readonly (readonly [offset: number, error: WireError])[]
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

/** An outcome as an entry of its client's stream. */
export type OutcomeFields = readonly ['j', jobId: string, 'h', head: string, 'p', payload: string | Buffer]

/** The fields of an outcome's stream entry; of one that travels beside it, what is left. */
export function formatOutcome(jobId: string, outcome: Outcome): OutcomeFields {
  const { payload, failures } = outcome
  const duration = Math.round(outcome.duration * 1000) / 1000
  const rest = {
    ...(failures.length > 0 && { f: failures }),
    ...(payload.encoding === 'apart' && { k: payload.name }),
  }
  // Nearly always that is all.
  const head = `{"v":${protocolVersion},"e":"${encodingMark(payload)}","d":${duration}`
  const isPlain = failures.length === 0 && payload.encoding !== 'apart'
  return ['j', jobId, 'h', isPlain ? `${head}}` : `${head},${JSON.stringify(rest).slice(1)}`, 'p', bodyOf(payload)]
}

/** What is too large for an outcome's entry, to travel beside it: its values and failures. Undefined when all fits in. */
export function outcomeApart({ payload, failures }: Outcome): BlobsPayload | undefined {
  if (payload.encoding === 'apart') return undefined
  const hasLargeFailures = failures.length > 0 && weigh(failures, largestFailures) > largestFailures
  if (!isLarge(payload) && !hasLargeFailures) return undefined
  const { segments, blobs } = inBlobs(payload)
  const failed = { mark: failuresMark, blobs: 1 }
  return {
    encoding: 'blobs',
    segments: [...segments, failed],
    blobs: [...blobs, Buffer.from(JSON.stringify(failures))],
  }
}

/** In bytes: the client reads many outcomes at once. */
function isLarge(payload: Payload): boolean {
  const length = payloadLength(payload)
  if ('text' in payload && length * 3 > largestInline) return Buffer.byteLength(payload.text) > largestInline
  return length > largestInline
}

/** The outcome with what has travelled beside it. @throws ProtocolError when that is not what {@link outcomeApart} makes. */
export function wholeOutcome(outcome: Outcome, { segments, blobs }: BlobsPayload): Outcome {
  const last = segments.at(-1)
  const text = blobs.at(-1)
  if (last?.mark !== failuresMark || last.blobs !== 1 || text === undefined) {
    throw new ProtocolError('an outcome whose failures are missing')
  }
  const failures: unknown = parseRecords(Buffer.from(text.buffer, text.byteOffset, text.byteLength))
  if (!Array.isArray(failures) || !failures.every(isFailure)) {
    throw new ProtocolError('an outcome whose failures are not ours')
  }
  const payload = { encoding: 'blobs', segments: segments.slice(0, -1), blobs: blobs.slice(0, -1) } as const
  return { ...outcome, payload, failures }
}

const failuresMark = 'f'

function parseRecords(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString())
  } catch (cause) {
    throw new ProtocolError('an outcome whose failures are no JSON', { cause })
  }
}

export interface OutcomeEntry {
  readonly jobId: string
  /** The outcome, or what is wrong with it. */
  readonly outcome: Outcome | PoolError
}

/**
 * Reads a stream entry: the outcomes in it. None when it is something else: an order, a mark, what creates the stream.
 *
 * Several outcomes stand in one as their ids with a space between them, their heads and their payloads with a line break, as
 * these are text in which there is none.
 */
export function parseOutcomes(fields: readonly Buffer[]): OutcomeEntry[] {
  let [ids, head, payload]: (Buffer | undefined)[] = []
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [name, value] = [fields[i] as Buffer, fields[i + 1] as Buffer]
    if (name.length !== 1) continue
    if (name[0] === idField) ids = value
    else if (name[0] === headField) head = value
    else if (name[0] === payloadField) payload = value
  }
  if (ids === undefined) return []
  const jobIds = ids.toString().split(' ')
  if (jobIds.length === 1) return [{ jobId: jobIds[0] as string, outcome: outcomeOf(head?.toString(), payload) }]
  const heads = head?.toString().split('\n') ?? []
  const payloads = payload === undefined ? [] : linesOf(payload)
  const isWhole = heads.length === jobIds.length && payloads.length === jobIds.length
  return jobIds.map((jobId, i) => ({ jobId, outcome: isWhole ? outcomeOf(heads[i], payloads[i]) : outcomeOf() }))
}

const [idField, headField, payloadField] = Buffer.from('jhp')

function linesOf(text: Buffer): Buffer[] {
  const lines: Buffer[] = []
  let from = 0
  for (let to = text.indexOf(lineBreak); to >= 0; to = text.indexOf(lineBreak, from)) {
    lines.push(text.subarray(from, to))
    from = to + 1
  }
  lines.push(text.subarray(from))
  return lines
}

function outcomeOf(head?: string, payload?: Buffer): Outcome | ProtocolError {
  try {
    if (head === undefined || payload === undefined) throw new ProtocolError('an outcome without a header or a payload')
    const header = parseRecord(head, 'an outcome header')
    checkVersion(header, 'an outcome')
    const failures = header.f ?? []
    if (!Array.isArray(failures) || !failures.every(isFailure)) {
      throw new ProtocolError(`an outcome whose failures are not ours: ${excerpt(head)}`)
    }
    const duration = isSize(header.d) ? header.d : 0
    return { payload: payloadOf(header, payload), failures, duration }
  } catch (error) {
    if (error instanceof ProtocolError) return error
    throw error
  }
}

/**
 * How a payload's encoding is called in a header: `j`, `r`, `n` and the bytes of a number, `b` and the same when in base64,
 * `x` for blobs, `a` for what travels beside the record.
 */
function encodingMark(payload: SentPayload): string {
  if (payload.encoding === 'blobs') return 'x'
  if (payload.encoding === 'apart') return 'a'
  return payload.encoding === 'numbers' && isInBase64(payload) ? `b${payload.width}` : markOf(payload)
}

const isInBase64 = ({ bytes }: NumbersPayload): boolean => bytes.length < fewestBytes

function bodyOf(payload: SentPayload): string | Buffer {
  if (payload.encoding === 'blobs') return joinBlobs(payload)
  if (payload.encoding === 'apart') return ''
  if (payload.encoding !== 'numbers') return payload.text
  return isInBase64(payload) ? payload.bytes.toString('base64') : payload.bytes
}

function payloadOf(header: Record<string, unknown>, body: Buffer): SentPayload {
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

function isFailure(entry: unknown): boolean {
  return Array.isArray(entry) && (entry[0] === -1 || isCount(entry[0])) && typeof entry[1] === 'object'
}
