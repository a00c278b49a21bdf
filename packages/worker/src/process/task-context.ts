/** What a running task can ask about itself. AsyncLocalStorage carries it, so that task signatures stay plain. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { oncePerProcess } from '@poolmq/shared'

/** The task that is running; see {@link currentTask}. */
export interface TaskContext {
  /** `namespace.key` of the task. */
  readonly taskId: string
  /** The pool it runs for. */
  readonly pool: string
  /** The index of the running item in the input of its call, from 0, however it was cut into chunks; of an `apply`, 0. */
  readonly index: number
  /** 1 on the first start of its chunk, more after its worker process was lost. */
  readonly attempt: number
  /** Aborted when the call is cancelled, the item's time is over, or the pool is terminated. */
  readonly signal: AbortSignal
}

export const taskContext = oncePerProcess(
  'task-context',
  () => new AsyncLocalStorage<{ readonly current: TaskContext }>(),
)

/**
 * The task that is running in this worker process (Python has no counterpart but `multiprocessing.current_process()`).
 *
 * @returns undefined outside of a task: in a producer, an initializer, or a unit test that calls the function itself.
 */
export function currentTask(): TaskContext | undefined {
  return taskContext.getStore()?.current
}
