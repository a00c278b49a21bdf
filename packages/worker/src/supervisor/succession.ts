/**
 * Whose turn it is in a seat: the worker process that takes chunks now, its successor, started ahead so that the seat is not
 * empty for the time a start takes, and those before it that still run what they had in hand. All of them together have no
 * more chunks in hand than the seat has lanes.
 */
import type { Heir } from '../line/messages.js'
import type { HostRecord } from './host-record.js'
import { inHand, killOccupant, type Occupant } from './occupant.js'
import type { StartGate } from './start-gate.js'

/** What its seat does for it, and what it needs to know. */
export interface SuccessionParts {
  /** Chunks that may be in hand at a time. */
  readonly lanes: number
  readonly gate: StartGate
  readonly record: HostRecord
  /** Starts another process. @param fresh - without the initializer of a Pool's own worker processes */
  readonly start: (leaveGate: () => void, fresh: boolean) => Occupant
}

/** Milliseconds that a process has to end once its successor was told to take over what it has in hand. */
const bequestGrace = 5000
/** Milliseconds before the next try where a successor that somebody waits for has died. */
const successorPause = 500

export class Succession {
  readonly #parts: SuccessionParts
  #current: Occupant
  #successor: Occupant | undefined
  /** Those whose seat another has taken. */
  readonly #former = new Set<Occupant>()
  #closed = false

  constructor(first: Occupant, parts: SuccessionParts) {
    this.#parts = parts
    this.#current = first
    this.share()
  }

  /** The one that takes chunks. */
  get current(): Occupant {
    return this.#current
  }

  /** Those that may have chunks in hand. */
  get serving(): Occupant[] {
    return [this.#current, ...this.#former]
  }

  get all(): Occupant[] {
    return this.#successor === undefined ? this.serving : [...this.serving, this.#successor]
  }

  /** No other is started. */
  close(): void {
    this.#closed = true
  }

  /** Starts the successor of a process, which takes nothing more when that one is ready. */
  retire(occupant: Occupant): void {
    if (this.#closed || occupant !== this.#current || occupant.retiring) return
    occupant.retiring = true
    this.relieve()
    if (this.#successor !== undefined) return
    const { gate, start } = this.#parts
    gate.enter((leave) => {
      // It may have died meanwhile, and been replaced.
      const isWanted = occupant === this.#current && occupant.retiring && this.#successor === undefined
      if (isWanted && !this.#closed) this.#successor = start(leave, occupant.misfit !== undefined)
      else leave()
    }, true)
  }

  /** The successor takes the seat, if it is ready and the current one retires. */
  relieve(): void {
    const [former, successor] = [this.#current, this.#successor]
    if (!former.retiring || successor?.ready !== true) return
    if (!former.dismissed) this.#parts.record.noteRecycled(former.handle.pid)
    this.#former.add(former)
    this.#current = successor
    this.#successor = undefined
    const { misfit, token } = former
    if (misfit !== undefined) this.#bequeath(former, { jobId: misfit, token })
    former.handle.send({ type: 'drain', heir: misfit !== undefined })
    this.share()
  }

  /** The current process takes over what the one before it keeps for it. */
  #bequeath(former: Occupant, heir: Heir): void {
    former.givenUp.add(heir.jobId)
    this.#current.open = 1
    this.#current.handle.send({ type: 'go', lanes: 1, heir })
    former.deadline.set(bequestGrace, () => {
      if (inHand(former).length === 0) killOccupant(former, 'deaf')
    })
  }

  /** Lets the current process use the lanes that those before it do not need any more. */
  share(): void {
    let { lanes } = this.#parts
    for (const occupant of this.#former) lanes -= occupant.resigned ? inHand(occupant).length : occupant.open
    if (lanes <= this.#current.open) return
    this.#current.open = lanes
    this.#current.handle.send({ type: 'go', lanes })
  }

  /** A process has ended. @returns whether the seat is empty now */
  left(occupant: Occupant): boolean {
    if (this.#closed) return false
    if (this.#former.delete(occupant)) {
      this.share()
      return false
    }
    const successor = this.#successor
    this.#successor = undefined
    if (occupant === successor) {
      // The current one finds no successor: the seat is filled when it leaves.
      this.#current.retiring = false
      if (this.#current.misfit !== undefined) setTimeout(() => this.retire(this.#current), successorPause)
      return false
    }
    if (occupant.retiring && occupant.done) this.#parts.record.noteRecycled(occupant.handle.pid)
    if (successor === undefined) return true
    this.#current = successor
    this.share()
    return false
  }

  /** Another process takes the empty seat, in so many milliseconds. */
  refill(pause: number): void {
    this.#current.ready = false
    setTimeout(() => {
      if (this.#closed) return
      this.#parts.gate.enter((leave) => {
        this.#current = this.#parts.start(leave, false)
        this.share()
      }, true)
    }, pause)
  }
}
