/**
 * The queue of a pool as a worker process sees it: BullMQ's Redis backend, with one job for one chunk.
 *
 * What it adds to BullMQ's: outcomes are delivered, their chunks completed and others taken in one script, so
 * that a chunk is never completed without its outcome; and what only BullMQ's own script can take is taken by Redis's clock
 * (take-script) and read field by field and as bytes (BullMQ would throw on a malformed hash after having taken it). It
 * never runs tasks; what else happens to a chunk is chunk-store's.
 */
import { PoolKeys as Keys, type OutcomeFields, type PoolKeys, type RedisLink } from '@poolmq/shared'
import type * as bullmq from 'bullmq'
import { QueueKeys, RedisConnection, RedisQueueBackend } from './bullmq-backend.js'
import { ChunkWait } from './chunk-wait.js'
import { defineExchange, type ExchangeChunks, type OutcomeGroup, type Reply, rests } from './exchange-script.js'
import { deskOf } from './handover-scripts.js'
import { type Holder, swap, takeOver } from './swap-scripts.js'
import { defineTake, type TakeChunk } from './take-script.js'

/** A chunk that this process holds the lock of. */
export interface TakenChunk {
  readonly jobId: string
  readonly taskId: string
  /** What was sent; undefined when the chunk's hash has none: it has expired, or is not ours. */
  readonly data: Buffer | undefined
  /** The rest of the chunk's hash, as it was when it was taken; nothing when that was for the first time. */
  readonly fields: ReadonlyMap<string, string>
  /** Milliseconds that it had waited when it was taken for the first time. */
  readonly waited?: number | undefined
}

export interface ChunkQueueOptions {
  /** Milliseconds that a lock lasts unless it is renewed. @defaultValue 10000 */
  readonly lockDuration?: number
  /** A connection of its own for `waitForChunk`. */
  readonly blocking?: boolean
  /** Chunks that this worker process may have in hand at a time. @defaultValue 1 */
  readonly lanes?: number
  /** Worker processes that what waits is to be shared with, this one included. @defaultValue 1 */
  readonly sharers?: number
}

/** A chunk that has ended: its outcome, and whether that may stand in one entry with others of its client. */
export type EndedChunk = readonly [jobId: string, outcome: OutcomeFields, gathers?: boolean]

export interface Exchange {
  /**
   * Of each entry, in which outcomes of one client may stand together, false when that client's stream is gone: nobody waits for its chunks any more.
   */
  readonly delivered: readonly boolean[]
  readonly taken: readonly TakenChunk[]
  /**
   * What may be had beside it: nothing; more that waits; what only BullMQ's own script can take (see `take`); nothing, and a chunk may be
   * handed to this process as it waits for one.
   */
  readonly rest: (typeof rests)[number]
}

const lineBreak = 10
/** Characters of values that stand in one entry. */
const mostInEntry = 64 * 1024
/** Seconds: the shortest that Redis blocks for, since 0 is for ever. */
const shortestWait = 0.002

export class ChunkQueue extends RedisQueueBackend {
  readonly #link: RedisLink
  readonly #pool: PoolKeys
  readonly #lockDuration: number
  readonly #take: TakeChunk
  readonly #exchange: ExchangeChunks
  readonly #wait: ChunkWait | undefined
  #taken: unknown[] | undefined
  /** A chunk may be handed to this process. */
  #isIdle = false
  /** When the next chunk that was put off is due, by this process's monotonic clock; undefined: none is. */
  #delayedUntil: number | undefined

  constructor(link: RedisLink, pool: PoolKeys, options: ChunkQueueOptions = {}) {
    const { lockDuration = 10_000, lanes = 1, sharers = 1 } = options
    // `shared`: the link opened this client and closes it. Version and eviction policy are the link's business too.
    const connection = new RedisConnection(link.client as never, {
      shared: true,
      blocking: false,
      skipVersionCheck: true,
    })
    const names = new QueueKeys(pool.prefix)
    super(connection, Keys.queue, names.getKeys(Keys.queue), (suffix) => names.toKey(Keys.queue, suffix), {
      connection: {},
      prefix: pool.prefix,
      lockDuration,
    } as never)
    this.#wait = options.blocking === true ? new ChunkWait(link, pool.chunk('marker')) : undefined
    this.#link = link
    this.#pool = pool
    this.#lockDuration = lockDuration
    this.#take = defineTake(link.client)
    this.#exchange = defineExchange(link.client, pool, { lanes, sharers, lockDuration })
    // Connection errors are seen and told by the link; here they must only not be thrown for want of a listener.
    this.on('error', () => undefined)
  }

