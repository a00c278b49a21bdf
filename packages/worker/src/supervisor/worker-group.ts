/**
 * The worker processes (or threads) of a host: a seat for each, their starts and what follows when one fails, and what all
 * of them must know: task modules, initializers that have failed, whether somebody observes. It knows nothing of Redis: what
 * the dead have left is given back by chunk-recovery.
 */
import { ConnectionError, decodeError, ModuleError } from '@poolmq/shared'
import { hostNow } from '../line/host-clock.js'
import type { Preparation, ToWorker, WorkerConfig } from '../line/messages.js'
import { processToken } from '../line/process-token.js'
import type { Log } from '../logger.js'
import type { WorkerCounts } from './health-source.js'
import type { HostRecord } from './host-record.js'
import { IdleLosses } from './idle-losses.js'
import { InitializerFailures, type InitializerTry } from './initializer-failures.js'
import { RepeatedFailure } from './repeated-failure.js'
import { type StartFailure, StartFailures } from './start-failures.js'
import { StartGate } from './start-gate.js'
import type { SupervisorDuties } from './supervisor-duties.js'
import type { SupervisorOptions } from './supervisor-options.js'
import { lanesOf } from './worker-handle.js'
import { type IdleEnd, longPreparation, WorkerSlot } from './worker-slot.js'

/** What all worker processes of a host are told alike, once Redis is there. */
export type HostConfig = Omit<
  WorkerConfig,
  'token' | 'hand' | 'lanes' | 'observed' | 'modules' | 'late' | 'initializers'
>

export interface WorkerGroupOptions {
  /** The supervisor's id. */
  readonly id: string
  readonly options: SupervisorOptions
  readonly record: HostRecord
  readonly log: Log
  /** Rejects when the supervisor cannot connect. */
  readonly config: Promise<HostConfig>
  /** Undefined until the supervisor has reached Redis. */
  readonly duties: () => SupervisorDuties | undefined
  /** Every worker process is ready. */
  readonly onReady: () => void
  /** None can be started on this host. */
  readonly onGivenUp: (error: unknown) => void
}

export class WorkerGroup {
  readonly #parts: WorkerGroupOptions
  readonly #options: SupervisorOptions
  readonly #log: Log
  readonly #slots = new Set<WorkerSlot>()
  readonly #gate = new StartGate()
  readonly #startFailures = new StartFailures()
  readonly #unconnected = new RepeatedFailure()
  readonly #initializerFailures = new InitializerFailures()
  readonly #idleLosses = new IdleLosses()
  /** What every worker process must load to start. */
  readonly #modules: string[]
  /** Modules that have become known since. */
  readonly #late: string[] = []
  /** Modules and initializers of which it was told that they take long. */
  readonly #told = new Set<string>()
  #observed = false

  constructor(parts: WorkerGroupOptions) {
    this.#parts = parts
    this.#options = parts.options
    this.#log = parts.log
    this.#modules = [...parts.options.modules]
    for (let seat = 0; seat < this.#options.processes; seat++) {
      this.#gate.enter((leave) => this.#startSlot(seat, leave))
    }
  }

  get slots(): ReadonlySet<WorkerSlot> {
    return this.#slots
  }

  get counts(): WorkerCounts {
    const slots = [...this.#slots]
    const ready = slots.filter((slot) => slot.isReady).length
    return { processes: this.#options.processes, ready, busy: slots.filter((slot) => slot.held.length > 0).length }
  }

  /** Tallies what is run from now on. */
  observe(): void {
    if (this.#observed) return
    this.#observed = true
    this.#tell({ type: 'observe' })
  }

  /** Makes more task modules known to all worker processes. */
  load(modules: readonly string[]): void {
    const fresh = modules.filter((url) => !this.#modules.includes(url) && !this.#late.includes(url))
    if (fresh.length === 0) return
    this.#late.push(...fresh)
    this.#tell({ type: 'load', modules: fresh })
  }

  /** Ends them, with time to do it by themselves. No other is started. */
  async end(how: 'drain' | 'stop', grace: number): Promise<void> {
    this.#gate.close()
    await Promise.all([...this.#slots].map((slot) => slot.end(how, grace)))
  }

  #startSlot(seat: number, leaveGate: () => void): void {
    const { processes, lanes = processes, threads = false, started } = this.#options
    const slot: WorkerSlot = new WorkerSlot({
      token: () => processToken(this.#parts.id),
      lanes: lanesOf(seat, processes, lanes),
      started: started?.[seat],
      threads,
      gate: this.#gate,
      leaveGate,
      record: this.#parts.record,
      config: async (token, fresh) => {
        const { eager, ...config } = await this.#parts.config
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
        this.#unconnected.over()
        const { ready, processes } = this.counts
        if (ready === processes) this.#parts.onReady()
        this.#parts.duties()?.announceSoon()
      },
      onDeaf: (pid) => this.#log.warn({ pid }, 'a worker process has stopped looking for chunks; it is replaced'),
      onStopped: (pid) => this.#log.warn({ pid }, 'a worker process was stopped and not continued; it is replaced'),
      onSlow: (preparation, pid) => this.#tellSlow(preparation, pid),
      onBlocked: (pid, jobIds) => void this.#warnOfBlocked(pid, jobIds),
      onLost: async (loss) => await this.#parts.duties()?.recovery.recover(loss),
      onGivenUp: async (jobId, token, chunk) => await this.#parts.duties()?.recovery.giveUp(jobId, token, chunk),
      onFailedStart: (failure) => this.#failedStart(failure),
      onIdleEnd: (end) => this.#idleEnd(end),
      onInitialized: (clientId) => {
        this.#initializerFailures.succeeded(clientId)
        this.#parts.duties()?.announceSoon()
      },
      onInitializerFailed: (failure) => this.#initializerFailed(failure),
    })
    this.#slots.add(slot)
  }

  async #warnOfBlocked(pid: number, jobIds: readonly string[]): Promise<void> {
    const tasks = (await this.#parts.duties()?.recovery.tasksOf(jobIds)) ?? []
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
    if (error instanceof ConnectionError && this.#parts.duties() === undefined) {
      this.#parts.onGivenUp(error)
      return undefined
    }
    const next = this.#startFailures.failed(failure)
    if (typeof next !== 'number') {
      this.#parts.onGivenUp(next)
      return undefined
    }
    if (!this.#startFailures.isFirstHope(error)) {
      // Other pauses grow, and each is worth telling; that of a Redis which cannot be reached does not.
      const isNews = !(error instanceof ConnectionError) || this.#unconnected.isNews(error)
      const level = isNews ? 'warn' : 'debug'
      this.#log[level]({ err: error }, `a worker process could not start; another is started in ${Math.ceil(next)} ms`)
    }
    return next
  }

  /** Milliseconds to wait before the next start. */
  #idleEnd({ pid, why, crash, began, hadWork }: IdleEnd): number {
    const { pause, isNews } = hadWork ? { pause: 0, isNews: true } : this.#idleLosses.ended(began)
    const because = crash && `${crash.name}: ${crash.message}`
    const when = pause === 0 ? 'it is replaced' : `another is started in ${Math.ceil(pause)} ms`
    const what = hadWork ? 'with nothing in hand' : 'before it had anything to do'
    if (isNews) this.#log.warn({ worker: pid, because }, `a worker process ended (${why}) ${what}; ${when}`)
    return pause
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
    const served = this.#parts.duties()?.isServed(key)
    served?.then(
      (isServed) => {
        if (isServed) this.#tell({ type: 'initializer', state: this.#initializerFailures.servedElsewhere(clientId) })
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
