/** One way of a connection: what comes in goes out, in order, after so many milliseconds. */
import type { Socket } from 'node:net'
import { setTimeout } from 'node:timers'

export class SlowLane {
  readonly #to: Socket
  readonly #waiting: { readonly data: Buffer; readonly due: number }[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket, delay: () => number) {
    this.#to = to
    from.on('data', (data: Buffer) => {
      const milliseconds = delay()
      if (milliseconds === 0 && this.#waiting.length === 0) {
        // Whoever reads slowly holds up who writes, as without us.
        if (!to.write(data)) {
          from.pause()
          to.once('drain', () => from.resume())
        }
        return
      }
      this.#waiting.push({ data, due: performance.now() + milliseconds })
      if (this.#waiting.length === 1) this.#wait()
    })
  }

  /** What waits is lost with the connection. */
  end(): void {
    clearTimeout(this.#timer)
    this.#waiting.length = 0
  }

  #wait(): void {
    const [first] = this.#waiting
    if (first === undefined) return
    this.#timer = setTimeout(() => this.#send(), Math.max(0, first.due - performance.now())).unref()
  }

  /** What overtook the rest in the clock goes in its turn. */
  #send(): void {
    const now = performance.now()
    let due = this.#waiting.findIndex((one) => one.due > now + 1)
    if (due < 0) due = this.#waiting.length
    for (const { data } of this.#waiting.splice(0, due)) this.#to.write(data)
    this.#wait()
  }
}
