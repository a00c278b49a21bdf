/**
 * One seat of a supervisor, and the worker processes that have it one after the other (succession): starts them, hears what
 * they tell, and ends them. A worker process that dies is replaced; what it had in hand is reported once, with what is known
 * of the cause (worker-loss). A task that is to end and does not ends with its process (overdue-tasks), and so does a
 * process that does not work (watchdog).
 */
import { decodeError, type ProcessReport, type WireError, within } from '@poolmq/shared'
import type { HeldChunk } from '../line/hand.js'
import type { FromWorker, Preparation, ToWorker, WorkerConfig } from '../line/messages.js'
import type { ProgramExit } from '../line/started-program.js'
import type { Tally } from '../line/tally.js'
import { type HostRecord, reasonOf } from './host-record.js'
import type { InitializerTry } from './initializer-failures.js'
import { inHand, newOccupant, type Occupant } from './occupant.js'
import { OverdueTasks } from './overdue-tasks.js'
import { processReport } from './process-report.js'
import { isRefused, type StartFailure, startError } from './start-failures.js'
import type { StartGate } from './start-gate.js'
import { Succession } from './succession.js'
import { Watchdog, type WatchdogListener } from './watchdog.js'
import { type StartedWorker, startProcess, startThread, type WorkerListener } from './worker-handle.js'
import { type LostChunk, lossOf, type WorkerLoss } from './worker-loss.js'

export interface WorkerSlotOptions extends WatchdogListener {
  /** A token for the locks of another worker process. */
  readonly token: () => string
  /** Chunks that may be in hand here at a time. */
  readonly lanes: number
  /** A worker process that was started already, with as many lanes. */
  readonly started?: StartedWorker | undefined
  readonly threads: boolean
  /** Those after the first one start when it lets them. */
  readonly gate: StartGate
  /** Tells the gate that the first one has started. */
  readonly leaveGate: () => void
  /** What happens to its worker processes is noted there. */
  readonly record: HostRecord
  /** @param fresh - without the initializer of a Pool's own worker processes: another's is to run in it */
  readonly config: (token: string, fresh: boolean) => Promise<Omit<WorkerConfig, 'hand' | 'lanes'>>
  readonly onReady: () => void
  /** A module has been loading, or an initializer running, for some seconds: it may hang. */
  readonly onSlow: (preparation: Preparation, pid: number) => void
  readonly onLost: (loss: WorkerLoss) => Promise<void>
  /** A chunk is to run elsewhere or not at all, although its process goes on for a while. */
  readonly onGivenUp: (jobId: string, token: string, chunk: LostChunk) => Promise<void>
  /** Returns the milliseconds to wait before the next start, or undefined when there is to be none. */
  readonly onFailedStart: (failure: StartFailure) => number | undefined
  /** A worker process has ended by itself, with nothing in hand. Returns the milliseconds to wait before the next start. */
  readonly onIdleEnd: (end: IdleEnd) => number
  /** The initializer of this client has run in a worker process. */
  readonly onInitialized: (clientId: string) => void
  /** Returns the milliseconds to wait before the next start. */
  readonly onInitializerFailed: (failure: InitializerTry & { readonly key: string }) => number
}

export interface IdleEnd {
  readonly pid: number
  readonly why: string
  /** What it said that it dies of. */
  readonly crash: WireError | undefined
  /** When it was started, by performance's clock. */
  readonly began: number
  /** Whether it has ever had anything in hand. */
  readonly hadWork: boolean
}

/** Milliseconds after which it is told what a worker process waits for. */
export const longPreparation = 5000
/** Milliseconds that a process which has nothing more to do takes to end. */
const exitGrace = 5000
/** Milliseconds that a killed process takes to end; a thread that waits in the system may never. */
const killGrace = 2000
/** Milliseconds that giving chunks back may take at the end; Redis may be out of reach, and then their locks lapse. */
const recoverGrace = 2000

