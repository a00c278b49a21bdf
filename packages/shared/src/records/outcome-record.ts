/**
 * What became of a chunk, as it travels (worker → client, an entry of the client's result stream): a small JSON header and a payload,
 * which is encoded once. What is too large for that travels beside it. Whatever is read is checked here; what does not fit is a ProtocolError.
 */
import type { WireError } from '../errors/error-transport.js'
import { type PoolError, ProtocolError } from '../errors/errors.js'
import { inBlobs, type Payload, payloadLength, type SentPayload } from '../payload/codec.js'
import type { BlobsPayload } from '../payload/payload-blobs.js'
import { weigh } from '../payload/payload-weight.js'
import { bodyOf, encodingMark, largestInline, lineBreak, payloadOf } from './payload-body.js'
import { checkVersion, excerpt, isCount, isSize, parseRecord, protocolVersion } from './record.js'

/** Characters of an outcome's failures above which they travel with its payload. */
const largestFailures = 64 * 1024

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

function isFailure(entry: unknown): boolean {
  return Array.isArray(entry) && (entry[0] === -1 || isCount(entry[0])) && typeof entry[1] === 'object'
}
