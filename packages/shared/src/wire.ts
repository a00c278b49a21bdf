/**
 * The records that travel through Redis, as text: a chunk (client → worker, the `data` of a BullMQ job), its outcome
 * (worker → client, an entry of the client's result stream), a pool's spec and a supervisor's presence.
 *
 * A chunk and an outcome are a small JSON header and a payload. The payload is encoded once, by the codec, and never
 * wrapped in another encoding. Whatever is read is checked here; what does not fit is a ProtocolError.
 */
import type { Payload } from './codec.js'
import type { WireError } from './error-transport.js'
import { ProtocolError } from './errors.js'

/**
 * Characters of a payload at most. Redis takes 512 MiB in one argument, and closes the connection on more; a character
 * takes up to 3 bytes.
 */
export const longestPayload = 160 * 1024 * 1024

/** Characters of a header at most: what is longer is none. */
const longestHeader = 50_000

/** How the encodings of payloads are called in headers. */
const letters = { json: 'j', numbers: 'n', rich: 'r' } as const satisfies Record<Payload['encoding'], string>
const encodings = Object.keys(letters) as readonly Payload['encoding'][]

/** Raised when a record changes in a way that an older reader would misread. */
export const protocolVersion = 1

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

/** What a Pool asks of the worker processes that run its chunks. */
export interface PoolSpec {
  /** Run once in a worker process before its first chunk of this pool. */
  readonly initializer?: { readonly task: string; readonly args: Payload }
  /** Chunks after which a worker process is replaced. */
  readonly maxTasksPerChild?: number
  /** Bytes of resident memory above which a worker process is replaced. */
  readonly maxMemoryPerChild?: number
  /** Milliseconds after which a worker process is replaced. */
  readonly maxAgePerChild?: number
}

/** A supervisor, as it shows itself in Redis. */
export interface Presence {
  readonly host: string
  readonly pid: number
  /** Worker processes (or threads) that take chunks. */
  readonly processes: number
  readonly tasks: readonly string[]
  /** Milliseconds since 1970 at which the record is void unless renewed. */
  readonly expires: number
}

export function formatChunk(call: CallHeader, payload: Payload): string {
  const header = {
    v: protocolVersion,
    m: call.mode === 'first' ? 'f' : 'e',
    x: call.spread ? 1 : undefined,
    s: call.spec ? 1 : undefined,
    t: call.timeout === 0 ? undefined : call.timeout,
    r: call.retry,
    e: letters[payload.encoding],
  }
  return `${JSON.stringify(header)}\n${payload.text}`
}

export function parseChunk(data: string): Chunk {
  const end = data.indexOf('\n')
  if (end < 0 || end > longestHeader) throw new ProtocolError(`a chunk without a header: ${excerpt(data)}`)
  const header = parseRecord(data.slice(0, end), 'chunk header')
  checkVersion(header, 'chunk')
  const timeout = header.t ?? 0
  const retry = header.r
  const fits = (header.m === 'f' || header.m === 'e') && isSize(timeout)
  if (!fits || (retry !== undefined && !isRetry(retry))) {
    throw new ProtocolError(`a chunk header that is not ours: ${excerpt(data)}`)
  }
  return {
    mode: header.m === 'f' ? 'first' : 'each',
    spread: header.x === 1,
    spec: header.s === 1,
    timeout,
    ...(retry !== undefined && { retry }),
    payload: { encoding: encodingOf(header), text: data.slice(end + 1) },
  }
}

/** The fields of an outcome's stream entry. */
export function formatOutcome(jobId: string, outcome: Outcome): [string, string, string, string, string, string] {
  const header = {
    v: protocolVersion,
    e: letters[outcome.payload.encoding],
    f: outcome.failures.length === 0 ? undefined : outcome.failures,
    d: Math.round(outcome.duration * 1000) / 1000,
  }
  return ['j', jobId, 'h', JSON.stringify(header), 'p', outcome.payload.text]
}

export interface OutcomeEntry {
  readonly jobId: string
  /** The outcome, or what is wrong with it. */
  readonly outcome: Outcome | ProtocolError
}

