/**
 * A chunk (client → worker, the `data` of a BullMQ job) and its outcome (worker → client, an entry of the client's result
 * stream), as they travel through Redis.
 *
 * Both are a small JSON header and a payload. The payload is encoded once, by the codec, and never wrapped in another
 * encoding. Whatever is read is checked here; what does not fit is a ProtocolError.
 */

import type { WireError } from '../errors/error-transport.js'
import { ProtocolError } from '../errors/errors.js'
import type { Payload } from '../payload/codec.js'
import { checkVersion, excerpt, isCount, isSize, parseRecord, protocolVersion } from './record.js'

/**
 * Characters of a payload at most, or bytes of numbers. Redis takes 512 MiB in one argument, and closes the connection on more; a character
 * takes up to 3 bytes.
 */
export const longestPayload = 160 * 1024 * 1024

/** Bytes of a chunk's header at most: what is longer is none. */
const longestHeader = 50_000

const widths = [1, 2, 4, 8] as const
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
}

export interface Retry {
  /** Tries after the first one. */
  readonly count: number
  /** Milliseconds before the first of them, doubled for each that follows, with jitter. */
  readonly delay: number
  /** Names or codes of the errors that are worth it; absent: all. */
  readonly on?: readonly string[]
}

/** A chunk as the worker sees it. */
export interface Chunk extends CallHeader {
  readonly payload: Payload
}

/** What became of a chunk. */
export interface Outcome {
  /** Milliseconds that the items ran. */
  readonly duration: number
  /** The values in input order; where an item failed, or was not run, any placeholder. */
  readonly payload: Payload
  /**
   * `[offset in the chunk, error]` of each item that failed; offset -1 stands for all items of the chunk. In mode
   * `first` the first of them stands for the chunk.
   */
  readonly failures: readonly (readonly [offset: number, error: WireError])[]
}

/** Text, or bytes where the payload is bytes. */
export function formatChunk(call: CallHeader, payload: Payload): string | Buffer {
  const header = JSON.stringify({
    v: protocolVersion,
    m: call.mode === 'first' ? 'f' : 'e',
    x: call.spread ? 1 : undefined,
    s: call.spec ? 1 : undefined,
    t: call.timeout === 0 ? undefined : call.timeout,
    r: call.retry,
    u: call.module,
    e: encodingMark(payload),
  })
  const body = bodyOf(payload)
  if (typeof body === 'string') return `${header}\n${body}`
  // Numbers begin at a multiple of 8, so that they can be read where they are.
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
  const isMark = module === undefined || typeof module === 'string'
  const fits = (header.m === 'f' || header.m === 'e') && isSize(timeout) && isMark
  if (!fits || (retry !== undefined && !isRetry(retry))) {
    throw new ProtocolError(`a chunk header that is not ours: ${excerpt(data)}`)
  }
  return {
    mode: header.m === 'f' ? 'first' : 'each',
    spread: header.x === 1,
    spec: header.s === 1,
    timeout,
    ...(retry !== undefined && { retry }),
    ...(module !== undefined && { module }),
    payload: payloadOf(header, data.subarray(end + 1)),
  }
}

/** The fields of an outcome's stream entry. */
export function formatOutcome(jobId: string, outcome: Outcome): (string | Buffer)[] {
  const { payload } = outcome
  const header = {
    v: protocolVersion,
    e: encodingMark(payload),
    f: outcome.failures.length === 0 ? undefined : outcome.failures,
    d: Math.round(outcome.duration * 1000) / 1000,
  }
  return ['j', jobId, 'h', JSON.stringify(header), 'p', bodyOf(payload)]
}

export interface OutcomeEntry {
  readonly jobId: string
  /** The outcome, or what is wrong with it. */
  readonly outcome: Outcome | ProtocolError
}

/** Reads a stream entry; undefined when it is no outcome (the entry that creates the stream). */
export function parseOutcome(fields: readonly Buffer[]): OutcomeEntry | undefined {
  const values = new Map<string, Buffer>()
  for (let i = 0; i + 1 < fields.length; i += 2) values.set(String(fields[i]), fields[i + 1] as Buffer)
  const jobId = values.get('j')?.toString()
  const head = values.get('h')?.toString()
  const payload = values.get('p')
  if (jobId === undefined) return undefined
  try {
    if (head === undefined || payload === undefined) throw new ProtocolError('an outcome without a header or a payload')
    const header = parseRecord(head, 'an outcome header')
    checkVersion(header, 'an outcome')
    const failures = header.f ?? []
    if (!Array.isArray(failures) || !failures.every(isFailure)) {
      throw new ProtocolError(`an outcome whose failures are not ours: ${excerpt(head)}`)
    }
    const duration = isSize(header.d) ? header.d : 0
    return { jobId, outcome: { payload: payloadOf(header, payload), failures, duration } }
  } catch (error) {
    if (error instanceof ProtocolError) return { jobId, outcome: error }
    throw error
  }
}

/** How a payload's encoding is called in a header: `j`, `r`, or the bytes of a number after `n`, or `b` when in base64. */
function encodingMark(payload: Payload): string {
  if (payload.encoding === 'numbers') return `${payload.bytes.length < fewestBytes ? 'b' : 'n'}${payload.width}`
  return payload.encoding === 'json' ? 'j' : 'r'
}

function bodyOf(payload: Payload): string | Buffer {
  if (payload.encoding !== 'numbers') return payload.text
  return payload.bytes.length < fewestBytes ? payload.bytes.toString('base64') : payload.bytes
}

function payloadOf(header: Record<string, unknown>, body: Buffer): Payload {
  if (header.e === 'j') return { encoding: 'json', text: body.toString() }
  if (header.e === 'r') return { encoding: 'rich', text: body.toString() }
  for (const width of widths) {
    if (header.e === `n${width}`) return { encoding: 'numbers', width, bytes: body }
    if (header.e === `b${width}`) return { encoding: 'numbers', width, bytes: fromBase64(body.toString('latin1')) }
  }
  throw new ProtocolError(`a payload of an unknown encoding: ${excerpt(JSON.stringify(header))}`)
}

/** Node.js skips what is not base64. */
function fromBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (text.length % 4 === 0 && bytes.length === Buffer.byteLength(text, 'base64')) return bytes
  throw new ProtocolError(`numbers that are not in base64: ${excerpt(text)}`)
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
