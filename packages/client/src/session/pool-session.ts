/**
 * A pool's side of Redis: the link, the queue, the lease, the reader of results and the reconciler, opened together and
 * closed together. An outage is waited out for a minute; then it is told as a failure, since nothing may wait for ever.
 */
import { performance } from 'node:perf_hooks'
import { clearTimeout, setTimeout } from 'node:timers'
import {
  assertServer,
  type ClientOrder,
  type ClientReport,
  ConnectionError,
  type ConnectionOption,
  explainFailure,
  formatClientReport,
  formatSpec,
  isWrongType,
  maxMemoryOf,
  type OutcomeEntry,
  PoolError,
  type PoolKeys,
  type PoolSpec,
  PoolStateError,
  type ProtocolError,
  queueKeySuffixes,
  RedisLink,
  type SharedContent,
  untilAnswered,
  within,
} from '@poolmq/shared'
import { ChunkStore, findForeignKey, PieceStore, PoolView, type RunTimes, sweepPool } from '@poolmq/worker'
import type { PendingChunk } from '../calls/call.js'
import type { PoolLog } from '../pool-logger.js'
import { Arrivals } from './arrivals.js'
import { ClientLease } from './client-lease.js'
import { DurableSession } from './durable-session.js'
import type { FairShare } from './fair-share.js'
import type { ReadingPace } from './reading-pace.js'
import { Reconciler } from './reconciler.js'
import { ResultReader } from './result-reader.js'
import { SharedClaims } from './shared-claims.js'
import { Withdrawal } from './withdrawal.js'

export interface PoolSessionOptions {
  readonly connection: ConnectionOption | undefined
  readonly keys: PoolKeys
  readonly clientId: string
  readonly spec: PoolSpec | undefined
  /** The shared values that its initializer's arguments hold. */
  readonly needed: readonly SharedContent[]
  /** Those that open calls hold. */
  readonly shared: () => Iterable<SharedContent>
  /** Its part of what it shares with others. */
  readonly share: FairShare
  /** The chunks that Redis has confirmed and that nothing has been heard of. */
  readonly pending: () => Iterable<PendingChunk>
  /** The chunk of this id, while its outcome is waited for. */
  readonly awaited: (jobId: string) => PendingChunk | undefined
  /** The memory that Redis may use is known: bytes, 0 for no limit, or where it does not tell. */
  readonly onMaxMemory: (bytes: number) => void
  readonly pace: ReadingPace
  readonly log: PoolLog
  /** Redis is there, and nothing of this client in it yet; resolves when something may be written. */
  readonly onLink: (link: RedisLink) => Promise<void>
  readonly onEntry: (entry: OutcomeEntry) => void
  /** An onlooker asks something of this client. */
  readonly onOrder: (order: ClientOrder) => void
  /** Redis is out of reach for good. */
  readonly onFailed: (error: ConnectionError) => void
  /** Redis has been out of reach, or has refused to write, for too long; undefined: it is back. */
  readonly onOutage: (error: PoolError | undefined) => void
}

/** Milliseconds that Redis may be out of reach before open calls are given up. */
const outageLimit = 60_000
/** Milliseconds that the last words to Redis may take. */
const farewellLimit = 5000
/** Milliseconds that an answer to an onlooker lives. */
const answerLife = 5000

export class PoolSession {
  readonly #options: PoolSessionOptions
  readonly #link: RedisLink
  readonly #store: ChunkStore
  readonly #pieces: PieceStore
  readonly #claims: SharedClaims
  readonly #arrivals: Arrivals
  readonly #lease: ClientLease
  readonly #withdrawal: Withdrawal
  readonly #reader: ResultReader
  readonly #reconciler: Reconciler
  #isLost = false
  #outage: NodeJS.Timeout | undefined
  /** A key of the pool is somebody else's. */
  #foreign: ProtocolError | undefined
  /** When Redis began to refuse what it is asked. */
  #refusedSince: number | undefined