/** Reads a stream entry; undefined when it is no outcome (the entry that creates the stream). */
export function parseOutcome(fields: readonly string[]): OutcomeEntry | undefined {
  let jobId: string | undefined
  let head: string | undefined
  let text: string | undefined
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i] === 'j') jobId = fields[i + 1]
    else if (fields[i] === 'h') head = fields[i + 1]
    else if (fields[i] === 'p') text = fields[i + 1]
  }
  if (jobId === undefined) return undefined
  try {
    if (head === undefined || text === undefined) throw new ProtocolError('an outcome without a header or a payload')
    const header = parseRecord(head, 'outcome header')
    checkVersion(header, 'outcome')
    const failures = header.f ?? []
    if (!Array.isArray(failures) || !failures.every(isFailure)) {
      throw new ProtocolError(`an outcome whose failures are not ours: ${excerpt(head)}`)
    }
    const duration = isSize(header.d) ? header.d : 0
    return { jobId, outcome: { payload: { encoding: encodingOf(header), text }, failures, duration } }
  } catch (error) {
    if (error instanceof ProtocolError) return { jobId, outcome: error }
    throw error
  }
}

export function formatSpec(spec: PoolSpec): string {
  return JSON.stringify({ v: protocolVersion, ...spec })
}

export function parseSpec(text: string): PoolSpec {
  const record = parseRecord(text, 'pool spec')
  checkVersion(record, 'pool spec')
  const { initializer, maxTasksPerChild, maxMemoryPerChild, maxAgePerChild } = record as Partial<PoolSpec>
  const isInitializer =
    initializer === undefined ||
    (typeof initializer?.task === 'string' &&
      typeof initializer.args?.text === 'string' &&
      encodings.includes(initializer.args.encoding))
  const areLimits = [maxTasksPerChild, maxMemoryPerChild, maxAgePerChild].every(
    (limit) => limit === undefined || (isCount(limit) && limit >= 1),
  )
  if (!isInitializer || !areLimits) throw new ProtocolError(`a pool spec that is not ours: ${excerpt(text)}`)
  return {
    ...(initializer && { initializer }),
    ...(maxTasksPerChild !== undefined && { maxTasksPerChild }),
    ...(maxMemoryPerChild !== undefined && { maxMemoryPerChild }),
    ...(maxAgePerChild !== undefined && { maxAgePerChild }),
  }
}

export function formatPresence(presence: Presence): string {
  return JSON.stringify({ v: protocolVersion, ...presence })
}

/** A presence record, or undefined when it is not readable or void: other hosts must not be able to break a client. */
export function parsePresence(text: string, now: number): Presence | undefined {
  try {
    const record = parseRecord(text, 'presence') as unknown as Presence
    const fits =
      typeof record.host === 'string' &&
      isCount(record.pid) &&
      isCount(record.processes) &&
      isSize(record.expires) &&
      Array.isArray(record.tasks) &&
      record.tasks.every((task) => typeof task === 'string')
    return fits && record.expires > now ? record : undefined
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}

function parseRecord(text: string, what: string): Record<string, unknown> {
  let record: unknown
  try {
    record = JSON.parse(text)
  } catch (cause) {
    throw new ProtocolError(`a ${what} that is not JSON: ${excerpt(text)}`, { cause })
  }
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    throw new ProtocolError(`a ${what} that is not an object: ${excerpt(text)}`)
  }
  return record as Record<string, unknown>
}

function checkVersion(record: Record<string, unknown>, what: string): void {
  const version = record.v
  if (version === protocolVersion) return
  throw new ProtocolError(
    typeof version === 'number' && version > protocolVersion
      ? `a ${what} of protocol version ${version}, and this process knows ${protocolVersion}: update its PoolMQ packages`
      : `a ${what} without a known protocol version: ${excerpt(JSON.stringify(record))}`,
  )
}

function encodingOf(header: Record<string, unknown>): Payload['encoding'] {
  const encoding = encodings.find((name) => letters[name] === header.e)
  if (encoding !== undefined) return encoding
  throw new ProtocolError(`a payload of an unknown encoding: ${excerpt(JSON.stringify(header))}`)
}

/** A whole number of something. */
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
/** A finite measure of something. */
const isSize = (value: unknown): value is number => Number.isFinite(value) && (value as number) >= 0

function isRetry(value: unknown): value is Retry {
  const retry = value as Partial<Retry> | null
  const on = retry?.on ?? []
  return (
    isCount(retry?.count) && isSize(retry?.delay) && Array.isArray(on) && on.every((name) => typeof name === 'string')
  )
}

function isFailure(entry: unknown): boolean {
  return Array.isArray(entry) && Number.isInteger(entry[0]) && entry[0] >= -1 && typeof entry[1] === 'object'
}

const excerpt = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
