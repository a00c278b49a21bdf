/**
 * Looks at intervals whether the worker processes of a seat work, from outside: one that listens no more or is stopped is
 * replaced, one that has grown too large retires, and one that a task keeps from its other chunks is told. Looks are
 * counted, and no time is taken, as the whole host may have been suspended.
 */
import { inHand, killOccupant, type Occupant } from './occupant.js'
import { isStopped } from './process-state.js'
import { residentMemory } from './resident-memory.js'
import type { Succession } from './succession.js'

/** Who is told of what it finds. */
export interface WatchdogListener {
  /** A worker process has stopped looking for chunks, and is being replaced. */
  readonly onDeaf: (pid: number) => void
  /** One of several chunks keeps the event loop of a worker process from the others. */
  readonly onBlocked: (pid: number, jobIds: readonly string[]) => void
  /** A worker process has been stopped, and not continued, and is being replaced. */
  readonly onStopped: (pid: number) => void
}

/** Looks at which a worker process without a chunk, or with chunks that are over only, may have told nothing. */
const mostSilences = 3
/** Looks at which a worker process of several lanes may stand still before it is told. */
const mostStandstills = 5
/** Looks, five of which a lease has, at which a process may have been stopped. */
const mostStops = 5

export class Watchdog {
  readonly #succession: Succession
  readonly #lanes: number
  /** A thread has neither memory nor a state of its own. */
  readonly #threads: boolean
  readonly #listener: WatchdogListener

  constructor(succession: Succession, lanes: number, threads: boolean, listener: WatchdogListener) {
    this.#succession = succession
    this.#lanes = lanes
    this.#threads = threads
    this.#listener = listener
  }

  /** Chunks that are over: a process that has no others has nothing to do but to tell so. */
  noteOver(jobIds: ReadonlySet<string>): void {
    for (const occupant of this.#succession.serving) occupant.over = jobIds
  }

  /** Whether the process, busy as it may be, has grown beyond what its pool allows; then it is replaced. */
  checkMemory(): void {
    const occupant = this.#succession.current
    const { memory } = occupant.limits
    if (this.#threads || memory === null || occupant.retiring) return
    const bytes = residentMemory(occupant.handle.pid)
    if (bytes !== undefined && bytes >= memory) this.#succession.retire(occupant)
  }

  /** Whether a task keeps the event loop from its neighbours: it is said once. */
  checkTurning(): void {
    if (this.#lanes === 1) return
    for (const occupant of this.#succession.serving) {
      if (!isBlocked(occupant)) continue
      const running = occupant.handle.held.filter(({ runs }) => runs).map(({ jobId }) => jobId)
      this.#listener.onBlocked(occupant.handle.pid, running)
    }
  }

  /** Called at intervals, each time that this host has had an answer from Redis. A deaf worker process is replaced. */
  checkHearing(): void {
    for (const occupant of this.#succession.serving) {
      if (!isDeaf(occupant)) continue
      this.#listener.onDeaf(occupant.handle.pid)
      killOccupant(occupant, 'deaf')
    }
  }

  /** Called five times in a lease. A process that has been stopped for as long is replaced, and its chunks given back. */
  checkStanding(): void {
    if (this.#threads) return
    for (const occupant of this.#succession.all) {
      if (!isAtAStand(occupant)) continue
      this.#listener.onStopped(occupant.handle.pid)
      killOccupant(occupant, 'stopped')
    }
  }
}

/** One without a chunk, or with chunks that are over only, has told that it looks for others since the last time, or it is deaf. */
function isDeaf(occupant: Occupant): boolean {
  const { lastTold: told } = occupant.handle
  const idle = () => inHand(occupant).every(({ jobId }) => occupant.over.has(jobId))
  const isSilent = occupant.ready && told === occupant.lastTold && idle()
  occupant.lastTold = told
  occupant.silences = isSilent ? occupant.silences + 1 : 0
  return occupant.silences >= mostSilences
}

/** True once for each time that a task keeps the event loop from the others. */
function isBlocked(occupant: Occupant): boolean {
  const { lastTold: told, held } = occupant.handle
  const stands = told === occupant.lastBeat && held.some(({ runs }) => runs)
  occupant.lastBeat = told
  occupant.standstills = stands ? occupant.standstills + 1 : 0
  return occupant.standstills === mostStandstills && !isStopped(occupant.handle.pid)
}

/**
 * A process that has been stopped for a lease works no more than one that has died, and as long as its supervisor holds its
 * lease nobody else would have its chunk. If the whole host stood still, so did we.
 */
function isAtAStand(occupant: Occupant): boolean {
  occupant.stops = isStopped(occupant.handle.pid) ? occupant.stops + 1 : 0
  return occupant.stops >= mostStops
}