  private constructor(link: RedisLink, options: PoolSessionOptions) {
    const { keys, clientId, spec, share, pending, awaited, pace, onEntry, onOrder, onFailed } = options
    this.#options = options
    this.#link = link
    this.#store = new ChunkStore(link, keys)
    this.#pieces = new PieceStore(link, keys)
    this.#claims = new SharedClaims(this.#pieces, options.needed, options.shared)
    this.#arrivals = new Arrivals(this.#pieces, awaited, onEntry)
    const refused = (error: unknown) => onFailed(explainFailure(error, link.descriptor))
    this.#reader = new ResultReader(link, keys.results(clientId), pace, {
      onEntry: (entry) => this.#arrivals.hear(entry),
      onOrder,
      onRefused: refused,
      onWrongType: () => void this.#lookForForeignKey(),
    })
    const add = (chunks: readonly PendingChunk[]) => this.add(chunks)
    const renewOutcomes = async () => {
      await this.#claims.renew()
      await this.#pieces.renewOutcomes(clientId, (jobId) => awaited(jobId) !== undefined)
    }
    this.#reconciler = new Reconciler(
      link,
      this.#store,
      keys.results(clientId),
      this.#reader,
      pending,
      add,
      renewOutcomes,
    )
    this.#withdrawal = new Withdrawal(link, keys, this.#store, share.key)
    this.#lease = new ClientLease({
      link,
      keys,
      store: this.#store,
      clientId,
      spec: spec && formatSpec(spec),
      onRemade: () => {
        this.#reader.rewind()
        void this.#reconciler.reconcile()
      },
      onRenewed: (error) => this.#renewed(error),
    })
    link.on('lost', () => this.#lost())
    link.on('restored', () => this.#restored())
    link.on('failed', (error) => {
      this.#isLost = true
      onFailed(error)
    })
  }

  /** Redis is out of reach for good: nothing more can be said to it. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** @throws ConnectionError when Redis is not to be had, or not one that can run a pool. */
  static async open(options: PoolSessionOptions): Promise<PoolSession> {
    const link = await RedisLink.open(options.connection)
    try {
      const [warning, maxMemory] = await Promise.all([assertServer(link), maxMemoryOf(link)])
      options.onMaxMemory(maxMemory)
      if (warning !== undefined) options.log.warn('POOLMQ_REDIS', warning)
      await options.onLink(link)
      const session = new PoolSession(link, options)
      const begun = await Promise.allSettled([session.#lease.take(), session.#store.prepare()])
      const foreign = await findForeignKey(link.client, options.keys, options.clientId)
      if (foreign !== undefined) throw foreign
      for (const one of begun) if (one.status === 'rejected') throw one.reason
      await session.#claims.send(options.needed)
      void session.#reader.run()
      session.#reconciler.start()
      return session
    } catch (error) {
      await link.close()
      // A user with too few rights is let in, and refused at the first command.
      throw error instanceof PoolError ? error : explainFailure(error, link.descriptor)
    }
  }

  /** The pool as an onlooker sees it. */
  get view(): PoolView {
    return new PoolView(this.#link, this.#options.keys)
  }

  /** What a durable call needs. @throws PoolStateError when Redis ends with this process */
  durable(key: string): DurableSession {
    if (this.#link.isEmbedded) {
      throw new PoolStateError(
        'a durable call outlives its process, and the embedded Redis does not; give the pool a connection, or set REDIS_URL',
      )
    }
    const { keys, spec, needed, share } = this.#options
    const claims = this.#claims
    return new DurableSession(key, { link: this.#link, keys, pieces: this.#pieces, spec, needed, claims, share })
  }

  /** Answers an onlooker. */
  async report(report: ClientReport): Promise<void> {
    const { keys, clientId } = this.#options
    await this.#link.client.set(keys.calls(clientId), formatClientReport(report), 'PX', answerLife)
  }

  /** Adds chunks to the queue, in order, after what is large in them. */
  async add(chunks: readonly PendingChunk[]): Promise<void> {
    const { awaited } = this.#options
    const shared = chunks.filter((chunk) => chunk.shared !== undefined && awaited(chunk.jobId) === chunk)
    if (shared.length > 0) await this.#claims.send(shared.flatMap((chunk) => chunk.shared ?? []))
    for (const { jobId, parts } of chunks) {
      if (parts === undefined || awaited(jobId) === undefined) continue
      try {
        await this.#pieces.putPayload(jobId, parts)
      } catch (error) {
        // What is there of it is of no use, and Redis may be short of memory.
        await this.#pieces.dropPayload(jobId).catch(() => undefined) // it expires
        throw error
      }
    }
    if (chunks.every(({ parts }) => parts === undefined)) return await this.#put(chunks)
    // The call may have ended meanwhile, and what had been added been removed.
    const [wanted, unwanted]: [PendingChunk[], PendingChunk[]] = [[], []]
    for (const chunk of chunks) {
      const isWanted = chunk.parts === undefined || awaited(chunk.jobId) === chunk
      ;(isWanted ? wanted : unwanted).push(chunk)
    }
    if (wanted.length > 0) await this.#put(wanted)
    for (const { jobId } of unwanted) await this.#pieces.dropPayload(jobId)
  }

  /** Where a key is somebody else's, the error names it. */
  async #put(chunks: readonly PendingChunk[]): Promise<void> {
    try {
      await this.#store.add(chunks, this.#options.share.of(chunks))
    } catch (error) {
      throw (isWrongType(error) ? await this.#lookForForeignKey() : undefined) ?? error
    }
  }

  /**
   * Looks whether a key of the pool is somebody else's, whoever stumbles over it, here or on a host. Calls fail as long as one
   * is. Never rejects.
   */
  async #lookForForeignKey(): Promise<ProtocolError | undefined> {
    const { keys, clientId, onOutage } = this.#options
    try {
      const found = await findForeignKey(this.#link.client, keys, clientId)
      if (found !== undefined || this.#foreign !== undefined) onOutage(found)
      this.#foreign = found
      return found
    } catch {
      return undefined // Redis is away, which is told by others
    }
  }

  /** Resolves when a shared value is in Redis, to stay there until it is unshared or the pool ends. */
  async share(content: SharedContent): Promise<void> {
    await this.#claims.claim(content)
  }

  /** From now on only open calls keep it there. */
  unshare(hash: string): void {
    this.#claims.release(hash)
  }

  /** Removes chunks that wait, and has those that run stopped on every host. */
  withdraw(jobIds: Iterable<string>): void {
    this.#withdrawal.add(jobIds)
  }

  /** The same for one copy of a chunk, of a call that goes on. */
  withdrawCopy(jobId: string): void {
    this.#withdrawal.addCopy(jobId)
  }

  /** How long these chunks have been running, and how many run; undefined when others wait for a worker process. */
  runTimes(jobIds: readonly string[]): Promise<RunTimes | undefined> {
    return this.#store.runTimes(jobIds)
  }

  /**
   * Gives the lease up: from now on this client's chunks are nobody's, and every host knows.
   *
   * @param jobIds - those that may still be in Redis
   */
  async release(jobIds: Iterable<string>): Promise<void> {
    clearTimeout(this.#outage)
    this.#reconciler.stop()
    const released = this.#lease
      .release()
      .then(() => {
        this.#withdrawal.add(jobIds)
        return this.#withdrawal.done()
      })
      .then(() => this.#pieces.removeOutcomes(this.#options.clientId))
    await within(farewellLimit, released)
  }

  /**
   * Removes what is left and closes. Of a private pool nothing is kept, as nobody else can use it; of a named one the
   * keys that no host and no other client uses any more are removed.
   */
  async close(isPrivate: boolean): Promise<void> {
    await within(
      farewellLimit,
      untilAnswered(() => this.#sweep(isPrivate)),
    )
    this.#reader.close()
    await this.#link.close()
  }

  async #sweep(isPrivate: boolean): Promise<void> {
    const { keys, clientId } = this.#options
    // To look through a named pool's queue would take as long as it is; of a private one all is this client's.
    await (isPrivate ? this.#store.dropAll(`${clientId}.`) : this.#store.drop(this.#withdrawal.left, true))
    const counted = ['wait', 'active', 'prioritized', 'delayed']
    const others = queueKeySuffixes.filter((suffix) => !counted.includes(suffix))
    const queueKeys = [...counted, ...others].map((suffix) => keys.chunk(suffix))
    const all = [keys.hosts, keys.clients, ...queueKeys, keys.stops, keys.orders]
    if (isPrivate) {
      await this.#claims.removeAll()
      await this.#link.client.del(...all)
    } else {
      await sweepPool(this.#link.client, all, [])
    }
  }

  #lost(): void {
    if (this.#outage === undefined)
      this.#options.log.tell('warn', 'the connection to Redis is lost; it is connected to again')
    this.#outage ??= setTimeout(() => {
      const cause = this.#link.lastError
      const why = cause === undefined ? '' : `: ${cause.message}`
      this.#options.onOutage(
        new ConnectionError(`Redis has been out of reach for ${outageLimit / 1000} s${why}`, { cause }),
      )
    }, outageLimit).unref()
  }

  #restored(): void {
    this.#options.log.tell('info', 'Redis is back')
    clearTimeout(this.#outage)
    this.#outage = undefined
    this.#options.onOutage(undefined)
    void this.#lease.renew().then(() => this.#reconciler.reconcile())
  }

  /** A Redis that answers and refuses (it is out of memory, or read-only) is no better than one out of reach. */
  #renewed(error?: unknown): void {
    void this.#lookForForeignKey()
    if (error === undefined) {
      if (this.#refusedSince !== undefined) this.#options.onOutage(undefined)
      this.#refusedSince = undefined
      return
    }
    this.#refusedSince ??= performance.now()
    if (performance.now() - this.#refusedSince < outageLimit) return
    const reason = error instanceof Error ? error.message : String(error)
    this.#options.onOutage(
      new ConnectionError(`Redis has refused to write for ${outageLimit / 1000} s: ${reason}`, { cause: error }),
    )
  }
}
