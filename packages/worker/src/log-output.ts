/**
 * Standard error, as the log writes to it: at once, so that a process's last words are there, and without ever waiting. A pipe
 * whose reader stands still takes nothing more; a host that waited for it would hold no lease and answer no probe. What
 * there is no room for is dropped and counted; so is what nobody reads any more, and what a full disk does not take.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { factsOf } from './file-facts.js'

const standardError = 2

export class LogOutput {
  /** What is left of a line that was written in part: it goes first, or lines would run into each other. */
  #rest: Buffer | undefined
  #dropped = 0

  /** Lines that were dropped since the last one that was written. */
  get dropped(): number {
    return this.#dropped
  }

  write(line: string): void {
    const bytes = Buffer.from(line)
    try {
      const waits = this.#rest
      if (waits !== undefined) this.#rest = leftOf(waits)
      if (this.#rest !== undefined) throw new Error('there is no room')
      this.#rest = leftOf(bytes)
      this.#dropped = 0
    } catch {
      this.#dropped++
    }
  }
}

/** Writes these; returns what there was no room for. @throws Error when there was room for nothing, or nobody reads */
function leftOf(bytes: Buffer): Buffer | undefined {
  const descriptor = openAnew()
  try {
    const written = writeSync(descriptor ?? standardError, bytes)
    return written === bytes.length ? undefined : bytes.subarray(written)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

/**
 * The pipe once more, so that a write to it never waits. Whether one waits that goes to standard error itself is the same for
 * all processes that have inherited it, and each that starts or ends has it wait again. Undefined where it is no pipe, or cannot be opened.
 */
function openAnew(): number | undefined {
  try {
    if (process.platform !== 'linux' || !factsOf(standardError).isFIFO()) return undefined
    return openSync('/proc/self/fd/2', constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    return undefined
  }
}
