/**
 * What is done to the chunks of a queue beside their way through a worker process: adding, leases, losses, giving back,
 * putting off, dropping, times to live. It needs no BullMQ, and supervisors load none. It never decides what a loss means: see loss-ledger.
 */
import { keyLife, type PoolKeys, partsSuffix, queueKeySuffixes, type RedisLink } from '@poolmq/shared'
import {
  addChunks,
  dropHeld,
  expireKeys,
  giveBack,
  giveBackLapsed,
  noteFields,
  noteLoss,
  putOff,
  type RunTimes,
  renewLocks,
  runTimes,
  wake,
} from './chunk-scripts.js'
import { dropChunks, dropSlice, thin } from './drop-scripts.js'
import { type Share, shareArgument, unknownStep } from './fair-scripts.js'
import { deskOf, dismiss } from './handover-scripts.js'
import { noteMeta } from './pool-scripts.js'

/** Entries that BullMQ's events stream keeps, about. */
const keptEvents = 10
/** Chunks that one script looks at or removes: others wait for it. */
const slice = 500
/** Not the gates: their short life is what they are for. */
const renewedSuffixes = queueKeySuffixes.filter((suffix) => suffix !== 'lapse-check' && suffix !== 'stalled-check')

/** A chunk to be added. */
export interface NewChunk {
  readonly jobId: string
  readonly taskId: string
  readonly data: string | Buffer
  /** BullMQ's priority: 1 is first; 0 is none, which comes before all. */
  readonly priority: number
}

const shareOfClient = ([first]: readonly NewChunk[]): Share => ({
  key: first?.jobId.split('.', 1)[0] ?? '',
  step: unknownStep,
})

export class ChunkStore {
  readonly #link: RedisLink
  readonly #pool: PoolKeys
  readonly #lockDuration: number

  /** @param lockDuration - milliseconds that a lock lasts unless it is renewed */
  constructor(link: RedisLink, pool: PoolKeys, lockDuration = 10_000) {
    this.#link = link
    this.#pool = pool
    this.#lockDuration = lockDuration
  }

