import { availableCores } from '@poolmq/shared'
import { setBackend } from '../engine/backend.js'
import { Pool } from '../pool.js'
import type { PoolOptions } from '../pool-options.js'
import { inlineBackend } from './inline-backend.js'

/**
 * Of the options by which processes are replaced. To run the initializer again would be no replacement: what modules hold would
 * stay, and it would change under the tasks of other lanes, which happens to none in production. So tests would fail of it, or
 * pass, for no reason that there is elsewhere.
 */
const notReplaced =
  'its tasks run in the process of the test, which nothing replaces; leave it out. testPool has processes that are replaced'

/** Options of `Pool` that have no effect here, and why: they are refused. */
const refused = {
  connection: 'it runs tasks in this process, without Redis',
  expectedWorkers: 'it runs tasks in this process, without Redis',
  share: 'it is the only producer of its tasks',
  maxTasksPerChild: notReplaced,
  maxMemoryPerChild: notReplaced,
  maxAgePerChild: notReplaced,
} satisfies { readonly [Name in keyof PoolOptions]?: string }

/** Options of `new InlinePool(…)`: those of `Pool` that need neither Redis nor processes. The others are refused. */
export interface InlinePoolOptions
  extends Omit<
    PoolOptions,
    'connection' | 'expectedWorkers' | 'share' | 'maxTasksPerChild' | 'maxMemoryPerChild' | 'maxAgePerChild'
  > {
  /**
   * Chunks that are run at a time: a whole number of at least 1. Tasks that wait overlap as they do in so many worker
   * processes; all of them share the thread of the test. @defaultValue the number of cores
   */
  readonly processes?: number | undefined
}

/** Where a pool would find Redis that never looks for it. */
const nowhere = 'redis://inline.invalid'

/**
 * A pool for tests, that runs tasks in the process of the test: no Redis, no worker processes, no start. It is a
 * `Pool`, and code that is given one can be given this. What is between the caller and the task is the real thing: the
 * checks, the cutting into chunks, the encoding of arguments, results and errors, states, callbacks, retries, time limits
 * and `currentTask()`. So what cannot travel fails here with the error that it fails with in production, and neither side
 * sees the other's objects.
 *
 * What needs processes is not kept: a task that exits, crashes or never leaves the processor does so to the test; no process
 * is replaced (`maxTasksPerChild`, `maxMemoryPerChild` and `maxAgePerChild` are refused), so that the initializer runs once, and
 * what modules hold is shared by tasks, callers and all such pools; a task that does not end when it is told to is left alone,
 * and may go on; there are no durable calls, and nowhere to run a copy (`backup`), as in a Pool of one process; `isWorker()`
 * is false.
 */
export class InlinePool extends Pool {
  /**
   * Makes a pool. Its initializer runs at once.
   *
   * @param options - how many chunks run at a time, or {@link InlinePoolOptions}.
   * @throws RangeError, TypeError as `Pool` does.
   */
  constructor(options?: number | InlinePoolOptions)
  constructor(...given: [options?: number | InlinePoolOptions]) {
    const [options, ...more] = given
    super(...([withoutRedis(options), ...more] as [PoolOptions]))
  }
}

setBackend(InlinePool, inlineBackend)

/** The options as a Pool takes them; wrong ones stay as they are. */
function withoutRedis(options: number | InlinePoolOptions | undefined): PoolOptions {
  const given: InlinePoolOptions =
    typeof options === 'object' && options !== null ? options : { processes: options as number | undefined }
  const { processes = availableCores() } = given
  // A named Pool may have none, as others serve it.
  if ((processes as unknown) === 0) throw new RangeError('Number of processes must be at least 1, got 0')
  for (const [name, why] of Object.entries(refused)) {
    if ((given as PoolOptions)[name as keyof PoolOptions] === undefined) continue
    throw new TypeError(`InlinePool has no option ${name}: ${why}`)
  }
  return { ...given, processes, connection: nowhere }
}
