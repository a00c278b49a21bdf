import { Pool } from './pool.js'

/**
 * A pool of worker threads: Python's `multiprocessing.pool.ThreadPool`, for I/O-bound work and light tasks. It has the
 * members of {@link Pool}, and goes through the same queue. Unlike Python's it takes `maxTasksPerChild`, since a thread
 * can be replaced as well, and arguments and results are encoded, since threads of Node share no objects.
 */
export class ThreadPool extends Pool {
  protected override get threads(): boolean {
    return true
  }
}
