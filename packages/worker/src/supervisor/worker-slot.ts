/**
 * One seat of a supervisor: the worker process that takes chunks now, its successor, started ahead so that the seat is not
 * empty for the time a start takes, and those before it that still run what they had in hand. All of them together have
 * no more chunks in hand than the seat has lanes. A worker process that dies is replaced; what it had in hand is reported
 * once, with what is known of the cause (worker-loss). A task that is to end and does not ends with its process (overdue-tasks).
 */
import { decodeError, type ProcessReport, within } from '@poolmq/shared'
import type { HeldChunk } from '../line/hand.js'
import type { FromWorker, Heir, Preparation, ToWorker, WorkerConfig } from '../line/messages.js'
import type { ProgramExit } from '../line/started-program.js'
import type { Tally } from '../line/tally.js'
import { type HostRecord, reasonOf } from './host-record.js'
import type { InitializerTry } from './initializer-failures.js'
import { inHand, isAtAStand, isBlocked, isDeaf, newOccupant, type Occupant } from './occupant.js'
import { OverdueTasks } from './overdue-tasks.js'
import { processReport } from './process-report.js'
import { residentMemory } from './resident-memory.js'
import { isRefused, type StartFailure, startError } from './start-failures.js'
import type { StartGate } from './start-gate.js'
import { type StartedWorker, startProcess, startThread, type WorkerListener } from './worker-handle.js'
import { type LostChunk, lossOf, type WorkerLoss } from './worker-loss.js'

export interface WorkerSlotOptions {
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
  /** A worker process has stopped looking for chunks, and is being replaced. */
  readonly onDeaf: (pid: number) => void
  /** One of several chunks keeps the event loop of a worker process from the others. */
  readonly onBlocked: (pid: number, jobIds: readonly string[]) => void
  /** A worker process has been stopped, and not continued, and is being replaced. */
  readonly onStopped: (pid: number) => void
  /** A module has been loading, or an initializer running, for some seconds: it may hang. */
  readonly onSlow: (preparation: Preparation, pid: number) => void
  readonly onLost: (loss: WorkerLoss) => Promise<void>
  /** A chunk is to run elsewhere or not at all, although its process goes on for a while. */
  readonly onGivenUp: (jobId: string, token: string, chunk: LostChunk) => Promise<void>
  /** Returns the milliseconds to wait before the next start, or undefined when there is to be none. */
  readonly onFailedStart: (failure: StartFailure) => number | undefined
  /** The initializer of this client has run in a worker process. */
  readonly onInitialized: (clientId: string) => void
  /** Returns the milliseconds to wait before the next start. */
  readonly onInitializerFailed: (failure: InitializerTry & { readonly key: string }) => number
}

/** Milliseconds after which it is told what a worker process waits for. */
export const longPreparation = 5000
/** Milliseconds that a process which has nothing more to do takes to end. */
const exitGrace = 5000
/** Milliseconds that a killed process takes to end; a thread that waits in the system may never. */
const killGrace = 2000
/** Milliseconds that a process has to end once its successor was told to take over what it has in hand. */
const bequestGrace = 5000
/** Milliseconds before the next try where a successor that somebody waits for has died. */
const successorPause = 500
/** Milliseconds that giving chunks back may take at the end; Redis may be out of reach, and then their locks lapse. */
const recoverGrace = 2000

export class WorkerSlot {
  tasks: readonly string[] = []
  /** The versions of the tasks that have one. */
  versions: Readonly<Record<string, readonly string[]>> = {}
  readonly #options: WorkerSlotOptions
  #current: Occupant
  #successor: Occupant | undefined
  /** Those whose seat another has taken. */
  readonly #former = new Set<Occupant>()
  readonly #overdue: OverdueTasks
  #ending = false
  readonly #recovering = new Set<Promise<void>>()