  /** Takes the next chunk, with BullMQ's own script, under a lock with this token; undefined when none is to be had. */
  async take(token: string): Promise<TakenChunk | undefined> {
    this.#taken = undefined
    await this.moveToActive(token)
    const [fields, jobId, , delay] = (this.#taken ?? []) as unknown[]
    this.#delayedUntil = Number(delay) > 0 ? performance.now() + Number(delay) : undefined
    return takenChunk(fields, jobId)
  }

  /**
   * Gives a chunk that is in hand back to the front of the queue, for the first of these clients' that comes soon after it;
   * undefined, and the chunk still in hand, when there is none.
   */
  async swap(jobId: string, token: string, clients: readonly string[]): Promise<TakenChunk | undefined> {
    if (clients.length === 0) return undefined
    return takenChunk(...(await swap(this.#link, this.#pool, { jobId, token }, clients, this.#lockDuration)))
  }

  /** Takes a chunk over that another process has in hand; undefined when it has it no more. */
  async takeOver(from: Holder, token: string): Promise<TakenChunk | undefined> {
    return takenChunk(...(await takeOver(this.#link, this.#pool, from, token, this.#lockDuration)))
  }

  /**
   * The reply of BullMQ's script that takes a chunk carries a whole job hash, which BullMQ parses and may choke on; it is
   * kept from it. It is asked for as bytes: a payload need not be text.
   */
  override execCommand(...[client, command, args]: Parameters<bullmq.RedisQueueBackend['execCommand']>): unknown {
    if (command !== 'moveToActive') return super.execCommand(client, command, args)
    return this.#take(args).then((taken) => {
      this.#taken = taken
      return [null, ...taken.slice(1).map((part) => (Buffer.isBuffer(part) ? part.toString() : part))]
    })
  }

  /**
   * Waits until a chunk may be there to take, for at most so many seconds; resolves with one that was handed over meanwhile, which is in
   * hand then.
   *
   * @param isAlone - only for one that is handed over: what others may take wakes them
   */
  async waitForChunk(token: string, seconds: number, isAlone = false): Promise<TakenChunk | undefined> {
    if (this.#wait === undefined) throw new Error('a queue without a connection that may block')
    // A chunk that was put off wakes nobody when its time has come: who knows of it looks again then.
    const delayed = ((this.#delayedUntil ?? Number.POSITIVE_INFINITY) - performance.now()) / 1000
    const longest = Math.min(seconds, Math.max(delayed, shortestWait))
    const handed = await this.#wait.for(deskOf(this.#pool, token), longest, isAlone)
    if (handed === undefined) return undefined
    this.#isIdle = false
    return freshChunk(handed)
  }

  /**
   * Appends the outcomes to their clients' streams, completes their chunks, and takes up to `want` others: one script, so
   * that no chunk is completed without its outcome.
   *
   * That a chunk is no longer ours to complete (its lock has lapsed, or another has completed it) does not matter: the
   * outcome is delivered, and the client drops the second one.
   *
   * @param idles - nothing else will be in hand: when nothing is there to take, a chunk may be handed to this process
   */
  exchange(token: string, ended: readonly EndedChunk[], want: number, idles = false): Promise<Exchange> {
    const args = { token, ended: this.#grouped(ended), want, isIdle: this.#isIdle, idles }
    return this.#exchange(args).then((reply) => this.#exchanged(reply, want))
  }

  #exchanged([delivered, rest, due, now, ...found]: Reply, want: number): Exchange {
    if (want > 0) this.#delayedUntil = due > 0 ? performance.now() + due : undefined
    const taken: TakenChunk[] = []
    for (let i = 0; i < found.length; i++) {
      const one = found[i]
      const chunk = Buffer.isBuffer(one) ? freshChunk(one, now) : takenChunk(one, found[++i])
      if (chunk !== undefined) taken.push(chunk)
    }
    this.#isIdle = rest === rests.indexOf('idle')
    return { delivered: delivered.map(Boolean), taken, rest: rests[rest] ?? 'none' }
  }

  /** Outcomes as they stand in entries: short ones that follow each other in one, for less of Redis and of who reads them. */
  #grouped(ended: readonly EndedChunk[]): OutcomeGroup[] {
    const groups: { stream: string; ids: string; head: string; body: string | Buffer; chunks: number }[] = []
    let room = 0
    for (const [jobId, [, , , head, , body], gathers = false] of ended) {
      const stream = this.#resultsOf(jobId)
      const last = groups.at(-1)
      const isShort = gathers && typeof body === 'string'
      if (isShort && last?.stream === stream && body.length <= room) {
        last.ids += ` ${jobId}`
        last.head += `\n${head}`
        last.body += `\n${body}`
        last.chunks++
        room -= body.length
      } else {
        groups.push({ stream, ids: jobId, head, body, chunks: 1 })
        room = isShort ? mostInEntry - body.length : 0
      }
    }
    return groups
  }

  #resultsOf(jobId: string): string {
    // The id is checked before it is run; of one that is not ours nobody hears.
    const end = jobId.indexOf('.')
    return this.#pool.results(end < 0 ? 'unknown' : jobId.slice(0, end))
  }
}

const noFields: ReadonlyMap<string, string> = new Map()

/** A chunk that was taken for the first time: id, task, when it was added, data, a line each. @param now - undefined: it was handed over at once */
function freshChunk(record: Buffer, now?: number): TakenChunk {
  const idEnd = record.indexOf(lineBreak)
  const taskEnd = record.indexOf(lineBreak, idEnd + 1)
  const addedEnd = record.indexOf(lineBreak, taskEnd + 1)
  const added = record.toString('latin1', taskEnd + 1, addedEnd)
  return {
    jobId: record.toString('utf8', 0, idEnd),
    taskId: record.toString('utf8', idEnd + 1, taskEnd),
    data: record.subarray(addedEnd + 1),
    fields: noFields,
    waited: added === '' ? undefined : now === undefined ? 0 : now - Number(added),
  }
}

function takenChunk(hash?: unknown, jobId?: unknown): TakenChunk | undefined {
  if (!Array.isArray(hash) || !Buffer.isBuffer(jobId)) return undefined
  const fields = new Map<string, string>()
  let data: Buffer | undefined
  for (let i = 0; i + 1 < hash.length; i += 2) {
    const [name, value] = [String(hash[i]), hash[i + 1]]
    if (!Buffer.isBuffer(value)) continue // another's hash, of as many fields
    if (name === 'data') data = value
    else fields.set(name, value.toString())
  }
  return { jobId: jobId.toString(), taskId: fields.get('name') ?? '', data, fields }
}
