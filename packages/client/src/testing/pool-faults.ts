/** What can be done to a test pool. */
import type { TaskFunction, TaskRef } from '@poolmq/shared'

/** Which item, and how often. */
export interface KillOptions {
  /** The item of this task only. @defaultValue any */
  readonly task?: TaskRef<TaskFunction> | undefined
  /**
   * How often: each time that the item starts, its process is killed, so many times. An item whose process dies three times is
   * given up with WorkerLostError. @defaultValue 1
   */
  readonly times?: number | undefined
}

/**
 * Faults to inflict on a pool that was made by `testPool`: real ones, on its worker processes, its result stream and its way to
 * Redis. Several may be under way at a time.
 */
export interface PoolFaults {
  /**
   * Kills (SIGKILL) the worker process that starts the item with this index in the input of its call, before the task sees it:
   * as the system does when memory is short.
   *
   * @param index - a whole number; of an `apply` it is 0. Items that have started already do not count.
   * @param options - {@link KillOptions}.
   * @returns a promise of the id of the process that was killed; of several, of one of them, when all have been. It rejects with
   *   PoolTerminatedError when the pool ends before.
   */
  killAtItem(index: number, options?: KillOptions): Promise<number>

  /**
   * Delivers the next outcome twice: its entry in the result stream is added once more, as when a worker process loses its connection
   * at the end of a chunk and tells it again.
   *
   * @returns a promise of the chunk's id (`CLIENT.CALL.INDEX`), that resolves when the pool has read the second entry. It rejects with
   *   PoolTerminatedError when the pool ends before.
   */
  deliverTwice(): Promise<string>

  /**
   * Cuts all connections of the pool and its worker processes to Redis, and lets none through for so many milliseconds.
   *
   * @returns a promise that resolves when connections are let through again.
   */
  cutRedis(duration: number): Promise<void>

  /**
   * Makes the way to Redis longer: everything that the pool, its worker processes and Redis say to each other takes so many
   * milliseconds more, each way.
   *
   * @param delay - milliseconds; 0 ends it.
   * @param duration - milliseconds for which it lasts. @defaultValue until it is set anew
   * @returns a promise that resolves when it is over; at once where no duration is given.
   */
  delayRedis(delay: number, duration?: number): Promise<void>
}
