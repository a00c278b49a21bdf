/**
 * One seat of a supervisor: the worker process that takes chunks now, and, while that one runs its last chunk, its
 * successor, started ahead so that the seat is not empty for the time a start takes. A worker process that dies is
 * replaced; what it had in hand is reported once, with what is known of the cause.
 */

import { type WireError, within } from '@poolmq/shared'
import type { FromWorker, ToWorker, WorkerConfig } from '../line/messages.js'
import type { ProgramExit } from '../line/started-program.js'
import { type ItemOfChunk, isAtAStand, isDeaf, newOccupant, type Occupant } from './occupant.js'
import { residentMemory } from './resident-memory.js'
import { type StartedWorker, startProcess, startThread, type WorkerListener } from './worker-handle.js'

/** What a worker process that has ended may have left. */
export interface WorkerLoss {
  readonly token: string
  readonly pid: number
  readonly exit: ProgramExit
  /** False when it was made to end (drain, recycling, stop, a failed initializer): its chunk is not to blame. */
  readonly counts: boolean
  /** The item that ran, where it is known. */
  readonly item: ItemOfChunk | undefined
  /** The chunk whose client is gone or has cancelled it: it is not to run again. */
  readonly cancelled: string | undefined
  /** The item was ended because it ran for longer than so many milliseconds. */
  readonly late: (ItemOfChunk & { readonly limit: number }) | undefined
}

export interface WorkerSlotOptions {
  /** A worker process that was started already. */
  readonly started?: StartedWorker | undefined
  readonly threads: boolean
  /** @param fresh - without the initializer of a Pool's own worker processes: another's is to run in it */
  readonly config: (token: string, fresh: boolean) => Promise<Omit<WorkerConfig, 'hand'>>
  readonly onReady: () => void
  /** A worker process has stopped looking for chunks, and is being replaced. */
  readonly onDeaf: (pid: number) => void
  /** A worker process has been stopped, and not continued, and is being replaced. */
  readonly onStopped: (pid: number) => void
  readonly onLost: (loss: WorkerLoss) => Promise<void>
  /** Returns the milliseconds to wait before the next start, or undefined when there is to be none. */
  readonly onFailedStart: (reason: WireError | string, killed: boolean) => number | undefined
  /** The initializer of this client has run in a worker process. */
  readonly onInitialized: (clientId: string) => void
  readonly onInitializerFailed: (clientId: string, error: WireError) => number
}

