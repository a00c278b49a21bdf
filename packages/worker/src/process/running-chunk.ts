/**
 * The chunk in hand, as its tasks' contexts see it. A task that has asked for its AbortSignal is given time to end by
 * itself when it is aborted; one that never asked cannot notice, and need not be waited for.
 */
import { type ChunkPlace, indexInCall } from '@poolmq/shared'
import type { TaskContext } from './task-context.js'

export interface Abort {
  readonly reason: unknown
  /** What is done with the chunk: nobody wants it, or only this process may not run it. */
  readonly then: 'drop' | 'give back'
}

export class RunningChunk implements TaskContext {
  /** Where its items stand in the call's input, once it is known. */
  place: ChunkPlace = { first: 0 }
  /** The running item's place in the chunk. */
  #offset = 0
  attempt = 1
  /** Its supervisor has given it up, as its task does not end: another worker process has it now, or nobody. */
  disowned = false
  /** The running item's, made when its task asks for it. */
  #controller: AbortController | undefined
  #aborted: Abort | undefined

  constructor(
    readonly pool: string,
    readonly taskId: string,
    readonly jobId: string,
  ) {}

  get index(): number {
    return this.indexOf(this.#offset)
  }

  get offset(): number {
    return this.#offset
  }

  /** The index in the call's input of the item at this place in the chunk. */
  indexOf(offset: number): number {
    return indexInCall(this.place, offset)
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason)
    return this.#controller.signal
  }

  /** Why the whole chunk is to end, once it is. */
  get aborted(): Abort | undefined {
    return this.#aborted
  }

  /** The next item starts. */
  start(offset: number): void {
    this.#offset = offset
    this.#controller = undefined
  }

  /** The running item's time is over; those that follow it have their own. */
  abortItem(reason: unknown): void {
    this.#controller?.abort(reason)
  }

  /** No item of the chunk is wanted any more. True when the running task has its signal and may be ending by itself. */
  abort(reason: unknown, then: Abort['then']): boolean {
    this.#aborted ??= { reason, then }
    this.#controller?.abort(reason)
    return this.#controller !== undefined
  }
}
