/**
 * The supervisor of a host: keeps N worker processes (or threads) running, holds the leases of the chunks they have in
 * hand, and gives a dead one's chunk back. It runs no user code, so its event loop always turns. Chunks do not pass
 * through it: worker processes pull them from Redis themselves.
 *
 * It composes the roles that stand in files of their own: worker-slot (a seat, its worker process and the successors) and
 * supervisor-duties (leases, being seen, chunks of lost hosts, clients that are gone).
 */
import { hostname } from 'node:os'
import {
  assertServer,
  ConnectionError,
  Deferred,
  decodeError,
  explainFailure,
  isWrongType,
  ModuleError,
  PoolKeys,
  PoolTerminatedError,
  parseConnectionOption,
  RedisLink,
  randomId,
  within,
} from '@poolmq/shared'
import { hostNow } from '../line/host-clock.js'
import type { EagerSpec, Preparation, ToWorker, WorkerConfig } from '../line/messages.js'
import { packDescriptor } from '../line/packed-descriptor.js'
import { processToken } from '../line/process-token.js'
import { removeSharedDirectory, sharedDirectory, sweepSharedDirectories } from '../line/shared-directory.js'
import { createLogger, type Log } from '../logger.js'
import { packageVersion } from '../package-version.js'
import { ChunkStore } from '../queue/chunk-store.js'
import { findForeignKey } from '../queue/foreign-key.js'
import { stopGrace } from './deadline.js'
import type { HealthSource, WorkerCounts } from './health-source.js'
import { HostRecord } from './host-record.js'
import { InitializerFailures, type InitializerTry } from './initializer-failures.js'
import { type StartFailure, StartFailures } from './start-failures.js'
import { StartGate } from './start-gate.js'
import { SupervisorDuties } from './supervisor-duties.js'
import { checkSupervisorOptions, type SupervisorOptions } from './supervisor-options.js'
import { lanesOf } from './worker-handle.js'
import { longPreparation, WorkerSlot } from './worker-slot.js'

export type {
  ClusterConnectionOptions,
  ConnectionDescriptor,
  ConnectionOption,
  EncodedText,
  PoolSpec,
  SharedRef,
} from '@poolmq/shared'
export type { EagerSpec } from '../line/messages.js'
export type { StartedProgram } from '../line/started-program.js'
export type { HealthSource, WorkerCounts } from './health-source.js'
export type { SupervisorOptions } from './supervisor-options.js'
export type { StartedWorker } from './worker-handle.js'

/** What all worker processes of a host are told alike, once Redis is there. */
type HostConfig = Omit<WorkerConfig, 'token' | 'hand' | 'lanes' | 'observed' | 'modules' | 'late' | 'initializers'>

/** Milliseconds that withdrawing from Redis may take while somebody waits for this host's end. */
const withdrawTimeout = 2000
/** And when nobody does: nobody else is there to remove what the client has left. */
const removeTimeout = 10_000

export class Supervisor implements HealthSource {
  readonly id = randomId()
  readonly #options: SupervisorOptions
  readonly #shared: string
  readonly #log: Log
  readonly #slots = new Set<WorkerSlot>()
  readonly #gate = new StartGate()
  readonly #startFailures = new StartFailures()
  readonly #record: HostRecord
  #observed = false
  readonly #initializerFailures = new InitializerFailures()
  readonly #config = new Deferred<HostConfig>()
  readonly #firstReady = new Deferred()
  readonly #ended = new Deferred<unknown>()
  /** Modules that have become known since. */
  readonly #late: string[] = []
  /** What every worker process must load to start. */
  readonly #modules: string[]
  #duties: SupervisorDuties | undefined
  #link: RedisLink | undefined
  /** Modules and initializers of which it was told that they take long. */
  readonly #told = new Set<string>()
  #failure: unknown
  /** The Pool whose own supervisor this is ends as well. */
  #clientEnds = false
  #abandoned = false
  #ending = false
  /** Its last words to Redis are being said. */
  #withdrawn = false
  /** They have been said. */
  #over = false
  #opening: Promise<void> = Promise.resolve()

