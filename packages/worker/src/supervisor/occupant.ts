/** A worker process in a seat, with all that its supervisor knows of it. */
import { Deferred, randomId, type WireError } from '@poolmq/shared'
import type { RecyclingLimits } from '../line/messages.js'
import { Deadline } from './deadline.js'
import { isStopped } from './process-state.js'
import type { WorkerHandle } from './worker-handle.js'

export interface ItemOfChunk {
  readonly jobId: string
  readonly index: number
}

export interface Occupant {
  readonly handle: WorkerHandle
  readonly token: string
  readonly gone: Deferred
  /** Ends the process when what it runs should have ended long since. */
  readonly deadline: Deadline
  ready: boolean
  cancelled: string | undefined
  item: ItemOfChunk | undefined
  late: (ItemOfChunk & { readonly limit: number }) | undefined
  /** It was told to end, or ends by itself as it should. */
  leaving: boolean
  /** It ended by itself with nothing in hand. */
  done: boolean
  /** It leaves when its successor is ready. */
  retiring: boolean
  /** What stands for the initializer that has run in it. */
  spec: string | undefined
  /** The chunk in hand that its successor is to take over, as another initializer has run here. */
  misfit: string | undefined
  limits: RecyclingLimits
  failure: WireError | undefined
  /** The chunk in hand, if it is over: the process was held up before it could tell, or works in vain. */
  over: string | undefined
  lastTold: number
  /** Looks in a row at which it had told nothing since the one before. */
  silences: number
  /** Looks in a row at which it was stopped. */
  stops: number
  /** Milliseconds before its replacement starts. */
  pause: number
}

/** Looks at which a worker process without a chunk, or with one that is over, may have told nothing. */
const mostSilences = 3
/** Looks, five of which a lease has, at which a process may have been stopped. */
const mostStops = 5

export function newOccupant(handle: WorkerHandle): Occupant {
  return {
    handle,
    token: randomId(),
    gone: new Deferred(),
    deadline: new Deadline(),
    ready: false,
    cancelled: undefined,
    item: undefined,
    late: undefined,
    leaving: false,
    done: false,
    retiring: false,
    spec: undefined,
    misfit: undefined,
    limits: { memory: null },
    failure: undefined,
    over: undefined,
    lastTold: 0,
    silences: 0,
    stops: 0,
    pause: 0,
  }
}

/**
 * Asked at intervals: a worker process without a chunk, or with one that is over, has told that it looks for one since
 * the last time, or it is deaf after some such intervals. Intervals are counted, and no time is taken, as the whole host
 * may have been suspended.
 */
export function isDeaf(occupant: Occupant): boolean {
  const { lastTold: told, jobId } = occupant.handle
  const isSilent = occupant.ready && (jobId === undefined || jobId === occupant.over) && told === occupant.lastTold
  occupant.lastTold = told
  occupant.silences = isSilent ? occupant.silences + 1 : 0
  return occupant.silences >= mostSilences
}

/**
 * Asked at intervals: a process that has been stopped for a lease works no more than one that has died, and as long as its
 * supervisor holds its lease nobody else would have its chunk. Counted as well: if the whole host stood still, so did we.
 */
export function isAtAStand(occupant: Occupant): boolean {
  occupant.stops = isStopped(occupant.handle.pid) ? occupant.stops + 1 : 0
  return occupant.stops >= mostStops
}