export class WorkerSlot {
  tasks: readonly string[] = []
  /** The versions of the tasks that have one. */
  versions: Readonly<Record<string, readonly string[]>> = {}
  /** Asked at intervals. */
  readonly watchdog: Watchdog
  readonly #options: WorkerSlotOptions
  readonly #succession: Succession
  readonly #overdue: OverdueTasks
  readonly #recovering = new Set<Promise<void>>()

  constructor(options: WorkerSlotOptions) {
    this.#options = options
    const { lanes, threads, gate, record } = options
    this.#succession = new Succession(this.#start(options.leaveGate, false, options.started), {
      lanes,
      gate,
      record,
      start: (leaveGate, fresh) => this.#start(leaveGate, fresh),
    })
    this.watchdog = new Watchdog(this.#succession, lanes, threads, options)
    this.#overdue = new OverdueTasks({
      lanes,
      replace: (occupant) => {
        this.#succession.retire(occupant)
        this.#succession.share()
      },
      giveUp: (jobId, token, chunk) => this.#recover(options.onGivenUp(jobId, token, chunk)),
    })
  }

  get isReady(): boolean {
    return this.#succession.current.ready
  }

  get lanes(): number {
    return this.#options.lanes
  }

  /** What stands for the initializer that has run in the process of this seat. */
  get spec(): string | undefined {
    return this.#succession.current.spec
  }

  /** The chunks in hand, and the tokens of their locks. */
  get held(): { readonly jobId: string; readonly token: string }[] {
    return this.#succession.serving.flatMap((occupant) =>
      inHand(occupant).map(({ jobId }) => ({ jobId, token: occupant.token })),
    )
  }

  /** What its worker processes have run. */
  get tallies(): Tally[] {
    return this.#succession.all.map((occupant) => occupant.handle.tally())
  }

  /** Its worker processes as those see them who watch. */
  get reports(): ProcessReport[] {
    const { all, current } = this.#succession
    return all.map((occupant) => processReport(occupant, occupant === current ? this.lanes : 0))
  }

  send(message: ToWorker): void {
    for (const occupant of this.#succession.all) occupant.handle.send(message)
  }

  /**
   * Stops what runs of this chunk, which does not run again: the task by its signal, and after a grace period the
   * process that still runs it. Its seat is taken by another.
   */
  cancel(jobId: string): void {
    for (const occupant of this.#succession.serving) this.#overdue.cancel(occupant, jobId)
  }

  /** Ends its processes, with time to do it by themselves. No other is started. */
  async end(how: 'drain' | 'stop', grace: number): Promise<void> {
    this.#succession.close()
    const occupants = this.#succession.all
    for (const occupant of occupants) {
      occupant.leaving = true
      occupant.handle.send({ type: how })
    }
    const gone = Promise.all(occupants.map((occupant) => occupant.gone.promise))
    await within(grace, gone)
    for (const occupant of occupants) occupant.handle.kill()
    await within(killGrace, gone)
    await within(recoverGrace, Promise.all(this.#recovering))
  }

  /** @param fresh - without the initializer of a Pool's own worker processes */
  #start(leaveGate: () => void, fresh: boolean, started?: StartedWorker): Occupant {
    const { lanes, threads, config } = this.#options
    const listener: WorkerListener = {
      onMessage: (message) => this.#hear(occupant, message),
      onExit: (exit, held, tally, hadWork) => {
        this.#options.record.keep(tally)
        this.#left(occupant, exit, held, hadWork)
      },
    }
    const handle = threads ? startThread(listener, lanes) : startProcess(listener, lanes, started)
    const occupant: Occupant = newOccupant(handle, this.#options.token(), leaveGate)
    config(occupant.token, fresh).then(
      (known) => handle.send({ type: 'config', config: { ...known, lanes, hand: handle.handDescriptor } }),
      () => undefined, // the supervisor could not connect and is giving up
    )
    return occupant
  }

  #hear(occupant: Occupant, message: FromWorker): void {
    switch (message.type) {
      case 'loaded':
        occupant.leaveGate()
        break
      case 'ready':
        occupant.ready = true
        this.tasks = message.tasks
        this.versions = message.versions
        this.#options.onReady()
        this.#succession.relieve()
        break
      case 'item':
        this.#overdue.noteItem(occupant, message.lane, message, message.limit)
        break
      case 'last':
        occupant.resigned = true
        this.#succession.retire(occupant)
        this.#succession.share()
        break
      case 'freed':
        this.#succession.share()
        break
      case 'replace':
        this.#succession.retire(occupant)
        break
      case 'limits':
        occupant.limits = message.limits
        break
      case 'done':
        occupant.done = true
        // Handlers of user code may hold it up, for ever as well.
        occupant.deadline.set(exitGrace, () => occupant.handle.kill())
        break
      case 'preparing':
        this.#watch(occupant, message.preparation)
        break
      case 'crash':
        occupant.crash = message
        break
      case 'survived':
        occupant.crash = undefined
        break
      case 'failed':
        occupant.failure = message.error
        break
      case 'misfit':
        occupant.misfit = message.jobId
        if (message.jobId !== undefined) this.#succession.retire(occupant)
        break
      case 'initialized':
        occupant.spec = message.key
        this.#options.onInitialized(message.clientId)
        break
      case 'initializer-failed':
        occupant.leaving = true
        occupant.pause = this.#options.onInitializerFailed(message)
        break
    }
  }

  #left(occupant: Occupant, exit: ProgramExit, held: readonly HeldChunk[], hadWork: boolean): void {
    occupant.leaveGate()
    occupant.deadline.clear()
    occupant.patience.clear()
    for (const lane of occupant.lanes.values()) lane.deadline.clear()
    if (!occupant.done) this.#report(occupant, exit, held)
    occupant.gone.resolve()
    if (!this.#succession.left(occupant)) return
    const pause = this.#pauseAfter(occupant, exit, held.length === 0 && { hadWork })
    if (pause !== undefined) this.#succession.refill(pause)
  }

  #watch(occupant: Occupant, preparation: Preparation | undefined): void {
    if (preparation === undefined) occupant.patience.clear()
    else occupant.patience.set(longPreparation, () => this.#options.onSlow(preparation, occupant.handle.pid))
  }

  #report(occupant: Occupant, exit: ProgramExit, held: readonly HeldChunk[]): void {
    const { lanes, record, onLost } = this.#options
    const loss = lossOf(occupant, exit, held, lanes)
    const why = occupant.killed ?? (loss.blame === 'none' ? undefined : reasonOf(exit))
    if (why !== undefined) record.noteLoss(loss.pid, why, [...loss.chunks.keys()])
    this.#recover(onLost(loss))
  }

  #recover(work: Promise<void>): void {
    const recovery = work.finally(() => this.#recovering.delete(recovery))
    this.#recovering.add(recovery)
  }

  /**
   * Milliseconds before the next start where nobody is left; undefined when there is to be none.
   *
   * @param idle - it had nothing in hand
   */
  #pauseAfter(
    { failure, began, ready, leaving, done, crash, pause, handle }: Occupant,
    exit: ProgramExit,
    idle: false | { readonly hadWork: boolean },
  ): number | undefined {
    const { onFailedStart, onIdleEnd } = this.#options
    if (failure !== undefined) return onFailedStart({ error: decodeError(failure), refused: false, began })
    if (ready && idle && !leaving && !done) {
      return onIdleEnd({ pid: handle.pid, why: reasonOf(exit), crash: crash?.error, began, ...idle })
    }
    if (ready || leaving) return pause
    return onFailedStart({ error: startError(exit, crash?.error), refused: isRefused(exit), began })
  }
}