  /** @throws TypeError, RangeError for options that are wrong. That Redis does not answer shows in `ready` and `ended`. */
  constructor(options: SupervisorOptions) {
    checkSupervisorOptions(options)
    this.#options = options
    this.#shared = options.shared ?? sharedDirectory(this.id)
    this.#record = new HostRecord(options.pool)
    this.#log = createLogger('supervisor', { pool: options.pool })
    this.#modules = [...options.modules]
    this.#config.promise.catch(() => undefined)
    this.#firstReady.promise.catch(() => undefined)
    this.#ended.promise.catch(() => undefined)
    // The processes are started before anything else: their start takes longest, and needs nothing from us yet.
    for (let seat = 0; seat < options.processes; seat++) this.#gate.enter((leave) => this.#startSlot(seat, leave))
  }

  /** Resolves when every worker process could have started; rejects when they cannot. */
  get ready(): Promise<void> {
    return this.#firstReady.promise
  }

  /** Resolves when the supervisor has ended: with an error when it had to give up, else with undefined. */
  get ended(): Promise<unknown> {
    return this.#ended.promise
  }

  get workers(): WorkerCounts {
    const slots = [...this.#slots]
    const ready = slots.filter((slot) => slot.isReady).length
    return { processes: this.#options.processes, ready, busy: slots.filter((slot) => slot.held.length > 0).length }
  }

  /** What keeps this host from taking a chunk now: nothing when it could. */
  async obstacles(): Promise<string[]> {
    if (this.#ending) return ['it is ending']
    const found = await (this.#duties?.obstacles() ?? ['it is not connected to Redis yet'])
    return this.workers.ready > 0 ? found : [...found, 'no worker process is ready']
  }

  /**
   * Connects and begins its duties.
   *
   * @throws ConnectionError when Redis is not to be had, or too old.
   */
  start(connection = this.#options.connection, eager?: EagerSpec): Promise<void> {
    this.#opening = this.#open(connection, eager)
    return this.#opening
  }

  async #open(connection: SupervisorOptions['connection'], eager?: EagerSpec): Promise<void> {
    const { pool, processes, client, lockDuration = 10_000 } = this.#options
    try {
      if (client === undefined && parseConnectionOption(connection).kind === 'embedded') {
        throw new ConnectionError(
          `no Redis is given to serve pool ${pool} from: set connection or REDIS_URL (a host cannot share an embedded one)`,
        )
      }
      const link = await RedisLink.open(connection)
      if (this.#over) return await link.close()
      this.#link = link
      const warning = await assertServer(link)
      if (warning !== undefined) this.#log.warn(warning)
      this.#config.resolve({
        pool,
        connection: packDescriptor(link.descriptor),
        lockDuration,
        shared: this.#shared,
        // What other hosts may serve the pool is not known here: at least one is reckoned with.
        sharers: client !== undefined ? processes : Math.max(2, processes),
        ...(client !== undefined && { client }),
        ...(eager && { eager }),
      })
      const keys = new PoolKeys(pool)
      const store = new ChunkStore(link, keys, lockDuration)
      await store.prepare().catch(async (error: unknown) => {
        if (!isWrongType(error)) throw error
        // It may be deleted, and then all goes on; until then this host says that it is not ready.
        this.#log.warn({ err: (await findForeignKey(link.client, keys)) ?? error }, 'the pool cannot be served yet')
      })
      void sweepSharedDirectories()
      this.#duties = new SupervisorDuties({
        id: this.id,
        link,
        keys,
        store,
        lockDuration,
        slots: this.#slots,
        log: this.#log,
        record: this.#record,
        build: this.#options.build,
        onWatched: () => this.observe(),
        // A Pool's own supervisor ends with its Pool.
        onDrain: client !== undefined ? undefined : () => void this.drain(),
      })
      if (!this.#withdrawn) this.#duties.start(() => this.#presence())
    } catch (reason) {
      const error = this.#link === undefined ? reason : explainFailure(reason, this.#link.descriptor)
      this.#config.reject(error)
      if (this.#ending) return await this.#end('stop', 0)
      await this.#giveUp(error)
      throw error
    }
  }

  /** Tallies what is run from now on: for `metrics`, and for those who watch. */
  observe(): void {
    if (this.#observed) return
    this.#observed = true
    for (const slot of this.#slots) slot.send({ type: 'observe' })
  }

  /** This host's figures in the text form of Prometheus: of what has been run since `observe`. */
  async metrics(): Promise<string> {
    const { hostMetrics } = await import('./host-metrics.js')
    return await hostMetrics({ slots: this.#slots, record: this.#record })
  }

  /** Makes more task modules known to all worker processes. */
  load(modules: readonly string[]): void {
    const fresh = modules.filter((url) => !this.#modules.includes(url) && !this.#late.includes(url))
    if (fresh.length === 0) return
    this.#late.push(...fresh)
    for (const slot of this.#slots) slot.send({ type: 'load', modules: fresh })
  }

  /** Lets running chunks end, for `drainTimeout` at most; what is not done by then is given back. */
  async drain(): Promise<void> {
    // A host that has not reached Redis yet has nothing to finish; a Pool's own processes still run their initializer.
    if (this.#link === undefined && this.#options.client === undefined) return await this.stop()
    await this.#end('drain', this.#options.drainTimeout ?? 30_000)
  }

  /** Stops running tasks and gives their chunks back. */
  async stop(): Promise<void> {
    await this.#end('stop', stopGrace)
  }

  /** The Pool whose own supervisor this is ends as well: what it has left in Redis is removed. */
  async endWithClient(how: 'drain' | 'stop'): Promise<void> {
    this.#clientEnds = true
    await this[how]()
  }

  /** Stops at once: the process of the Pool whose own supervisor this is has gone. */
  async abandon(): Promise<void> {
    this.#abandoned = true
    this.#clientEnds = true
    await this.#end('stop', 0)
  }

  async #end(how: 'drain' | 'stop', grace: number): Promise<void> {
    if (this.#withdrawn) return
    this.#ending = true
    this.#gate.close()
    this.#firstReady.reject(new PoolTerminatedError('the supervisor was ended before it was ready'))
    await Promise.all([...this.#slots].map((slot) => slot.end(how, grace)))
    if (this.#withdrawn) return // a second order has overtaken the first
    this.#withdrawn = true
    // Redis may be out of reach: what can not be withdrawn in time lapses by itself.
    await within(this.#abandoned ? removeTimeout : withdrawTimeout, this.#withdraw())
    await removeSharedDirectory(this.#shared)
    this.#over = true
    await this.#link?.close()
    this.#ended.resolve(this.#failure)
  }

  async #withdraw(): Promise<void> {
    const { client } = this.#options
    if (this.#clientEnds && client !== undefined) {
      // It has begun to use Redis when this host was told where that is.
      await this.#opening.catch(() => undefined)
      await this.#duties?.removeClient(client)
    }
    await this.#duties?.end()
  }

  async #giveUp(error: unknown): Promise<void> {
    if (this.#ending) return
    this.#failure = error
    this.#firstReady.reject(error)
    await this.#end('stop', 0)
  }

  #presence() {
    const tasks = [...this.#slots].find((slot) => slot.tasks.length > 0)?.tasks ?? []
    const local = this.#options.client !== undefined && { local: true }
    const specs = [...new Set([...this.#slots].flatMap((slot) => slot.spec ?? []))]
    const taskVersions = allVersions([...this.#slots].map(({ versions }) => versions))
    const { build } = this.#options
    return {
      host: hostname(),
      pid: process.pid,
      processes: this.#options.processes,
      lanes: this.#lanes,
      tasks,
      version: packageVersion(),
      clock: Date.now(),
      ...local,
      ...(specs.length > 0 && { specs }),
      ...(taskVersions !== undefined && { taskVersions }),
      ...(build !== undefined && { build }),
    }
  }

  get #lanes(): number {
    return this.#options.lanes ?? this.#options.processes
  }

  #startSlot(seat: number, leaveGate: () => void): void {
    const slot: WorkerSlot = new WorkerSlot({
      token: () => processToken(this.id),
      lanes: lanesOf(seat, this.#options.processes, this.#lanes),
      started: this.#options.started?.[seat],
      threads: this.#options.threads === true,
      gate: this.#gate,
      leaveGate,
      record: this.#record,
      config: async (token, fresh) => {
        const { eager, ...config } = await this.#config.promise
        return {
          ...config,
          ...(eager !== undefined && !fresh && { eager }),
          token,
          observed: this.#observed,
          modules: this.#modules,
          late: this.#late,
          initializers: this.#initializerFailures.states,
        }
      },
      onReady: () => {
        this.#startFailures.succeeded()
        const { ready, processes } = this.workers
        if (ready === processes) this.#firstReady.resolve()
        this.#duties?.announceSoon()
      },
      onDeaf: (pid) => this.#log.warn({ pid }, 'a worker process has stopped looking for chunks; it is replaced'),
      onStopped: (pid) => this.#log.warn({ pid }, 'a worker process was stopped and not continued; it is replaced'),
      onSlow: (preparation, pid) => this.#tellSlow(preparation, pid),
      onBlocked: (pid, jobIds) => void this.#warnOfBlocked(pid, jobIds),
      onLost: async (loss) => await this.#duties?.recover(loss),
      onGivenUp: async (jobId, token, chunk) => await this.#duties?.giveUp(jobId, token, chunk),
      onFailedStart: (failure) => this.#failedStart(failure),
      onInitialized: (clientId) => {
        this.#initializerFailures.succeeded(clientId)
        this.#duties?.announceSoon()
      },
      onInitializerFailed: (failure) => this.#initializerFailed(failure),
    })
    this.#slots.add(slot)
  }

  async #warnOfBlocked(pid: number, jobIds: readonly string[]): Promise<void> {
    const tasks = (await this.#duties?.tasksOf(jobIds)) ?? []
    this.#log.warn(
      { pid, tasks, chunks: jobIds },
      `a worker process stands still with ${jobIds.length} chunks in hand: a task keeps the event loop from those beside it ` +
        `(in flight: ${tasks.join(', ') || 'not known'}); tasks that compute belong in a pool with concurrency 1`,
    )
  }

  /** Once for each module and initializer: it hangs in every worker process. */
  #tellSlow({ what, name }: Preparation, pid: number): void {
    const key = `${what} ${name}`
    if (this.#told.has(key)) return
    this.#told.add(key)
    const does =
      what === 'module' ? `the task module ${name} has been loading` : `the initializer ${name} has been running`
    const where = `in a worker ${this.#options.threads === true ? 'thread' : 'process'} (pid ${pid})`
    const text = `${does} for ${longPreparation / 1000} s ${where}, and no chunk runs there before it is done: does it wait for something that never comes?`
    if (this.#options.onWarning === undefined) this.#log.warn(text)
    else this.#options.onWarning(text)
  }

  /** A Pool's module that does not load concerns the calls of its tasks only: worker processes start without it. */
  #setAside(module: string | undefined): boolean {
    if (module === undefined) return false
    const at = this.#modules.indexOf(module)
    if (at >= 0) this.#late.push(...this.#modules.splice(at, 1))
    return this.#late.includes(module)
  }

  /** Milliseconds to wait before the next start; undefined when there is to be none. */
  #failedStart(failure: StartFailure): number | undefined {
    const { error } = failure
    if (this.#options.client !== undefined && error instanceof ModuleError && this.#setAside(error.module)) return 0
    // Before the supervisor itself has reached Redis, what keeps its worker processes from it is told by its own failure.
    if (error instanceof ConnectionError && this.#duties === undefined) {
      void this.#giveUp(error)
      return undefined
    }
    const next = this.#startFailures.failed(failure)
    if (typeof next !== 'number') {
      void this.#giveUp(next)
      return undefined
    }
    if (!this.#startFailures.isFirstHope(error)) {
      this.#log.warn({ err: error }, `a worker process could not start; another is started in ${Math.ceil(next)} ms`)
    }
    return next
  }

  /** Other worker processes of this host need not find out by themselves. */
  #initializerFailed({ key, ...failure }: InitializerTry & { readonly key: string }): number {
    const { clientId, error } = failure
    const { state, isNews, isFinal } = this.#initializerFailures.failed(failure)
    this.#tell({ type: 'initializer', state })
    const pause = Math.max(0, state.restsUntil - hostNow())
    if (isNews && !isFinal) {
      const what = `an initializer failed; it is tried again in ${Math.ceil(pause)} ms`
      this.#log[this.#initializerFailures.hasServed(clientId) ? 'warn' : 'info']({ err: decodeError(error) }, what)
    }
    this.#duties?.isServed(key).then(
      (served) => {
        if (served) this.#tell({ type: 'initializer', state: this.#initializerFailures.servedElsewhere(clientId) })
      },
      () => undefined, // asked again at its next failure
    )
    // A Pool's own worker process is of no use before that; others serve other clients meanwhile.
    return clientId === this.#options.client ? pause : 0
  }

  #tell(message: ToWorker): void {
    for (const slot of this.#slots) slot.send(message)
  }
}

/** The versions of each task in any of these; more than one where modules have changed under a host that runs. */
function allVersions(versions: readonly Readonly<Record<string, readonly string[]>>[]) {
  const all: Record<string, string[]> = {}
  for (const [id, names] of versions.flatMap((one) => Object.entries(one))) {
    all[id] = [...new Set([...(all[id] ?? []), ...names])]
  }
  return Object.keys(all).length > 0 ? all : undefined
}
