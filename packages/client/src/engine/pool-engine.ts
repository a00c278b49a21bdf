/**
 * The running part of a pool, behind its surface: the connection, the open calls, the local worker processes, and the
 * order in which they start and end. It composes the roles that stand in files of their own (call-opener, open-calls,
 * dispatch, census, stragglers, local-workers; of the session: result-reader, client-lease, reconciler). It knows nothing of
 * Python's methods: those are in pool.ts.
 */
import { hostname } from 'node:os'
import {
  CancelledError,
  type ClientOrder,
  ConnectionError,
  type ConnectionOption,
  PoolError,
  PoolKeys,
  type PoolSpec,
  PoolStateError,
  PoolTerminatedError,
  ProcessAnchor,
  randomId,
  type SharedContent,
  taskModules,
} from '@poolmq/shared'
import { sharedDirectory } from '@poolmq/worker'
import type { Call } from '../calls/call.js'
import { CallbackQueue } from '../calls/callback-queue.js'
import { DurableCalls } from '../durable/durable-calls.js'
import { PoolLog, type PoolLogger } from '../pool-logger.js'
import { defaultBudget } from '../session/byte-budget.js'
import type { DurableSession } from '../session/durable-session.js'
import { FairShare } from '../session/fair-share.js'
import { ReadingPace } from '../session/reading-pace.js'
import type { Backend, EngineSession, EngineWorkers, PoolLook } from './backend.js'
import { Breakdown } from './breakdown.js'
import { CallOpener } from './call-opener.js'
import { Census } from './census.js'
import { Dispatch } from './dispatch.js'
import { OpenCalls } from './open-calls.js'
import { Stragglers } from './stragglers.js'

export interface PoolEngineOptions {
  /** The pool's name; undefined for a private pool. */
  readonly name: string | undefined
  /** Worker processes, or threads. */
  readonly processes: number
  /** How many tasks run on them at a time. */
  readonly lanes: number
  readonly threads: boolean
  readonly connection: ConnectionOption | undefined
  readonly spec: PoolSpec | undefined
  readonly expectedWorkers: number | undefined
  /** The shared values that the arguments of its initializer hold. */
  readonly shared: readonly SharedContent[]
  /** Bytes that it may have in Redis; undefined for a part of what Redis has. */
  readonly maxBytes: number | undefined
  /** Its part of what it shares with others; undefined for one of its own, of weight 1. */
  readonly share: { readonly key?: string | undefined; readonly weight?: number | undefined } | undefined
  readonly logger: PoolLogger | undefined
  /** What its own worker processes say that they were built from. */
  readonly build: string | undefined
}

export class PoolEngine {
  readonly clientId = randomId()
  readonly callbacks = new CallbackQueue()
  readonly opener: CallOpener
  readonly calls: OpenCalls
  readonly dispatch: Dispatch
  readonly census: Census
  readonly durables: DurableCalls
  readonly #options: PoolEngineOptions
  readonly #keys: PoolKeys
  readonly #anchor = new ProcessAnchor()
  readonly #log: PoolLog
  readonly #share: FairShare
  readonly #local: EngineWorkers | undefined
  readonly #session: Promise<EngineSession>
  #opened: EngineSession | undefined
  readonly #breakdown = new Breakdown()
  readonly #pace: ReadingPace
  /** Chunks of calls that have ended without them, until they are withdrawn. */
  readonly #unwanted: string[] = []
  #shutdown: Promise<void> | undefined

