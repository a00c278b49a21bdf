/** A worker process in a seat, with all that its supervisor knows of it. */
import { Deferred, type WireError } from '@poolmq/shared'
import type { HeldChunk } from '../line/hand.js'
import type { Crash, RecyclingLimits } from '../line/messages.js'
import { Deadline } from './deadline.js'
import type { WorkerHandle } from './worker-handle.js'

export interface ItemOfChunk {
  readonly jobId: string
  readonly index: number
}

/** What is known of a lane of a worker process, beside what it has in hand. */
export interface WatchedLane {
  /** Ends what should have ended long since. */
  readonly deadline: Deadline
  /** The chunk whose client is gone or has cancelled it: it is not to run again. */
  cancelled: string | undefined
  item: ItemOfChunk | undefined
  /** The item was ended because it ran for longer than so many milliseconds. */
  late: (ItemOfChunk & { readonly limit: number }) | undefined
}

export interface Occupant {
  readonly handle: WorkerHandle
  readonly token: string
  readonly gone: Deferred
  /** Its start is over, and others may start. */
  readonly leaveGate: () => void
  /** When it was started, by `performance.now()`. */
  readonly began: number
  readonly lanes: Map<number, WatchedLane>
  /** Chunks that it has in hand no more, whatever it does: others have them. */
  readonly givenUp: Set<string>
  /** Ends the process when the rest of what it has in hand should have ended. */
  readonly deadline: Deadline
  /** Until it is told that user code takes long which it runs before any chunk. */
  readonly patience: Deadline
  ready: boolean
  /** Lanes that it has been told to use. */
  open: number
  /** It has told that it takes nothing more. */
  resigned: boolean
  /** It was told to end, or ends by itself as it should: what it had in hand is not to blame. */
  leaving: boolean
  /** It ended by itself with nothing in hand. */
  done: boolean
  /** It takes nothing more when its successor is ready. */
  retiring: boolean
  /** It may finish what it has in hand, for a bounded time. */
  dismissed: boolean
  /** It was ended because one of its chunks kept the event loop from the others, and nobody knows which. */
  blocked: boolean
  /** What stands for the initializer that has run in it. */
  spec: string | undefined
  /** The chunk in hand that its successor is to take over, as another initializer has run here. */
  misfit: string | undefined
  limits: RecyclingLimits
  failure: WireError | undefined
  /** Why it was killed, if it was. */
  killed: string | undefined
  /** What it said that it dies of. */
  crash: Crash | undefined
  /** Chunks in hand that are over: the process was held up before it could tell, or works in vain. */
  over: ReadonlySet<string>
  lastTold: number
  /** Looks in a row at which it had told nothing since the one before. */
  silences: number
  /** When it was last seen to turn, and looks in a row at which it was not. */
  lastBeat: number
  standstills: number
  /** Looks in a row at which it was stopped. */
  stops: number
  /** Milliseconds before its replacement starts. */
  pause: number
}

export function newOccupant(handle: WorkerHandle, token: string, leaveGate: () => void): Occupant {
  return {
    handle,
    token,
    leaveGate,
    gone: new Deferred(),
    began: performance.now(),
    lanes: new Map(),
    givenUp: new Set(),
    deadline: new Deadline(),
    patience: new Deadline(),
    ready: false,
    open: 0,
    resigned: false,
    leaving: false,
    done: false,
    retiring: false,
    dismissed: false,
    blocked: false,
    spec: undefined,
    misfit: undefined,
    limits: { memory: null },
    failure: undefined,
    killed: undefined,
    crash: undefined,
    over: new Set(),
    lastTold: 0,
    silences: 0,
    lastBeat: 0,
    standstills: 0,
    stops: 0,
    pause: 0,
  }
}

export function watchedLane(occupant: Occupant, lane: number): WatchedLane {
  const known = occupant.lanes.get(lane)
  if (known !== undefined) return known
  const watched = { deadline: new Deadline(), cancelled: undefined, item: undefined, late: undefined }
  occupant.lanes.set(lane, watched)
  return watched
}

/** What it has in hand, but for what others have. */
export function inHand(occupant: Occupant): HeldChunk[] {
  const { held } = occupant.handle
  return occupant.givenUp.size === 0 ? held : held.filter(({ jobId }) => !occupant.givenUp.has(jobId))
}

/** Ends it now, whatever it does. @param why - what those are told who ask how it was lost */
export function killOccupant(occupant: Occupant, why: string): void {
  occupant.leaving = true
  occupant.killed = why
  occupant.handle.kill()
}
