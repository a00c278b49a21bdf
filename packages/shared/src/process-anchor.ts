/** Keeps the process alive as long as somebody holds it. A pool's sockets and child processes do not count for that. */
import { clearInterval, setInterval } from 'node:timers'

export class ProcessAnchor {
  readonly #holders = new Set<object>()
  #timer: NodeJS.Timeout | undefined

  hold(holder: object): void {
    this.#holders.add(holder)
    this.#timer ??= setInterval(() => undefined, 2 ** 30)
  }

  /** Holds it while this is done. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const holder = {}
    this.hold(holder)
    try {
      return await work()
    } finally {
      this.release(holder)
    }
  }

  get isHeld(): boolean {
    return this.#holders.size > 0
  }

  release(holder: object): void {
    this.#holders.delete(holder)
    if (this.#holders.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
