/** What a worker process that has ended, or one of its lanes that was given up, may leave: which chunks, and what is known of the cause. */
import { encodeError } from '@poolmq/shared'
import type { HeldChunk } from '../line/hand.js'
import type { Crash } from '../line/messages.js'
import type { ProgramExit } from '../line/started-program.js'
import { type Occupant, type WatchedLane, watchedLane } from './occupant.js'

/** What is known of a chunk that a worker process had in hand. */
export interface LostChunk {
  /** Its client is gone or has cancelled it: it is not to run again. */
  readonly cancelled: boolean
  /** The item that ran, where it is known. */
  readonly item: number | undefined
  /** The item that was ended because it ran for longer than so many milliseconds. */
  readonly late: { readonly index: number; readonly limit: number } | undefined
}

/** What a worker process that has ended may have left. */
export interface WorkerLoss {
  readonly token: string
  readonly pid: number
  readonly exit: ProgramExit
  /** What it died of, where it could tell. */
  readonly crash: Crash | undefined
  /** More of them may be found than it had told. */
  readonly lanes: number
  /** What ran. */
  readonly chunks: ReadonlyMap<string, LostChunk>
  /** Whether its chunk is to blame, or one of several; no: it was made to end (drain, recycling, stop, …). */
  readonly blame: 'one' | 'several' | 'none'
}

/** @param held - what it had in hand when it ended */
export function lossOf(occupant: Occupant, exit: ProgramExit, held: readonly HeldChunk[], lanes: number): WorkerLoss {
  const { handle, token, leaving, failure, blocked, givenUp } = occupant
  const ran = held.filter(({ jobId, runs }) => runs && !givenUp.has(jobId))
  const chunks = new Map(ran.map(({ lane, jobId }) => [jobId, lostChunk(jobId, watchedLane(occupant, lane))]))
  const isInnocent = failure !== undefined || (leaving && !blocked)
  const blame = isInnocent ? 'none' : blocked || chunks.size > 1 ? 'several' : 'one'
  return { token, pid: handle.pid, exit, crash: crashOf(occupant, exit), lanes, chunks, blame }
}

/** What is known of the chunk that a lane has, or had, in hand. */
export function lostChunk(jobId: string, { cancelled, item, late }: WatchedLane): LostChunk {
  return {
    cancelled: cancelled === jobId,
    item: item?.jobId === jobId ? item.index : undefined,
    late: late?.jobId === jobId ? late : undefined,
  }
}

/** A thread that is out of memory says nothing itself. */
function crashOf({ crash }: Occupant, { cause }: ProgramExit): Crash | undefined {
  return crash ?? (cause === undefined ? undefined : { error: encodeError(cause) })
}