/** Milliseconds that a cancelled task has to end by itself. */
const cancelGrace = 500
/** Milliseconds that a task whose time is over has to end by itself. */
const lateGrace = 1000
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
  readonly #options: WorkerSlotOptions
  #current: Occupant
  #successor: Occupant | undefined
  #ending = false
  readonly #recovering = new Set<Promise<void>>()

  constructor(options: WorkerSlotOptions) {
    this.#options = options
    this.#current = this.#start(true, options.started)
  }

  get isReady(): boolean {
    return this.#current.ready
  }

  /** What stands for the initializer that has run in the process of this seat. */
  get spec(): string | undefined {
    return this.#current.spec
  }

  /** The chunk in hand, and the token of its lock. */
  get held(): { readonly jobId: string; readonly token: string } | undefined {
    const { handle, token } = this.#current
    const { jobId } = handle
    return jobId === undefined ? undefined : { jobId, token }
  }

  send(message: ToWorker): void {
    this.#current.handle.send(message)
    this.#successor?.handle.send(message)
  }

  /**
   * Stops what runs of this chunk, which does not run again: the task by its signal, and after a grace period the
   * process that still runs it. Its seat is taken by another.
   */
  cancel(jobId: string): void {
    const occupant = this.#current
    if (occupant.handle.jobId !== jobId || occupant.cancelled === jobId) return
    occupant.cancelled = jobId
    occupant.handle.send({ type: 'cancel', jobId })
    this.#endIn(cancelGrace, occupant, jobId)
  }

  /** Whether the process, busy as it may be, has grown beyond what its pool allows; then it is replaced. */
  checkMemory(): void {
    const occupant = this.#current
    const { memory } = occupant.limits
    if (this.#options.threads || memory === null || occupant.retiring) return
    const bytes = residentMemory(occupant.handle.pid)
    if (bytes !== undefined && bytes >= memory) this.#retire(occupant)
  }

  /** Starts the successor of a process, which leaves when that one is ready. */
  #retire(occupant: Occupant): void {
    if (this.#ending || occupant !== this.#current || occupant.retiring) return
    occupant.retiring = true
    this.#successor ??= this.#start(false, undefined, occupant.misfit !== undefined)
    this.#relieve()
  }

  #relieve(): void {
    const [occupant, successor] = [this.#current, this.#successor]
    if (!occupant.retiring || successor?.ready !== true || occupant.leaving) return
    occupant.leaving = true
    const { misfit, token } = occupant
    if (misfit !== undefined) {
      successor.handle.send({ type: 'go', heir: { jobId: misfit, token } })
      occupant.deadline.set(bequestGrace, () => occupant.handle.kill())
    }
    occupant.handle.send({ type: 'drain', heir: misfit !== undefined })
  }

  /** Ends the process of a chunk that should not run any more, if it still does in so many milliseconds. */
  #endIn(grace: number, occupant: Occupant, jobId: string, onEnd?: () => void): void {
    occupant.deadline.set(grace, () => {
      if (occupant.handle.jobId !== jobId) return
      onEnd?.()
      occupant.leaving = true
      occupant.handle.kill()
    })
  }

  /** Ends its processes, with time to do it by themselves. No other is started. */
  async end(how: 'drain' | 'stop', grace: number): Promise<void> {
    this.#ending = true
    const occupants = this.#successor === undefined ? [this.#current] : [this.#current, this.#successor]
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

  #start(go: boolean, started?: StartedWorker, fresh = false): Occupant {
    const listener: WorkerListener = {
      onMessage: (message) => this.#hear(occupant, message),
      onExit: (exit) => this.#left(occupant, exit),
    }
    const handle = this.#options.threads ? startThread(listener) : startProcess(listener, started)
    const occupant: Occupant = newOccupant(handle)
    this.#options.config(occupant.token, fresh).then(
      (config) => {
        occupant.handle.send({ type: 'config', config: { ...config, hand: occupant.handle.handDescriptor } })
        if (go) occupant.handle.send({ type: 'go' })
      },
      () => undefined, // the supervisor could not connect and is giving up
    )
    return occupant
  }

  #hear(occupant: Occupant, message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        occupant.ready = true
        this.tasks = message.tasks
        this.#options.onReady()
        this.#relieve()
        break
      case 'item':
        occupant.item = message
        this.#limitItem(occupant, message, message.limit)
        break
      case 'last':
        if (!this.#ending && occupant === this.#current) this.#successor ??= this.#start(false)
        break
      case 'replace':
        this.#retire(occupant)
        break
      case 'limits':
        occupant.limits = message.limits
        break
      case 'done':
        occupant.done = true
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
        occupant.pause = this.#options.onInitializerFailed(message.clientId, message.error)
        break
    }
  }

  /** Chunks that are over: if the one in hand is among them, its process has nothing to do but to tell so. */
  noteOver(jobIds: ReadonlySet<string>): void {
    const { jobId } = this.#current.handle
    this.#current.over = jobId !== undefined && jobIds.has(jobId) ? jobId : undefined
  }

  /** Called at intervals, each time that this host has had an answer from Redis. A deaf worker process is replaced. */
  checkHearing(): void {
    const occupant = this.#current
    if (!isDeaf(occupant)) return
    this.#options.onDeaf(occupant.handle.pid)
    occupant.leaving = true
    occupant.handle.kill()
  }

  /** Called five times in a lease. A process that has been stopped for as long is replaced, and its chunk given back. */
  checkStanding(): void {
    if (this.#options.threads) return
    for (const occupant of [this.#current, this.#successor]) {
      if (occupant === undefined || !isAtAStand(occupant)) continue
      this.#options.onStopped(occupant.handle.pid)
      occupant.leaving = true
      occupant.handle.kill()
    }
  }

  #limitItem(occupant: Occupant, { jobId, index }: ItemOfChunk, limit: number): void {
    if (occupant.cancelled === jobId) return
    if (limit === 0) occupant.deadline.clear()
    else
      this.#endIn(limit + lateGrace, occupant, jobId, () => {
        occupant.late = { jobId, index, limit }
      })
  }

  #left(occupant: Occupant, exit: ProgramExit): void {
    occupant.deadline.clear()
    if (!occupant.done) this.#report(occupant, exit)
    occupant.gone.resolve()
    if (this.#ending) return
    if (occupant === this.#successor) {
      // The current one finds no successor: the seat is filled when it leaves.
      this.#successor = undefined
      this.#current.retiring = false
      if (this.#current.misfit !== undefined) setTimeout(() => this.#retire(this.#current), successorPause)
      return
    }
    this.#replace(occupant, exit)
  }

  #report(occupant: Occupant, exit: ProgramExit): void {
    const { token, item, cancelled, late } = occupant
    const counts = !occupant.leaving && occupant.failure === undefined && occupant.misfit === undefined
    const recovery = this.#options
      .onLost({ token, pid: occupant.handle.pid, exit, counts, item, cancelled, late })
      .finally(() => this.#recovering.delete(recovery))
    this.#recovering.add(recovery)
  }

  #replace(occupant: Occupant, exit: ProgramExit): void {
    const successor = this.#successor
    this.#successor = undefined
    if (successor !== undefined) {
      this.#current = successor
      successor.handle.send({ type: 'go' })
      return
    }
    let pause: number | undefined = occupant.pause
    if (!occupant.ready && !occupant.leaving) {
      const how = exit.signal === null ? `exit code ${exit.code}` : exit.signal
      pause = this.#options.onFailedStart(
        occupant.failure ?? `a worker process ended with ${how} before it was ready; its own output says why`,
        exit.signal === 'SIGKILL',
      )
    } else if (occupant.failure !== undefined) {
      pause = this.#options.onFailedStart(occupant.failure, false)
    }
    if (pause === undefined) return
    setTimeout(() => {
      if (!this.#ending) this.#current = this.#start(true)
    }, pause)
  }
}
