/**
 * The memory that a worker process shows its supervisor (see hand and tally), as the process sees it: what has changed is
 * written together, in one call where it lies close, as each call costs more than some kilobytes.
 */
import { writeSync } from 'node:fs'

/** Bytes that are written though they have not changed, rather than in two calls. */
const widestGap = 4096

export class ShownMemory {
  readonly bytes: Buffer
  readonly #descriptor: number
  #from = 0
  #to = 0

  constructor(descriptor: number, size: number) {
    this.#descriptor = descriptor
    this.bytes = Buffer.from(new ArrayBuffer(size))
  }

  /** Numbers in it, to be changed where they are. @param at - a multiple of 8 */
  numbers(at: number, length: number): Float64Array {
    return new Float64Array(this.bytes.buffer, at, length)
  }

  /** What lies between has been changed, and is shown with the next `show`, or before. */
  touch(from: number, to: number): void {
    if (this.#to > 0 && (from - this.#to > widestGap || this.#from - to > widestGap)) this.show()
    this.#from = this.#to === 0 ? from : Math.min(this.#from, from)
    this.#to = Math.max(this.#to, to)
  }

  show(): void {
    if (this.#to === 0) return
    writeSync(this.#descriptor, this.bytes, this.#from, this.#to - this.#from, this.#from)
    this.#to = 0
  }
}
