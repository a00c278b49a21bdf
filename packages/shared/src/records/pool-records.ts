/** What a pool and its hosts tell of themselves through Redis, as text: a pool's spec and a supervisor's presence. */

import { ProtocolError } from '../errors/errors.js'
import type { EncodedText } from '../payload/codec.js'
import { areSharedRefs, type SharedRef } from '../payload/shared-content.js'
import { checkVersion, excerpt, isCount, isSize, parseRecord, protocolVersion } from './record.js'

/** What a Pool asks of the worker processes that run its chunks. */
export interface PoolSpec {
  /** Run once in a worker process before its first chunk of this pool. */
  readonly initializer?: {
    readonly task: string
    readonly args: EncodedText
    readonly version?: string
    /** The shared values that the arguments hold; absent: none. */
    readonly shared?: readonly SharedRef[]
  }
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
  /** Chunks that they may run at a time, all together; a record without it has one lane in each. */
  readonly lanes: number
  readonly tasks: readonly string[]
  /** The versions that it has of tasks that have one. */
  readonly taskVersions?: Readonly<Record<string, readonly string[]>>
  /** What it says that it was built from. */
  readonly build?: string
  /** A Pool's own: it ends with its Pool. */
  readonly local?: boolean
  /** The version of PoolMQ that it runs. */
  readonly version?: string
  /** The host's clock when it showed itself, and Redis's: milliseconds since 1970. For those who look for a wrong clock. */
  readonly clock?: number
  readonly at?: number
  /** The initializers that have run in its worker processes, by what stands for them. */
  readonly specs?: readonly string[]
  /** Milliseconds since 1970, by Redis's clock, at which the record is void unless renewed. */
  readonly expires: number
}

/** The versions that a host has of a task; none where it has none of it, or the task without one. */
export function versionsOf({ taskVersions = {} }: Pick<Presence, 'taskVersions'>, taskId: string): readonly string[] {
  return (Object.hasOwn(taskVersions, taskId) ? taskVersions[taskId] : undefined) ?? []
}

export function formatSpec(spec: PoolSpec): string {
  return JSON.stringify({ v: protocolVersion, ...spec })
}

export function parseSpec(text: string): PoolSpec {
  const record = parseRecord(text, 'a pool spec')
  checkVersion(record, 'a pool spec')
  const { initializer, maxTasksPerChild, maxMemoryPerChild, maxAgePerChild } = record as Partial<PoolSpec>
  const isInitializer =
    initializer === undefined ||
    (typeof initializer?.task === 'string' &&
      (initializer.version === undefined || typeof initializer.version === 'string') &&
      (initializer.shared === undefined || areSharedRefs(initializer.shared)) &&
      typeof initializer.args?.text === 'string' &&
      (initializer.args.encoding === 'json' || initializer.args.encoding === 'rich'))
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

/** A presence record but for its end: Redis, which has the clock, puts that in as the last field. */
export function formatPresence(presence: Omit<Presence, 'expires'>): string {
  return JSON.stringify({ v: protocolVersion, ...presence })
}

/**
 * A presence record, or undefined when it is not readable or void at this time of Redis's: other hosts must not be able to
 * break a client.
 */
export function parsePresence(text: string, now: number): Presence | undefined {
  try {
    const record = parseRecord(text, 'a presence') as unknown as Omit<Presence, 'lanes'> & { readonly lanes?: unknown }
    const lanes = record.lanes ?? record.processes
    const fits =
      typeof record.host === 'string' &&
      isCount(record.pid) &&
      isCount(record.processes) &&
      isCount(lanes) &&
      isSize(record.expires) &&
      areTexts(record.tasks) &&
      (record.specs === undefined || areTexts(record.specs)) &&
      (record.build === undefined || typeof record.build === 'string') &&
      (record.taskVersions === undefined || areVersions(record.taskVersions))
    return fits && record.expires > now ? { ...record, lanes } : undefined
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}

const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every((text) => typeof text === 'string')

const areVersions = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(areTexts)
