/**
 * A pool's side of Redis: the link, the queue, the lease, the reader of results and the reconciler, opened together and
 * closed together.
 */
import {
  assertServer,
  type ClientOrder,
  type ClientReport,
  type ConnectionOption,
  explainFailure,
  formatClientReport,
  formatSpec,
  maxMemoryOf,
  type OutcomeEntry,
  PoolError,
  type PoolKeys,
  type PoolSpec,
  PoolStateError,
  RedisLink,
  type SharedContent,
  untilAnswered,
  within,
} from '@poolmq/shared'
import { ChunkStore, findForeignKey, PieceStore, PoolView, type RunTimes, sweepPool, sweptKeys } from '@poolmq/worker'
import type { PendingChunk } from '../calls/call.js'
import type { PoolLog } from '../pool-logger.js'
import { Arrivals } from './arrivals.js'
import { ClientLease } from './client-lease.js'
import { DurableSession } from './durable-session.js'
import { Enqueuer } from './enqueuer.js'
import { FairCosts } from './fair-costs.js'
import type { FairShare } from './fair-share.js'
import { type OutageListener, OutageWatch } from './outage-watch.js'
import type { ReadingPace } from './reading-pace.js'
import { Reconciler } from './reconciler.js'
import { ResultReader } from './result-reader.js'
import { SharedClaims } from './shared-claims.js'
import { Withdrawal } from './withdrawal.js'

export interface PoolSessionOptions extends OutageListener {
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
}

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
  readonly #enqueuer: Enqueuer
  readonly #arrivals: Arrivals
  readonly #lease: ClientLease
  readonly #withdrawal: Withdrawal
  readonly #reader: ResultReader
  readonly #reconciler: Reconciler
  readonly #outages: OutageWatch
  readonly #costs: FairCosts

  private constructor(link: RedisLink, options: PoolSessionOptions) {
    const { keys, clientId, spec, share, pending, awaited, pace, log, onEntry, onOrder, onFailed, onOutage } = options
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
      onWrongType: () => void this.#outages.lookForForeignKey(),
    })
    this.#enqueuer = new Enqueuer({
      store: this.#store,
      pieces: this.#pieces,
      claims: this.#claims,
      share,
      awaited,
      onWrongType: () => this.#outages.lookForForeignKey(),
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
    this.#costs = new FairCosts(link, keys, share)
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
      onRenewed: (error) => {
        this.#outages.noteRenewal(error)
        if (error === undefined) this.#costs.tell()
      },
    })
    this.#outages = new OutageWatch(link, {
      keys,
      clientId,
      log,
      onFailed,
      onOutage,
      onRestored: () => void this.#lease.renew().then(() => this.#reconciler.reconcile()),
    })
  }

  /** Redis is out of reach for good: nothing more can be said to it. */
  get isLost(): boolean {
    return this.#outages.isLost
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
      const begun = await Promise.allSettled([session.#lease.take(), session.#store.prepare(), session.#costs.learn()])
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
  add(chunks: readonly PendingChunk[]): Promise<void> {
    return this.#enqueuer.enqueue(chunks)
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
    this.#outages.stop()
    this.#reconciler.stop()
    this.#costs.stop()
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
    const all = sweptKeys(keys)
    if (isPrivate) {
      await this.#claims.removeAll()
      await this.#link.client.del(...all)
    } else {
      await sweepPool(this.#link.client, all, [])
    }
  }
}
