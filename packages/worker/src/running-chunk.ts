/**
 * The chunk in hand, as its tasks' contexts see it. A task that has asked for its AbortSignal is given time to end by
 * itself when it is aborted; one that never asked cannot notice, and need not be waited for.
 */
import type { TaskContext } from './task-context.js'

export class RunningChunk implements TaskContext {
  index = 0
  attempt = 1
  readonly #controller = new AbortController()
  #asked = false

  constructor(
    readonly pool: string,
    readonly taskId: string,
  ) {}

  get signal(): AbortSignal {
    this.#asked = true
    return this.#controller.signal
  }

  /** True when a task has its signal and may be ending by itself. */
  abort(reason: unknown): boolean {
    this.#controller.abort(reason)
    return this.#asked
  }
}
