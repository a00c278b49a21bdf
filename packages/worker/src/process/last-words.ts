/**
 * Tells the supervisor what this worker process (or thread) is about to die of: an error that nobody catches (from a timer, or
 * of a promise that nobody awaits), or a `process.exit()`. It changes nothing of what happens then: a task module with
 * handlers of its own is heard as well, and a process that they keep alive says that it lives.
 */
import { encodeError } from '@poolmq/shared'
import type { Crash, FromWorker } from '../line/messages.js'
import { CarefulItem } from './careful-item.js'
import { RunningChunk } from './running-chunk.js'
import { taskContext } from './task-context.js'

/** Characters that a reason may take: it must be said at once, and is kept in Redis beside the chunk. */
const longestReason = 16_384

export class LastWords {
  readonly #send: (message: FromWorker) => void
  #said = false

  constructor(send: (message: FromWorker) => void) {
    this.#send = send
    process.on('uncaughtExceptionMonitor', (error) => this.#say(error))
    process.on('exit', (code) => this.#say(new Error(`process.exit(${code}) was called`)))
  }

  /** This process ends as it should: there is nothing to tell. */
  keep(): void {
    this.#said = true
  }

  #say(reason: unknown): void {
    if (this.#said) return
    this.#said = true
    // What runs now, or had run: the context is that of the place where the timer or the promise was made.
    const task = taskContext.getStore()
    const origin = task instanceof RunningChunk || task instanceof CarefulItem ? originOf(task) : {}
    this.#send({ type: 'crash', error: encodeError(reason, longestReason), ...origin })
    setImmediate(() => {
      this.#said = false
      this.#send({ type: 'survived' })
    })
  }
}

/** The item is known only where it has a context of its own. */
function originOf(task: RunningChunk | CarefulItem): Pick<Crash, 'jobId' | 'taskId' | 'offset'> {
  const { jobId, taskId } = task
  return task instanceof CarefulItem ? { jobId, taskId, offset: task.offset } : { jobId, taskId }
}
