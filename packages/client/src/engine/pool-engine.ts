/**
 * The running part of a pool, behind its surface: the connection, the open calls, the local worker processes, and the
 * order in which they start and end. It composes the roles that stand in files of their own (open-calls, dispatch,
 * census, stragglers, local-workers; of the session: result-reader, client-lease, reconciler). It knows nothing of Python's methods: those are in
 * pool.ts.
 */
import { hostname } from 'node:os'
import {
  type CallHeader,
  CancelledError,
  type ClientOrder,
  ConnectionError,
  type ConnectionOption,
  NestedPoolError,
  PoolError,
  PoolKeys,
  type PoolSpec,
  PoolStateError,
  PoolTerminatedError,
  ProcessAnchor,
  randomId,
  type SharedContent,
  soon,
  startCallSpan,
  type TaskInfo,
  taskModules,
} from '@poolmq/shared'
import { currentTask, sharedDirectory } from '@poolmq/worker'
import { callHeader, type ParsedOptions } from '../call-options.js'
import type { LateChunks } from '../calls/backlog.js'
import { Call, type Collector } from '../calls/call.js'
import { CallbackQueue } from '../calls/callback-queue.js'
import type { EncodedChunk } from '../calls/chunker.js'
import type { InputWatch } from '../calls/map-input.js'
import { DurableCalls } from '../durable/durable-calls.js'
import { type DurableObserver, observeDurable } from '../durable/durable-telemetry.js'
import { PoolLog, type PoolLogger } from '../pool-logger.js'
import { defaultBudget } from '../session/byte-budget.js'
import type { DurableSession } from '../session/durable-session.js'
import { FairShare } from '../session/fair-share.js'
import { ReadingPace } from '../session/reading-pace.js'
import { type AbortSignalLike, watchAbort } from './abort-watch.js'
import type { Backend, EngineSession, EngineWorkers, PoolLook } from './backend.js'
import { Breakdown } from './breakdown.js'
import { tellOfCall } from './call-telemetry.js'
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
  readonly calls: OpenCalls
  readonly durables: DurableCalls
  readonly #options: PoolEngineOptions
  readonly #keys: PoolKeys
  readonly #anchor = new ProcessAnchor()
  readonly #log: PoolLog
  readonly #dispatch: Dispatch
  readonly #share: FairShare
  readonly #local: EngineWorkers | undefined
  readonly #census: Census
  readonly #session: Promise<EngineSession>
  #opened: EngineSession | undefined
  readonly #breakdown = new Breakdown()
  readonly #pace: ReadingPace
  readonly #stragglers: Stragglers
  #nextCall = 0
  /** Chunks of calls that have ended without them, until they are withdrawn. */
  readonly #unwanted: string[] = []
  #shutdown: Promise<void> | undefined

  constructor(options: PoolEngineOptions, backend: Backend) {
    this.#options = options
    this.#log = new PoolLog(options.logger, { pool: options.name ?? `private-${this.clientId}`, client: this.clientId })
    this.#keys = new PoolKeys(options.name ?? `private-${this.clientId}`)
    this.#dispatch = new Dispatch({
      clientId: this.clientId,
      maxBytes: options.maxBytes,
      calls: () => this.calls,
      session: () => this.#opened ?? this.#session,
      log: this.#log,
    })
    this.#share = new FairShare(options.share?.key ?? this.clientId, options.share?.weight ?? 1)
    this.calls = new OpenCalls(
      this.clientId,
      this.#anchor,
      this.#dispatch.budget,
      (call) => this.#removeChunks(call),
      (jobId) => this.#withdrawCopy(jobId),
      options.name === undefined ? undefined : this.#share,
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
    this.#census = new Census(options, this.#keys, this.#log)
    const isAlone = options.name === undefined && options.processes < 2
    this.#stragglers = new Stragglers({
      clientId: this.clientId,
      // A copy runs in another process than the chunk itself.
      lanes: () => (isAlone ? 0 : this.#census.seen),
      underWay: () => this.calls.underWay,
      look: async (jobIds) => await (await this.#session).runTimes(jobIds),
      add: async (chunk) => await (await this.#session).add([chunk]),
      withdraw: (jobId) => this.#withdrawCopy(jobId),
    })
    this.#session = this.#open(backend)
    this.#session.then(
      (session) => {
        this.#opened = session
      },
      (error: unknown) => this.#break(error),
    )
  }

  /** Tasks that the pool's worker processes run at a time, as far as known: for the default chunk size. */
  get workers(): number {
    return this.#census.workers
  }

  /** Whether worker processes run several tasks at a time: processes, as Python's ThreadPool has threads of its own. */
  get hasLanes(): boolean {
    return this.#census.hasLanes
  }

  /** Tasks that its worker processes run at a time, those of its own and those that have been seen. */
  get size(): number {
    return this.#census.seen
  }

  /**
   * Opens a call. Its chunks are handed over with `submit`; whoever has all its results ends it, in `calls`.
   *
   * @throws NestedPoolError inside a task of this very pool.
   */
  call(owner: unknown, task: TaskInfo, kind: CallKind, options: ParsedOptions, collector: Collector): Call {
    this.#refuseNesting()
    const module = this.#local?.load(task)
    const span = startCallSpan(this.#keys.pool, kind.method, task.id)
    const hasSpec = this.#options.spec !== undefined
    const header = callHeader(options, kind.mode, kind.spread, hasSpec, module, span?.carrier, task.version)
    const watched = options.backup === true ? this.#stragglers.stopwatch(collector) : undefined
    const taker = watched ?? collector
    const call = new Call(owner, this.#nextCall++, kind.method, task.id, header, options.priority ?? 0, taker)
    if (watched !== undefined) this.#stragglers.watch(call, watched)
    tellOfCall(call, this.#keys.pool, this.clientId, span, this.#log)
    this.calls.add(call)
    if (kind.mode === 'each') this.#pace.hurry()
    // A handle must exist before it can fail.
    const { reason } = this.#breakdown
    if (reason !== undefined) soon(() => this.calls.fail(call, reason.error))
    else this.#census.callOpened(() => this.calls.size > 0)
    if (options.signal !== undefined) this.#cancelOn(options.signal, call)
    return call
  }

  /**
   * What the chunks of a durable call carry, which run wherever the task is known, also when this process is gone; and who is told of it
   * here.
   *
   * @throws NestedPoolError inside a task of this very pool.
   */
  durableCall(
    task: TaskInfo,
    { method, spread }: Omit<CallKind, 'mode'>,
    options: ParsedOptions,
  ): { readonly header: CallHeader; readonly observer: DurableObserver | undefined } {
    this.#refuseNesting()
    this.#local?.load(task)
    this.#census.callOpened(() => this.durables.areOpen)
    const { pool } = this.#keys
    const span = startCallSpan(pool, method, task.id)
    const hasSpec = this.#options.spec !== undefined
    const header = callHeader(options, 'each', spread, hasSpec, undefined, span?.carrier, task.version)
    const about = { pool, method, task: task.id, durable: options.durable ?? '' }
    return { header, observer: observeDurable(about, span, this.#log) }
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

  /** Bytes that it may have in Redis; undefined until that is known. */
  get room(): number | undefined {
    return this.#dispatch.budget.limit
  }

  /** What of its calls' input is encoded. */
  get watch(): InputWatch {
    return this.#dispatch.watch
  }

  /** Hands a chunk of a call over. The promise, if any, is for those who can wait while there is a backlog. */
  submit(call: Call, index: number, chunk: EncodedChunk): Promise<void> | undefined {
    return this.#dispatch.submit(call, index, chunk)
  }

  /** Hands the rest of a call over, which is encoded when there is room for it. @param index - of its first chunk */
  submitLate(call: Call, index: number, late: LateChunks): void {
    this.#dispatch.submitLate(call, index, late)
  }

  /** Rejects all open calls. */
  failAll(error: unknown): void {
    this.#dispatch.clear()
    this.calls.failAll(error)
    this.durables.failAll(error, error instanceof PoolTerminatedError)
  }

  /** Looks at the pool as an onlooker does. @throws ConnectionError when Redis is not to be had. */
  async look<T>(look: (view: PoolLook) => Promise<T>): Promise<T> {
    const holder = {}
    this.#anchor.hold(holder)
    try {
      return await look((await this.#session).view)
    } catch (error) {
      if (error instanceof PoolError) throw error
      if (this.isEnding) throw new PoolStateError('the pool has ended; there is nothing left to look at')
      const reason = error instanceof Error ? error.message : String(error)
      throw new ConnectionError(`Redis did not tell what was asked: ${reason}`, { cause: error })
    } finally {
      this.#anchor.release(holder)
    }
  }

  /** Resolves when a shared value is in Redis. @throws ConnectionError when Redis is not to be had */
  async share(content: SharedContent): Promise<void> {
    const holder = {}
    this.#anchor.hold(holder)
    try {
      const session = await this.#session
      await Promise.all([session.share(content), this.#local?.place(content)])
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw error instanceof PoolError
        ? error
        : new ConnectionError(`Redis did not take the shared value: ${reason}`, { cause: error })
    } finally {
      this.#anchor.release(holder)
    }
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
    this.failAll(new PoolTerminatedError())
    return this.shutdown('stop')
  }

  /** Ends the local worker processes and leaves nothing in Redis. */
  shutdown(how: 'drain' | 'stop'): Promise<void> {
    // A stop overtakes a drain that is under way.
    if (this.#shutdown !== undefined && how === 'stop') void this.#local?.end('stop')
    this.#shutdown ??= this.#end(how)
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
        if (this.#options.maxBytes === undefined) this.#dispatch.budget.limit = defaultBudget(bytes)
      },
      pace: this.#pace,
      log: this.#log,
      onLink: async (link) => {
        this.#census.start(link)
        await this.#local?.start(link, spec && { clientId: this.clientId, spec })
      },
      onEntry: (entry) => this.calls.hear(entry),
      onOrder: (order) => this.#obey(order),
      onFailed: (error) => this.#break(error),
      onOutage: (error) => this.#suspend(error),
    })
  }

  /** A task that waits for its own pool would hold the seat that it waits for. */
  #refuseNesting(): void {
    const task = currentTask()
    if (task?.pool !== this.#keys.pool) return
    throw new NestedPoolError(
      `the task ${task.taskId} calls the pool ${task.pool} that runs it: it would wait for the worker process that it ` +
        'holds; use another pool, or let the producer make the second call',
    )
  }

  #cancelOn(signal: AbortSignalLike, call: Call): void {
    const cancel = () => {
      this.calls.fail(call, new CancelledError('The call was cancelled by its signal', { cause: signal.reason }))
    }
    if (signal.aborted) soon(cancel)
    else call.atEnd.push(watchAbort(signal, cancel))
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
    this.#dispatch.drop(call.pending.size)
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
    this.failAll(error)
  }

  async #end(how: 'drain' | 'stop'): Promise<void> {
    const holder = {}
    this.#anchor.hold(holder)
    try {
      this.#dispatch.clear()
      this.durables.leave()
      const session = await this.#session.catch(() => undefined)
      this.#census.stop()
      if (session?.isLost === true) return await this.#local?.end('abandon')
      // First the lease: with it, every host knows that this client's chunks are nobody's.
      await session?.release([...this.#unwanted.splice(0), ...this.calls.pendingIds()])
      // Without Redis the local supervisor has never been told where it is, and waits; and of a pool that is broken
      // nobody waits for what still runs.
      await this.#local?.end(session === undefined || this.#breakdown.reason !== undefined ? 'stop' : how)
      await session?.close(this.#options.name === undefined)
    } finally {
      this.#anchor.release(holder)
    }
  }
}

/** How a method's chunks are to be run. */
export interface CallKind {
  /** The method that was called: for those who ask what is open. */
  readonly method: string
  readonly mode: 'first' | 'each'
  /** Items are argument lists. */
  readonly spread: boolean
}
