/**
 * What happens, told on channels of `node:diagnostics_channel` to whoever in the same process has subscribed: calls in
 * producers, chunks and items in worker processes, losses in supervisors. Nobody subscribed: one look at a flag.
 */
import { type Channel, channel } from 'node:diagnostics_channel'

/** `poolmq:call:open`, in a producer: a call has been made. */
export interface CallOpenEvent {
  readonly pool: string
  /** `CLIENT.NUMBER`. */
  readonly call: string
  readonly method: string
  readonly task: string
  /** The key of a durable call: it has been begun, or joined, by a process that has its items. Its `NUMBER` is that of the run. */
  readonly durable?: string
}

/** `poolmq:call:end`, in a producer: it has its result, or has failed; of a durable call, also that its process has left it, and it goes on. */
export interface CallEndEvent extends CallOpenEvent {
  /** Items that have ended; those of them that failed. */
  readonly done: number
  readonly failed: number
  /** Milliseconds that it was open. */
  readonly duration: number
  /** What ended it as a whole: cancelled, terminated, no Redis. */
  readonly error?: unknown
}

/** `poolmq:chunk:take`, in a worker process: a chunk is in hand. */
export interface ChunkTakeEvent {
  readonly pool: string
  /** `CLIENT.CALL.INDEX`. */
  readonly chunk: string
  readonly task: string
}

/** `poolmq:item:end`, in a worker process: one item has its outcome. */
export interface ItemEndEvent extends ChunkTakeEvent {
  /** The item's index in its chunk. */
  readonly offset: number
  /** Milliseconds that it ran, retries included. */
  readonly duration: number
  readonly outcome: 'ok' | 'failed'
}

/** `poolmq:worker:lost`, in a supervisor: a worker process has ended that should not have. */
export interface WorkerLostEvent {
  readonly pool: string
  readonly pid: number
  /** How it ended: `exit code 1`, `SIGKILL`, … */
  readonly reason: string
  /** The chunks that it had in hand. */
  readonly chunks: readonly string[]
}

/** `poolmq:worker:recycle`, in a supervisor: a worker process leaves its seat to a successor, as its limits say. */
export interface WorkerRecycleEvent {
  readonly pool: string
  readonly pid: number
}

export const events = {
  callOpen: channel('poolmq:call:open') as Channel<unknown, CallOpenEvent>,
  callEnd: channel('poolmq:call:end') as Channel<unknown, CallEndEvent>,
  chunkTake: channel('poolmq:chunk:take') as Channel<unknown, ChunkTakeEvent>,
  itemEnd: channel('poolmq:item:end') as Channel<unknown, ItemEndEvent>,
  workerLost: channel('poolmq:worker:lost') as Channel<unknown, WorkerLostEvent>,
  workerRecycle: channel('poolmq:worker:recycle') as Channel<unknown, WorkerRecycleEvent>,
}
