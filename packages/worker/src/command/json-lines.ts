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
 * The values of a stream's lines; empty lines are skipped.
 *
 * @param onBytes - told how many bytes have been read
 * @throws LineError for a line that is not JSON, with its number.
 */
export async function* readLines(input: Readable, onBytes: (bytes: number) => void): AsyncGenerator<unknown> {
  const decoder = new TextDecoder()
  let rest = ''
  let number = 0
  const parse = (line: string): unknown => {
    try {
      return JSON.parse(line)
    } catch (error) {
      const start = line.length > 60 ? `${line.slice(0, 60)}…` : line
      throw new LineError(`line ${number} is not JSON (${(error as Error).message}): ${start}`)
    }
  }
  for await (const bytes of input as AsyncIterable<Buffer>) {
    onBytes(bytes.length)
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
    rest = lines.pop() as string
    for (const line of lines) {
      number++
      if (line.trim() !== '') yield parse(line)
    }
  }
  number++
  rest += decoder.decode()
  if (rest.trim() !== '') yield parse(rest)
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
