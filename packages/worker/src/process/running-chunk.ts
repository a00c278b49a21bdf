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

export class RunningChunk {
  /** Where its items stand in the call's input, once it is known. */
  place: ChunkPlace = { first: 0 }
  /** The running item's place in the chunk. */
  #offset = 0
  /** Its supervisor has given it up, as its task does not end: another worker process has it now, or nobody. */
  disowned = false
  /** Items begun. */
  #started = 0
  /** The running item's, made when its task asks: what it is given is of that item for ever. */
  #current: TaskContext | undefined
  #attempt = 1
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

  get attempt(): number {
    return this.#attempt
  }

  set attempt(attempt: number) {
    this.#attempt = attempt
    this.#current = undefined
  }

  /** What the running item is told of itself: the same for as long as it keeps it, whatever runs then. */
  get current(): TaskContext {
    const started = this.#started
    this.#current ??= new ItemContext(this, () =>
      // An item that has ended has no use for a signal.
      this.#started === started ? this.signal : AbortSignal.abort(),
    )
    return this.#current
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
    this.#started++
    this.#controller = undefined
    this.#current = undefined
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

class ItemContext implements TaskContext {
  readonly pool: string
  readonly taskId: string
  readonly index: number
  readonly attempt: number
  readonly #makeSignal: () => AbortSignal
  #signal: AbortSignal | undefined

  constructor({ pool, taskId, index, attempt }: RunningChunk, makeSignal: () => AbortSignal) {
    this.pool = pool
    this.taskId = taskId
    this.index = index
    this.attempt = attempt
    this.#makeSignal = makeSignal
  }

  get signal(): AbortSignal {
    this.#signal ??= this.#makeSignal()
    return this.#signal
  }
}