  /** Keeps BullMQ's events stream short: nobody reads it, results have a stream of their own. */
  async prepare(): Promise<void> {
    await noteMeta(this.#link.client, [this.#pool.chunk('meta')], ['opts.maxLenEvents', keptEvents])
    await this.expireQueue(keyLife)
  }

  /**
   * Adds chunks in order, of one producer. A chunk that is there already is left as it is, so a batch can be sent again.
   *
   * @param share - whose they are among others'; by default of the client of the first
   */
  async add(chunks: readonly NewChunk[], share = shareOfClient(chunks)): Promise<void> {
    const args: (string | number | Buffer)[] = [this.#pool.chunk(''), keyLife, shareArgument(share)]
    // What follows each other is mostly of one call: its task and priority are sent once.
    for (let from = 0, to = 0; from < chunks.length; from = to) {
      const { taskId, priority } = chunks[from] as NewChunk
      while (chunks[to]?.taskId === taskId && chunks[to]?.priority === priority) to++
      args.push(taskId, priority, to - from)
      for (let i = from; i < to; i++) args.push((chunks[i] as NewChunk).jobId, (chunks[i] as NewChunk).data)
    }
    await addChunks(this.#link.client, [this.#pool.chunk('wait')], args)
  }

  /**
   * Gives chunks, and the lists that they are in, a time to live, for their client may die before they end. Returns the
   * ids of those that are not there.
   */
  async expire(jobIds: readonly string[], milliseconds: number): Promise<Set<string>> {
    if (jobIds.length === 0) return new Set()
    const prefix = this.#pool.chunk('')
    const keys = [...jobIds, ...renewedSuffixes].map((id) => `${prefix}${id}`)
    const missing = await expireKeys(this.#link.client, keys, [milliseconds])
    return new Set(missing.map((key) => key.slice(prefix.length)))
  }

  /** Gives the queue's own keys a time to live: whoever uses it renews it. */
  async expireQueue(milliseconds: number): Promise<void> {
    const keys = renewedSuffixes.map((suffix) => this.#pool.chunk(suffix))
    await expireKeys(this.#link.client, keys, [milliseconds])
  }

  /** Renews the locks of these chunks (job id, token); returns the ids of those that are over. */
  renew(held: readonly (readonly [jobId: string, token: string])[]): Promise<string[]> {
    const args = [this.#pool.chunk(''), this.#lockDuration, ...held.flat()]
    return renewLocks(this.#link.client, [this.#pool.chunk('active')], args)
  }

  /**
   * Gives back the chunks of holders that are gone: their locks have lapsed, and have not been taken anew within a
   * quarter of the lease. Returns their ids, and whether there are durable calls to be looked after: of the hosts that ask at
   * a time, one is told.
   */
  giveBackLapsed(): Promise<{ readonly chunks: readonly string[]; readonly hasDurables: boolean }> {
    const queue = ['active', 'wait', 'marker', 'lapse-check', 'suspects'].map((suffix) => this.#pool.chunk(suffix))
    const keys = [...queue, this.#pool.durables]
    const interval = Math.max(50, Math.floor(this.#lockDuration / 20))
    return giveBackLapsed(this.#link.client, keys, [this.#pool.chunk(''), interval, Math.floor(this.#lockDuration / 4)])
  }

  /** Gives a chunk back, to be taken next. False when it is not held under this token any more. */
  async giveBack(jobId: string, token: string): Promise<boolean> {
    const keys = ['active', 'wait', 'marker', `${jobId}:lock`]
    return (
      (await giveBack(
        this.#link.client,
        keys.map((suffix) => this.#pool.chunk(suffix)),
        [jobId, token],
      )) === 1
    )
  }

  /** Puts a chunk off for so many milliseconds, unless it is not held under this token any more. */
  async putOff(jobId: string, token: string, pause: number): Promise<void> {
    const keys = ['active', 'delayed', 'marker', 'elders', jobId, `${jobId}:lock`].map((suffix) =>
      this.#pool.chunk(suffix),
    )
    await putOff(this.#link.client, keys, [jobId, token, pause])
  }

  /** What woke a worker process is not for it, as it can take nothing now: another that waits is woken. */
  async wakeAnother(): Promise<void> {
    await wake(this.#link.client, [this.#pool.chunk('marker')], [])
  }

  /** For how long these chunks have been running; undefined while others wait for a worker process, or none is to be taken. */
  runTimes(jobIds: readonly string[]): Promise<RunTimes | undefined> {
    const keys = ['wait', 'prioritized', 'active', 'meta'].map((suffix) => this.#pool.chunk(suffix))
    return runTimes(this.#link.client, keys, [this.#pool.chunk(''), ...jobIds])
  }

  /** Whether a chunk is held under this token. */
  async isHeld(jobId: string, token: string): Promise<boolean> {
    return (await this.#link.client.get(this.#pool.chunk(`${jobId}:lock`))) === token
  }

  /** The process of this token is gone: no chunk is handed to it any more. */
  async dismiss(token: string): Promise<void> {
    await dismiss(this.#link.client, [this.#pool.chunk('idle'), deskOf(this.#pool, token)], [token])
  }

  /** The chunks held under this token, read from Redis: true even when their holder died before it could tell. */
  async heldBy(token: string): Promise<string[]> {
    const client = this.#link.client
    const active = await client.lrange(this.#pool.chunk('active'), 0, -1)
    if (active.length === 0) return []
    const locks = await client.mget(active.map((id) => this.#pool.chunk(`${id}:lock`)))
    return active.filter((_, i) => locks[i] === token)
  }

  /** The tasks of these chunks. */
  async tasksOf(jobIds: readonly string[]): Promise<string[]> {
    const names = await Promise.all(jobIds.map((jobId) => this.#link.client.hget(this.#pool.chunk(jobId), 'name')))
    return [...new Set(names.map((name) => name ?? 'a task that is over'))]
  }

  /** Counts a loss in this field (see loss-ledger) of a chunk that is held under this token. False when it is not any more. */
  async noteLoss(jobId: string, token: string, field: string, details: string): Promise<boolean> {
    const keys = [this.#pool.chunk(jobId), this.#pool.chunk(`${jobId}:lock`)]
    return (await noteLoss(this.#link.client, keys, [token, field, details])) === 1
  }

  /** Sets fields of a chunk's hash, unless the chunk is gone. */
  async noteFields(jobId: string, fields: ReadonlyMap<string, string>): Promise<void> {
    await noteFields(this.#link.client, [this.#pool.chunk(jobId)], [...fields].flat())
  }

  /**
   * Removes these chunks. Those that run are left, unless `running` says otherwise: their outcomes then find no chunk to
   * complete. Returns the ids of those that were left.
   *
   * @param key - of their share, where later ones are not to wait for the turns of these
   */
  async drop(jobIds: readonly string[], running = false, key = ''): Promise<string[]> {
    const slices: Promise<{ isSparse: boolean; running: string[] }>[] = []
    for (let i = 0; i < jobIds.length; i += slice) {
      const args = [this.#pool.chunk(''), running ? '1' : '0', key, ...jobIds.slice(i, i + slice)]
      slices.push(dropChunks(this.#link.client, this.#dropKeys, args))
    }
    const replies = await Promise.all(slices)
    if (replies.some(({ isSparse }) => isSparse)) await this.#thin()
    return replies.flatMap((reply) => reply.running)
  }

  /** Removes the waiting chunks whose ids start so, looking through all. */
  dropWaiting(idPrefix: string): Promise<void> {
    return this.#dropFrom(['wait', 'paused', 'prioritized', 'delayed'], idPrefix, false)
  }

  /** Removes also those that are in some worker's hands, whose outcomes then find no chunk to complete. */
  dropAll(idPrefix: string): Promise<void> {
    return this.#dropFrom(['wait', 'paused', 'prioritized', 'delayed', 'active'], idPrefix, true)
  }

  async #dropFrom(suffixes: readonly string[], idPrefix: string, running: boolean): Promise<void> {
    for (const suffix of suffixes) {
      const keys = [...this.#dropKeys, this.#pool.chunk(suffix)]
      let from: string | undefined = '0'
      while (from !== undefined) {
        const args = [this.#pool.chunk(''), running ? '1' : '0', idPrefix, from, slice]
        from = await dropSlice(this.#link.client, keys, args)
      }
    }
  }

  /** Removes the ids of no chunk from the list of those that wait. */
  async #thin(): Promise<void> {
    let from: string | undefined = '0'
    while (from !== undefined) {
      from = await thin(this.#link.client, [this.#pool.chunk('wait')], [this.#pool.chunk(''), from, slice])
    }
  }

  get #dropKeys(): string[] {
    return ['wait', 'paused', 'prioritized', 'delayed', 'active'].map((suffix) => this.#pool.chunk(suffix))
  }

  /** Removes a chunk that is held under this token, without an outcome. */
  async dropHeld(jobId: string, token: string): Promise<void> {
    const keys = ['active', jobId, `${jobId}:lock`, `${jobId}${partsSuffix}`].map((suffix) => this.#pool.chunk(suffix))
    await dropHeld(this.#link.client, keys, [jobId, token])
  }
}
