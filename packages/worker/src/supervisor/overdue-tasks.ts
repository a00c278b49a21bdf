/**
 * The end of what should not run any more: a task of a cancelled chunk, and one whose time is over. It is told by its signal, and has a
 * grace period. One that does not end then ends with its process, which its neighbours must not suffer for: its chunk is given
 * up at once, a successor takes the seat, and the neighbours have some time to finish.
 */
import { cancelGrace, lateGrace } from './deadline.js'
import { type ItemOfChunk, inHand, killOccupant, type Occupant, type WatchedLane, watchedLane } from './occupant.js'
import { type LostChunk, lostChunk } from './worker-loss.js'

/** Milliseconds, the last of those, in which a worker process of several lanes must be seen to turn. */
const probe = 400
/** Milliseconds that the neighbours of a task that does not end have to finish. */
const neighbourGrace = 10_000

/** What its seat does for it. */
export interface OverdueTasksParts {
  /** Chunks that may be in hand at a time. */
  readonly lanes: number
  /** The process goes on for its other chunks only. */
  readonly replace: (occupant: Occupant) => void
  /** A chunk is to run elsewhere or not at all, although its process goes on for a while. */
  readonly giveUp: (jobId: string, token: string, chunk: LostChunk) => void
}

export class OverdueTasks {
  readonly #parts: OverdueTasksParts

  constructor(parts: OverdueTasksParts) {
    this.#parts = parts
  }

  /** Stops what runs of this chunk, which does not run again, if this process has it in hand. */
  cancel(occupant: Occupant, jobId: string): void {
    const chunk = inHand(occupant).find((held) => held.jobId === jobId)
    if (chunk === undefined) return
    const lane = watchedLane(occupant, chunk.lane)
    if (lane.cancelled === jobId) return
    lane.cancelled = jobId
    occupant.handle.send({ type: 'cancel', jobId })
    this.#endIn(cancelGrace, occupant, lane, jobId)
  }

  /** An item of a chunk in this lane runs from now on, for so many milliseconds at most; 0: no limit, or no more. */
  noteItem(occupant: Occupant, lane: number, { jobId, index }: ItemOfChunk, limit: number): void {
    const watched = watchedLane(occupant, lane)
    watched.item = { jobId, index }
    if (watched.cancelled === jobId) return
    if (limit === 0) watched.deadline.clear()
    else this.#endIn(limit + lateGrace, occupant, watched, jobId, { jobId, index, limit })
  }

  /** Ends it, if it still runs in so many milliseconds. */
  #endIn(grace: number, occupant: Occupant, lane: WatchedLane, jobId: string, late?: WatchedLane['late']): void {
    const isInHand = () => inHand(occupant).some((held) => held.jobId === jobId)
    const end = (stands: boolean) => this.#end(occupant, lane, jobId, late, stands)
    const look = () => {
      const told = occupant.handle.lastTold
      lane.deadline.set(probe, () => isInHand() && end(occupant.handle.lastTold === told))
    }
    if (this.#parts.lanes > 1) lane.deadline.set(grace - probe, look)
    else lane.deadline.set(grace, () => isInHand() && end(false))
  }

  /** @param stands - its event loop does not turn */
  #end(occupant: Occupant, lane: WatchedLane, jobId: string, late: WatchedLane['late'], stands: boolean): void {
    const { replace, giveUp } = this.#parts
    const hasNeighbours = inHand(occupant).some((held) => held.runs && held.jobId !== jobId)
    // Whose limit is over first need not be the one that keeps the event loop.
    if (late !== undefined && hasNeighbours && stands) occupant.blocked = true
    else lane.late = late
    const why = late === undefined ? 'cancelled' : 'time limit'
    if (!hasNeighbours || stands) {
      killOccupant(occupant, why)
      return
    }
    occupant.givenUp.add(jobId)
    occupant.handle.send({ type: 'disown', jobId })
    giveUp(jobId, occupant.token, lostChunk(jobId, lane))
    if (!occupant.dismissed) occupant.deadline.set(neighbourGrace, () => killOccupant(occupant, why))
    occupant.dismissed = true
    replace(occupant)
  }
}