  constructor(options: WorkerSlotOptions) {
    this.#options = options
    this.#overdue = new OverdueTasks({
      lanes: options.lanes,
      kill: (occupant, why) => this.#kill(occupant, why),
      replace: (occupant) => {
        this.#retire(occupant)
        this.#share()
      },
      giveUp: (jobId, token, chunk) => this.#recover(options.onGivenUp(jobId, token, chunk)),
    })
    this.#current = this.#start(options.leaveGate, { started: options.started })
    this.#share()
  }

  get isReady(): boolean {
    return this.#current.ready
  }

  get lanes(): number {
    return this.#options.lanes
  }

  /** What stands for the initializer that has run in the process of this seat. */
  get spec(): string | undefined {
    return this.#current.spec
  }

  /** The chunks in hand, and the tokens of their locks. */
  get held(): { readonly jobId: string; readonly token: string }[] {
    return this.#serving.flatMap((occupant) => inHand(occupant).map(({ jobId }) => ({ jobId, token: occupant.token })))
  }

  /** What its worker processes have run. */
  get tallies(): Tally[] {
    return this.#all.map((occupant) => occupant.handle.tally())
  }

  /** Its worker processes as those see them who watch. */
  get reports(): ProcessReport[] {
    return this.#all.map((occupant) => processReport(occupant, occupant === this.#current ? this.#options.lanes : 0))
  }

  get #all(): Occupant[] {
    return this.#successor === undefined ? this.#serving : [...this.#serving, this.#successor]
  }

  get #serving(): Occupant[] {
    return [this.#current, ...this.#former]
  }

  send(message: ToWorker): void {
    for (const occupant of this.#serving) occupant.handle.send(message)
    this.#successor?.handle.send(message)
  }

  /**
   * Stops what runs of this chunk, which does not run again: the task by its signal, and after a grace period the
   * process that still runs it. Its seat is taken by another.
   */
  cancel(jobId: string): void {
    for (const occupant of this.#serving) this.#overdue.cancel(occupant, jobId)
  }

  /** Whether the process, busy as it may be, has grown beyond what its pool allows; then it is replaced. */
  checkMemory(): void {
    const occupant = this.#current
    const { memory } = occupant.limits
    if (this.#options.threads || memory === null || occupant.retiring) return
    const bytes = residentMemory(occupant.handle.pid)
    if (bytes !== undefined && bytes >= memory) this.#retire(occupant)
  }

  /** Whether a task keeps the event loop from its neighbours: it is said once. */
  checkTurning(): void {
    if (this.#options.lanes === 1) return
    for (const occupant of this.#serving) {
      if (!isBlocked(occupant)) continue
      const running = occupant.handle.held.filter(({ runs }) => runs).map(({ jobId }) => jobId)
      this.#options.onBlocked(occupant.handle.pid, running)
    }
  }

  /** Starts the successor of a process, which takes nothing more when that one is ready. */
  #retire(occupant: Occupant): void {
    if (this.#ending || occupant !== this.#current || occupant.retiring) return
    occupant.retiring = true
    this.#relieve()
    if (this.#successor !== undefined) return
    this.#options.gate.enter((leave) => {
      // It may have died meanwhile, and been replaced.
      const isWanted = occupant === this.#current && occupant.retiring && this.#successor === undefined
      if (isWanted && !this.#ending) this.#successor = this.#start(leave, { fresh: occupant.misfit !== undefined })
      else leave()
    }, true)
  }

  #relieve(): void {
    const [former, successor] = [this.#current, this.#successor]
    if (!former.retiring || successor?.ready !== true) return
    if (!former.dismissed) this.#options.record.noteRecycled(former.handle.pid)
    this.#former.add(former)
    this.#current = successor
    this.#successor = undefined
    const { misfit, token } = former
    if (misfit !== undefined) this.#bequeath(former, { jobId: misfit, token })
    former.handle.send({ type: 'drain', heir: misfit !== undefined })
    this.#share()
  }

  /** The current process takes over what the one before it keeps for it. */
  #bequeath(former: Occupant, heir: Heir): void {
    former.givenUp.add(heir.jobId)
    this.#current.open = 1
    this.#current.handle.send({ type: 'go', lanes: 1, heir })
    former.deadline.set(bequestGrace, () => {
      if (inHand(former).length === 0) this.#kill(former, 'deaf')
    })
  }

  /** Lets the current process use the lanes that those before it do not need any more. */
  #share(): void {
    let lanes = this.#options.lanes
    for (const occupant of this.#former) lanes -= occupant.resigned ? inHand(occupant).length : occupant.open
    if (lanes <= this.#current.open) return
    this.#current.open = lanes
    this.#current.handle.send({ type: 'go', lanes })
  }

  /** @param why - what those are told who ask how it was lost */
  #kill(occupant: Occupant, why: string): void {
    occupant.leaving = true
    occupant.killed = why
    occupant.handle.kill()
  }

  /** Ends its processes, with time to do it by themselves. No other is started. */
  async end(how: 'drain' | 'stop', grace: number): Promise<void> {
    this.#ending = true
    const occupants = this.#serving
    if (this.#successor !== undefined) occupants.push(this.#successor)
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
  #start(
    leaveGate: () => void,
    { started, fresh = false }: { started?: StartedWorker | undefined; fresh?: boolean } = {},
  ): Occupant {
    const { lanes, threads, config } = this.#options
    const listener: WorkerListener = {
      onMessage: (message) => this.#hear(occupant, message),
      onExit: (exit, held, tally) => {
        this.#options.record.keep(tally)
        this.#left(occupant, exit, held)
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
        this.#relieve()
        break
      case 'item':
        this.#overdue.noteItem(occupant, message.lane, message, message.limit)
        break
      case 'last':
        occupant.resigned = true
        this.#retire(occupant)
        this.#share()
        break
      case 'freed':
        this.#share()
        break
      case 'replace':
        this.#retire(occupant)
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
        if (message.jobId !== undefined) this.#retire(occupant)
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

  /** Chunks that are over: a process that has no others has nothing to do but to tell so. */
  noteOver(jobIds: ReadonlySet<string>): void {
    for (const occupant of this.#serving) occupant.over = jobIds
  }

  /** Called at intervals, each time that this host has had an answer from Redis. A deaf worker process is replaced. */
  checkHearing(): void {
    for (const occupant of this.#serving) {
      if (!isDeaf(occupant)) continue
      this.#options.onDeaf(occupant.handle.pid)
      this.#kill(occupant, 'deaf')
    }
  }

  /** Called five times in a lease. A process that has been stopped for as long is replaced, and its chunks given back. */
  checkStanding(): void {
    if (this.#options.threads) return
    for (const occupant of [...this.#serving, this.#successor]) {
      if (occupant === undefined || !isAtAStand(occupant)) continue
      this.#options.onStopped(occupant.handle.pid)
      this.#kill(occupant, 'stopped')
    }
  }

  #left(occupant: Occupant, exit: ProgramExit, held: readonly HeldChunk[]): void {
    occupant.leaveGate()
    occupant.deadline.clear()
    occupant.patience.clear()
    for (const lane of occupant.lanes.values()) lane.deadline.clear()
    if (!occupant.done) this.#report(occupant, exit, held)
    occupant.gone.resolve()
    if (this.#ending) return
    if (this.#former.delete(occupant)) this.#share()
    else if (occupant === this.#successor) {
      // The current one finds no successor: the seat is filled when it leaves.
      this.#successor = undefined
      this.#current.retiring = false
      if (this.#current.misfit !== undefined) setTimeout(() => this.#retire(this.#current), successorPause)
    } else this.#replace(occupant, exit)
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

  #replace(occupant: Occupant, exit: ProgramExit): void {
    const successor = this.#successor
    this.#successor = undefined
    if (occupant.retiring && occupant.done) this.#options.record.noteRecycled(occupant.handle.pid)
    if (successor !== undefined) {
      this.#current = successor
      this.#share()
      return
    }
    let pause: number | undefined = occupant.pause
    const { failure, began, ready, leaving } = occupant
    if (failure !== undefined) {
      pause = this.#options.onFailedStart({ error: decodeError(failure), refused: false, began })
    } else if (!ready && !leaving) {
      pause = this.#options.onFailedStart({
        error: startError(exit, occupant.crash?.error),
        refused: isRefused(exit),
        began,
      })
    }
    if (pause === undefined) return
    occupant.ready = false
    setTimeout(() => {
      if (this.#ending) return
      this.#options.gate.enter((leave) => {
        this.#current = this.#start(leave)
        this.#share()
      }, true)
    }, pause)
  }
}
