/**
 * The async context of an item in a chunk that has lost its worker process: as any item's, but with its own place. What the
 * item leaves behind (a timer, a promise that nobody awaits) is then known for its own, whatever runs by then.
 */
import type { RunningChunk } from './running-chunk.js'
import type { TaskContext } from './task-context.js'

export class CarefulItem {
  readonly jobId: string
  readonly taskId: string
  /** Its place in the chunk. */
  readonly offset: number
  /** What the item is told of itself. */
  readonly current: TaskContext

  /** The item that runs now. */
  constructor({ jobId, taskId, offset, current }: RunningChunk) {
    this.jobId = jobId
    this.taskId = taskId
    this.offset = offset
    this.current = current
  }
}
