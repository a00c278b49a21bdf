import { Pool } from './pool.js'
import type { ThreadPoolOptions } from './pool-options.js'

/**
 * A pool of worker threads: Python's `multiprocessing.pool.ThreadPool`, for I/O-bound work and light tasks. `processes` is
 * how many tasks run at a time, as in Python; they share as many threads as there are cores, or `threads`. A task that
 * blocks its thread keeps those beside it waiting, much as one that holds Python's global lock does: CPU-bound work belongs
 * in a {@link Pool}.
 *
 * It has the members of {@link Pool}, and goes through the same queue. Unlike Python's it takes `maxTasksPerChild`, since a
 * thread can be replaced as well, and arguments and results are encoded, since threads of Node share no objects.
 */
export class ThreadPool extends Pool {
  /**
   * Starts a pool of worker threads. Python: `ThreadPool(processes, initializer, initargs)`.
   *
   * @param options - how many tasks run at a time, or {@link ThreadPoolOptions}.
   * @throws RangeError, TypeError, ConnectionError as {@link Pool} does.
   */
  constructor(options?: number | ThreadPoolOptions)
  constructor(...given: [options?: number | ThreadPoolOptions]) {
    super(...given)
  }

  protected override get threads(): boolean {
    return true
  }
}
