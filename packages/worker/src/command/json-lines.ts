/** Lines of JSON, in and out, as fast as the slower side goes: nothing but what is being read or written is held. */
import { constants, isUtf8 } from 'node:buffer'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'

/** Characters that are written at once. */
const batch = 64 * 1024
/** Milliseconds after which what is to be written is written, however little it is. */
const longestWait = 50
/** Bytes: what is longer is no string, and is rather another kind of file than one value. */
const longestLine = constants.MAX_STRING_LENGTH

const lineBreak = 0x0a
const byteOrderMark = Buffer.from('\ufeff')

/** What ends the input: a line that is no JSON, or that nothing more can be read. */
export class InputError extends Error {}

/**
 * The values of a stream's lines; empty lines are skipped. A line that has been read is given at once, and not by a promise: a
 * pool that reads its input would wait for each, a million times.
 */
export class LineReader implements AsyncIterable<unknown> {
  readonly #bytes: AsyncIterator<Buffer>
  readonly #onBytes: (bytes: number) => void
  /** A line that is no text is null. */
  #lines: (string | null)[] = []
  #at = 0
  /** The beginning of a line whose end has not been read. */
  #rest: Buffer[] = []
  #restSize = 0
  #number = 0
  #begun = false
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
   * @throws InputError for a line that is not JSON, with its number.
   */
  #next(): IteratorResult<unknown> | undefined {
    while (this.#at < this.#lines.length) {
      const line = this.#lines[this.#at++]
      this.#number++
      if (typeof line !== 'string') throw new InputError(`line ${this.#number} is not JSON (it is no text in UTF-8)`)
      if (line.trim() !== '') return { done: false, value: this.#parse(line) }
    }
    return this.#ended ? { done: true, value: undefined } : undefined
  }

  async #read(): Promise<IteratorResult<unknown>> {
    for (;;) {
      const { done, value } = await this.#bytes.next().catch((error: Error) => {
        throw new InputError(`the input cannot be read: ${error.message}`)
      })
      if (done === true) {
        this.#ended = true
        this.#take(Buffer.alloc(0))
      } else {
        this.#onBytes(value.length)
        const end = value.lastIndexOf(lineBreak)
        if (end >= 0) this.#take(value.subarray(0, end))
        this.#keep(value.subarray(end + 1))
      }
      const next = this.#next()
      if (next !== undefined) return next
    }
  }

  /** A line may come in many pieces: each is looked at once, and they are put together once. */
  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#rest.push(bytes)
    this.#restSize += bytes.length
    if (this.#restSize <= longestLine) return
    const number = this.#number + this.#lines.length - this.#at + 1
    throw new InputError(`line ${number} is longer than ${longestLine} bytes; is this a file of JSON lines?`)
  }

  /** What has been kept and this are whole lines. */
  #take(bytes: Buffer): void {
    let text = this.#rest.length === 0 ? bytes : Buffer.concat([...this.#rest, bytes])
    this.#rest = []
    this.#restSize = 0
    if (!this.#begun && text.subarray(0, 3).equals(byteOrderMark)) text = text.subarray(3)
    this.#begun = true
    this.#lines = isUtf8(text) ? text.toString().split('\n') : linesOf(text)
    this.#at = 0
  }

  #parse(line: string): unknown {
    try {
      return JSON.parse(line)
    } catch (error) {
      const start = line.length > 60 ? `${line.slice(0, 60)}…` : line
      throw new InputError(`line ${this.#number} is not JSON (${(error as Error).message}): ${start}`)
    }
  }
}

/** Lines of which some are no text. */
function linesOf(bytes: Buffer): (string | null)[] {
  const lines: (string | null)[] = []
  for (let start = 0; start <= bytes.length; ) {
    const found = bytes.indexOf(lineBreak, start)
    const end = found < 0 ? bytes.length : found
    const line = bytes.subarray(start, end)
    lines.push(isUtf8(line) ? line.toString() : null)
    start = end + 1
  }
  return lines
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
      // It may be told here before it is told to those who listen.
      const settle = (error?: Error | null) => {
        this.#failure ??= error ?? undefined
        resolve()
      }
      this.#output.once('error', settle)
      if (this.#output === process.stdout) this.#output.write('', settle)
      else this.#output.end(settle)
    })
  }
}
