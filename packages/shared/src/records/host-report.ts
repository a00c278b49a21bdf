/**
 * What a host tells of its worker processes to those who look on: written each second while somebody looks, and not at all
 * else. It holds names, counts, sizes and times; never a value that a task was given or gave.
 */
import { ProtocolError } from '../errors/errors.js'
import { checkVersion, isCount, isSize, parseRecord, protocolVersion } from './record.js'

/** A chunk that a worker process has run. */
export interface RecentChunk {
  /** Milliseconds ago that it began, when the report was made. */
  readonly began: number
  /** Milliseconds that it ran. */
  readonly duration: number
  readonly task: string
  /** Items of it that failed. */
  readonly failed: number
}

/** A worker process (or thread). */
export interface ProcessReport {
  readonly pid: number
  /** It takes chunks. */
  readonly ready: boolean
  /** Milliseconds since it was started. */
  readonly age: number
  /** Bytes of resident memory; null where it cannot be told. */
  readonly memory: number | null
  /** Chunks that it can have in hand. */
  readonly lanes: number
  /** The chunks that it has in hand: `CLIENT.CALL.INDEX`. */
  readonly running: readonly string[]
  /** Chunks and items that it has run. */
  readonly chunks: number
  readonly items: number
  /** Those of its items that failed. */
  readonly failed: number
  /** The chunks that it has run last, oldest first. */
  readonly spans: readonly RecentChunk[]
}

/** A worker process that was lost. */
export interface LossReport {
  readonly pid: number
  /** Milliseconds ago. */
  readonly age: number
  /** How it ended: `exit code 1`, `SIGKILL`, … */
  readonly reason: string
}

export interface HostReport {
  readonly processes: readonly ProcessReport[]
  /** The last ones, oldest first. */
  readonly losses: readonly LossReport[]
  /** Worker processes lost, and replaced on purpose, since the host began. */
  readonly lost: number
  readonly recycled: number
  /** The host's load of the last minute. */
  readonly load: number
}

export function formatHostReport(report: HostReport): string {
  return JSON.stringify({ v: protocolVersion, ...report })
}

/** A host's report, or undefined when it is not readable: a host must not be able to break who looks on. */
export function parseHostReport(text: string): HostReport | undefined {
  try {
    const record = parseRecord(text, 'a report') as Partial<HostReport> & Record<string, unknown>
    checkVersion(record, 'a report')
    const fits =
      Array.isArray(record.processes) &&
      record.processes.every(isProcess) &&
      Array.isArray(record.losses) &&
      record.losses.every((loss) => isCount(loss?.pid) && isSize(loss.age) && typeof loss.reason === 'string') &&
      isCount(record.lost) &&
      isCount(record.recycled) &&
      isSize(record.load)
    return fits ? (record as unknown as HostReport) : undefined
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}

function isProcess(value: unknown): boolean {
  const one = value as Partial<ProcessReport> | null
  return (
    isCount(one?.pid) &&
    typeof one?.ready === 'boolean' &&
    isSize(one.age) &&
    (one.memory === null || isSize(one.memory)) &&
    isCount(one.lanes) &&
    Array.isArray(one.running) &&
    one.running.every((id) => typeof id === 'string') &&
    isCount(one.chunks) &&
    isCount(one.items) &&
    isCount(one.failed) &&
    Array.isArray(one.spans) &&
    one.spans.every(isRecent)
  )
}

function isRecent(value: unknown): boolean {
  const span = value as Partial<RecentChunk> | null
  return isSize(span?.began) && isSize(span?.duration) && typeof span?.task === 'string' && isCount(span.failed)
}