  constructor(options: PoolEngineOptions, backend: Backend) {
    this.#options = options
    this.#log = new PoolLog(options.logger, { pool: options.name ?? `private-${this.clientId}`, client: this.clientId })
    this.#keys = new PoolKeys(options.name ?? `private-${this.clientId}`)
    this.dispatch = new Dispatch({
      clientId: this.clientId,
      maxBytes: options.maxBytes,
      calls: () => this.calls,
      session: () => this.#opened ?? this.#session,
      log: this.#log,
    })
    const { key = this.clientId, weight = 1 } = options.share ?? {}
    this.#share = new FairShare(key, weight, options.name !== undefined)
    this.calls = new OpenCalls(
      this.clientId,
      this.#anchor,
      this.dispatch.budget,
      (call) => this.#removeChunks(call),
      (jobId) => this.#withdrawCopy(jobId),
      this.#share.isShared ? this.#share : undefined,
    )
    this.durables = new DurableCalls(this.#anchor)
    this.#pace = new ReadingPace(this.calls)
    // The worker processes first: their start takes longest.
    if (options.processes > 0) {
      this.#local = backend.startWorkers(
        {
          clientId: this.clientId,
          pool: this.#keys.pool,
          processes: options.processes,
          lanes: options.lanes,
          threads: options.threads,
          modules: taskModules(),
          shared: sharedDirectory(this.clientId),
          ...(options.build !== undefined && { build: options.build }),
        },
        (error) => this.#break(error),
        () => this.calls.heard,
        this.#log,
      )
    }
    for (const content of options.shared) void this.#local?.place(content)
    this.census = new Census(options, this.#keys, this.#log)
    const isAlone = options.name === undefined && options.processes < 2
    const stragglers = new Stragglers({
      clientId: this.clientId,
      // A copy runs in another process than the chunk itself.
      lanes: () => (isAlone ? 0 : this.census.seen),
      underWay: () => this.calls.underWay,
      look: async (jobIds) => await (await this.#session).runTimes(jobIds),
      add: async (chunk) => await (await this.#session).add([chunk]),
      withdraw: (jobId) => this.#withdrawCopy(jobId),
    })
    this.opener = new CallOpener({
      clientId: this.clientId,
      pool: this.#keys.pool,
      hasSpec: options.spec !== undefined,
      local: this.#local,
      calls: this.calls,
      durables: this.durables,
      census: this.census,
      pace: this.#pace,
      stragglers,
      breakdown: this.#breakdown,
      log: this.#log,
    })
    this.#session = this.#open(backend)
    this.#session.then(
      (session) => {
        this.#opened = session
      },
      (error: unknown) => this.#break(error),
    )
  }

  /** The pool's side of Redis, for the durable call of this key. */
  async durableSession(key: string): Promise<DurableSession> {
    const { reason } = this.#breakdown
    if (reason !== undefined) throw reason.error
    return (await this.#session).durable(key)
  }

  /** @throws TypeError when the pool is private: nobody else can find a call of it */
  checkNamed(what: string): void {
    if (this.#options.name !== undefined) return
    throw new TypeError(`${what} needs a pool with a name, which other processes can join: new Pool({ name: … })`)
  }

  /** Rejects all open calls. */
  #failAll(error: unknown): void {
    this.dispatch.clear()
    this.calls.failAll(error)
    this.durables.failAll(error, error instanceof PoolTerminatedError)
  }

  /** Looks at the pool as an onlooker does. @throws ConnectionError when Redis is not to be had. */
  async look<T>(look: (view: PoolLook) => Promise<T>): Promise<T> {
    return await this.#anchor.during(async () => {
      try {
        return await look((await this.#session).view)
      } catch (error) {
        if (error instanceof PoolError) throw error
        if (this.isEnding) throw new PoolStateError('the pool has ended; there is nothing left to look at')
        const reason = error instanceof Error ? error.message : String(error)
        throw new ConnectionError(`Redis did not tell what was asked: ${reason}`, { cause: error })
      }
    })
  }

  /** Resolves when a shared value is in Redis. @throws ConnectionError when Redis is not to be had */
  async share(content: SharedContent): Promise<void> {
    await this.#anchor.during(async () => {
      try {
        const session = await this.#session
        await Promise.all([session.share(content), this.#local?.place(content)])
      } catch (error) {
        if (error instanceof PoolError) throw error
        const reason = error instanceof Error ? error.message : String(error)
        throw new ConnectionError(`Redis did not take the shared value: ${reason}`, { cause: error })
      }
    })
  }

  /** Only open calls keep the shared value in Redis from now on. */
  unshare(hash: string): void {
    this.#session.then((session) => session.unshare(hash)).catch(() => undefined) // there is nothing in Redis
  }

  /** Whether the process goes on for it: there is work, or somebody waits. */
  get isAwaited(): boolean {
    return this.#anchor.isHeld
  }

  /** Whether it is coming to an end, or has. */
  get isEnding(): boolean {
    return this.#shutdown !== undefined
  }

  /** Rejects what is open, stops what runs, and ends. */
  terminate(): Promise<void> {
    this.#failAll(new PoolTerminatedError())
    return this.shutdown('stop')
  }

  /** Ends the local worker processes and leaves nothing in Redis. */
  shutdown(how: 'drain' | 'stop'): Promise<void> {
    // A stop overtakes a drain that is under way.
    if (this.#shutdown !== undefined && how === 'stop') void this.#local?.end('stop')
    this.#shutdown ??= this.#anchor.during(() => this.#end(how))
    return this.#shutdown
  }

  /** The shared values that its calls hold. */
  *#shared(): Iterable<SharedContent> {
    yield* this.calls.shared()
    yield* this.durables.shared()
  }

  #open(backend: Backend): Promise<EngineSession> {
    const { connection, spec } = this.#options
    return backend.openSession({
      connection,
      keys: this.#keys,
      clientId: this.clientId,
      spec,
      needed: this.#options.shared,
      shared: () => this.#shared(),
      share: this.#share,
      pending: () => this.calls.sent(),
      awaited: (jobId) => this.calls.awaited(jobId),
      onMaxMemory: (bytes) => {
        if (this.#options.maxBytes === undefined) this.dispatch.budget.limit = defaultBudget(bytes)
      },
      pace: this.#pace,
      log: this.#log,
      onLink: async (link) => {
        this.census.start(link)
        await this.#local?.start(link, spec && { clientId: this.clientId, spec })
      },
      onEntry: (entry) => this.calls.hear(entry),
      onOrder: (order) => this.#obey(order),
      onFailed: (error) => this.#break(error),
      onOutage: (error) => this.#suspend(error),
    })
  }

  /** What an onlooker asks of this client. */
  #obey(order: ClientOrder): void {
    if (order.type === 'report') {
      const report = { host: hostname(), pid: process.pid, calls: this.calls.reports }
      this.#session.then((session) => session.report(report)).catch(() => undefined) // who looks on asks again
      return
    }
    const call = this.calls.find(order.call)
    if (call !== undefined) this.calls.fail(call, new CancelledError('The call was cancelled by an operator'))
  }

  /** Those that wait are removed, those that run are stopped. */
  #removeChunks(call: Call): void {
    this.dispatch.drop(call.pending.size)
    const isFirst = this.#unwanted.length === 0
    for (const jobId of call.pendingIds()) this.#unwanted.push(jobId)
    if (!isFirst || this.#shutdown !== undefined) return
    // Without a session there is nothing in Redis.
    this.#session.then((session) => session.withdraw(this.#unwanted.splice(0))).catch(() => this.#unwanted.splice(0))
  }

  /** Of a chunk that ran twice, the copy that came last. */
  #withdrawCopy(jobId: string): void {
    if (this.#shutdown !== undefined) this.#unwanted.push(jobId)
    else this.#session.then((session) => session.withdrawCopy(jobId)).catch(() => undefined) // nothing is in Redis
  }

  /** Open calls, and those that are made meanwhile, fail while Redis is away for long; then the pool goes on. */
  #suspend(error: PoolError | undefined): void {
    if (error === undefined) this.#breakdown.end()
    else this.#break(error, true)
  }

  #break(error: unknown, mayPass = false): void {
    if (this.#shutdown !== undefined || !this.#breakdown.begin(error, mayPass)) return
    this.#log.tell('error', mayPass ? 'open calls are given up' : 'the pool cannot go on', { err: error })
    this.#failAll(error)
  }

  async #end(how: 'drain' | 'stop'): Promise<void> {
    this.dispatch.clear()
    this.durables.leave()
    const session = await this.#session.catch(() => undefined)
    this.census.stop()
    if (session?.isLost === true) return await this.#local?.end('abandon')
    // First the lease: with it, every host knows that this client's chunks are nobody's.
    await session?.release([...this.#unwanted.splice(0), ...this.calls.pendingIds()])
    // Without Redis the local supervisor has never been told where it is, and waits; and of a pool that is broken
    // nobody waits for what still runs.
    await this.#local?.end(session === undefined || this.#breakdown.reason !== undefined ? 'stop' : how)
    await session?.close(this.#options.name === undefined)
  }
}
