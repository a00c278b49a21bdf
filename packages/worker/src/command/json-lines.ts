/** Lines of JSON, in and out, as fast as the slower side goes: nothing but what is being read or written is held. */
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'

/** Characters that are written at once. */
const batch = 64 * 1024
/** Milliseconds after which what is to be written is written, however little it is. */
const longestWait = 50

/** A line that is no JSON. */
export class LineError extends Error {}

/**
 * The values of a stream's lines; empty lines are skipped. A line that has been read is given at once, and not by a promise: a
 * pool that reads its input would wait for each, a million times.
 */
export class LineReader implements AsyncIterable<unknown> {
  readonly #bytes: AsyncIterator<Buffer>
  readonly #onBytes: (bytes: number) => void
  readonly #decoder = new TextDecoder()
  #lines: string[] = []
  #at = 0
  #rest = ''
  #number = 0
  #ended = false

  /** @param onBytes - told how many bytes have been read */
  constructor(input: Readable, onBytes: (bytes: number) => void) {
    this.#bytes = (input as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
    this.#onBytes = onBytes
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return { next: () => (this.#next() ?? this.#read()) as Promise<IteratorResult<unknown>> }
  }

  /**
   * The next of the lines that have been read; undefined when there is none.
   *
   * @throws LineError for a line that is not JSON, with its number.
   */
  #next(): IteratorResult<unknown> | undefined {
    while (this.#at < this.#lines.length) {
      const line = this.#lines[this.#at++] as string
      this.#number++
      if (line.trim() !== '') return { done: false, value: this.#parse(line) }
    }
    return this.#ended ? { done: true, value: undefined } : undefined
  }

  async #read(): Promise<IteratorResult<unknown>> {
    for (;;) {
      const { done, value } = await this.#bytes.next()
      if (done === true) {
        this.#ended = true
        this.#lines = [this.#rest + this.#decoder.decode()]
      } else {
        this.#onBytes(value.length)
        this.#lines = (this.#rest + this.#decoder.decode(value, { stream: true })).split('\n')
        this.#rest = this.#lines.pop() as string
      }
      this.#at = 0
      const next = this.#next()
      if (next !== undefined) return next
    }
  }

  #parse(line: string): unknown {
    try {
      return JSON.parse(line)
    } catch (error) {
      const start = line.length > 60 ? `${line.slice(0, 60)}…` : line
      throw new LineError(`line ${this.#number} is not JSON (${(error as Error).message}): ${start}`)
    }
  }
}

/** Writes lines; whoever writes waits while the reader is behind. */
export class LineWriter {
  readonly #output: Writable
  #text = ''
  #timer: NodeJS.Timeout | undefined
  #failure: Error | undefined

  constructor(output: Writable) {
    this.#output = output
    output.on('error', (error: Error) => {
      this.#failure ??= error
    })
  }

  /** The reader has gone, or the disk is full: nothing more can be written. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Returns a promise when it is to be waited for. */
  write(line: string): Promise<void> | undefined {
    this.#text += `${line}\n`
    if (this.#text.length >= batch) return this.#send()
    this.#timer ??= setTimeout(() => void this.#send(), longestWait)
    return undefined
  }

  async #send(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const text = this.#text
    this.#text = ''
    if (text === '' || this.#failure !== undefined || this.#output.write(text)) return
    // `close` as well: a stream that ends while it is waited for drains no more.
    const stop = new AbortController()
    const gone = (event: string) => once(this.#output, event, { signal: stop.signal }).catch(() => undefined)
    await Promise.race([gone('drain'), gone('close')])
    stop.abort()
  }

  /** Writes what is left, and ends what is not the process's own output. Resolves when all has been handed on. */
  async end(): Promise<void> {
    await this.#send()
    if (this.#failure !== undefined || this.#output.destroyed) return
    await new Promise<void>((resolve) => {
      this.#output.once('error', () => resolve())
      if (this.#output === process.stdout) this.#output.write('', () => resolve())
      else this.#output.end(() => resolve())
    })
  }
}
