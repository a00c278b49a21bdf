/** The end that a worker process is given by its supervisor: what it should have ended by then is looked at, and ended. */

/** Milliseconds that a cancelled task has to end by itself. */
export const cancelGrace = 500
/** Milliseconds that a task whose time is over has to end by itself. */
export const lateGrace = 1000
/** Milliseconds that tasks have to end by themselves when their pool is terminated. */
export const stopGrace = 500
/** Milliseconds that are added when this process itself was suspended: what was said meanwhile is still to be read. */
const suspendedGrace = 1000

export class Deadline {
  #timer: NodeJS.Timeout | undefined

  /** In so many milliseconds, instead of what was set before. */
  set(grace: number, onOver: () => void): void {
    clearTimeout(this.#timer)
    const due = performance.now() + grace
    this.#timer = setTimeout(() => {
      if (performance.now() > due + suspendedGrace) this.set(suspendedGrace, onOver)
      else onOver()
    }, grace)
  }

  clear(): void {
    clearTimeout(this.#timer)
  }
}
