/**
 * The names of all keys that PoolMQ has in Redis. All keys of a pool share one hash tag, `{name}`, so that its scripts
 * and transactions run on Redis Cluster as they are.
 *
 * | key | type | owner, life |
 * | --- | --- | --- |
 * | `poolmq:{name}:chunks:*` | BullMQ's | the queue: one job is one chunk; removed when it is completed |
 * | `poolmq:{name}:results:CLIENT` | stream | a client's outcomes, and its lease: lives while the client renews it |
 * | `poolmq:{name}:clients` | sorted set | clients by the end of their lease |
 * | `poolmq:{name}:hosts` | hash | presence records of supervisors; each carries the end of its lease |
 * | `poolmq:{name}:spec:ID` | string | initializer, its arguments, maxTasksPerChild; renewed with the client's lease |
 * | `poolmq:{name}:chunks:CHUNK:parts` | hash | the payload of a large chunk, in pieces; removed with it |
 * | `poolmq:{name}:outcome:CHUNK:NAME` | hash | what is large in an outcome, in pieces; removed when it is read |
 * | `poolmq:{name}:outcomes:CLIENT` | set | the names of those of a client, to be renewed and removed with its lease |
 * | `poolmq:{name}:calls:CLIENT` | string | a client's open calls, written when an onlooker asks; lives for seconds |
 * | `poolmq:{name}:orders` | hash | what an operator asks of hosts, by supervisor, and that somebody watches them; lives for a minute |
 * | `poolmq:{name}:report:HOST` | string | what a host tells while it is watched; lives for seconds |
 * | `poolmq:{name}:stops` | sorted set | calls, and clients, whose running chunks are to be stopped, by the end of that order |
 * | `poolmq:{name}:shared:HASH` | hash | a shared value, in pieces; renewed by each client that shares it |
 * | `poolmq:{name}:shared:HASH:durables` | set | the durable calls that hold it; lives as long as the one that lives longest |
 * | `poolmq:{name}:durables` | set | durable calls that have not ended, by their client id |
 * | `poolmq:{name}:durable:ID` | hash | a durable call: what was frozen, its state; lives until its `keep` is over, as the next two do |
 * | `poolmq:{name}:durable:ID:prints` | hash | what stands for its items, by block |
 * | `poolmq:{name}:durable:ID:done` | string | a bit for each of its chunks: whether it has ended |
 */
export class PoolKeys {
  /** BullMQ's queue name. */
  static readonly queue = 'chunks'

  readonly prefix: string
  readonly clients: string
  readonly hosts: string
  readonly stops: string
  readonly orders: string
  readonly durables: string

  constructor(readonly pool: string) {
    this.prefix = `poolmq:{${pool}}`
    this.clients = `${this.prefix}:clients`
    this.hosts = `${this.prefix}:hosts`
    this.stops = `${this.prefix}:stops`
    this.orders = `${this.prefix}:orders`
    this.durables = `${this.prefix}:durables`
  }

  results(clientId: string): string {
    return `${this.prefix}:results:${clientId}`
  }

  report(hostId: string): string {
    return `${this.prefix}:report:${hostId}`
  }

  calls(clientId: string): string {
    return `${this.prefix}:calls:${clientId}`
  }

  spec(specId: string): string {
    return `${this.prefix}:spec:${specId}`
  }

  /** The record of a durable call, and with a suffix what belongs to it. */
  durable(id: string, suffix?: 'prints' | 'done'): string {
    return `${this.prefix}:durable:${id}${suffix === undefined ? '' : `:${suffix}`}`
  }

  /** The pieces of a chunk's payload. */
  payload(jobId: string): string {
    return this.chunk(`${jobId}${partsSuffix}`)
  }

  /** The pieces of a shared value. */
  shared(hash: string): string {
    return `${this.prefix}:shared:${hash}`
  }

  /** The durable calls that hold a shared value, which lives as long as this does. */
  sharers(hash: string): string {
    return `${this.shared(hash)}${sharersSuffix}`
  }

  /** The pieces of an outcome, by `CHUNK:NAME`. */
  outcome(entry: string): string {
    return `${this.prefix}:outcome:${entry}`
  }

  /** The names of a client's outcomes that are kept in pieces. */
  outcomes(clientId: string): string {
    return `${this.prefix}:outcomes:${clientId}`
  }

  /** A key of the queue: `wait`, `active`, `meta`, …, or a chunk's own hash by its job id. */
  chunk(suffix: string): string {
    return `${this.prefix}:${PoolKeys.queue}:${suffix}`
  }
}

/** What the key of a chunk's pieces ends in, behind that of the chunk. */
export const partsSuffix = ':parts'

/** What the key of those who hold a shared value ends in, behind that of the value. */
export const sharersSuffix = ':durables'

/** The keys of one queue other than its jobs: BullMQ's, and the last seven ours. */
export const queueKeySuffixes = [
  'active',
  'wait',
  'waiting-children',
  'paused',
  'id',
  'delayed',
  'prioritized',
  'stalled-check',
  'completed',
  'failed',
  'stalled',
  'repeat',
  'limiter',
  'meta',
  'events',
  'pc',
  'marker',
  'de',
  'lapse-check',
  'suspects',
  'elders',
  'placed',
  'shares',
  'costs',
  'idle',
] as const

/** Milliseconds that the keys of a queue and what all clients of a pool share live after somebody has looked after them. */
export const keyLife = 55_000
