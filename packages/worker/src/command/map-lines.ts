/**
 * `poolmq map`: lines of JSON through a task, in order. The pool reads ahead only as far as its buffer allows, and results are
 * written as fast as they are read, so that memory does not grow with the input.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { attempt } from '@poolmq/shared'
import { SingleBar } from 'cli-progress'
import { factsOf } from '../file-facts.js'
import { asJson, callOptions } from './call-flags.js'
import type { CallingPool } from './client-package.js'
import { CommandFailure, exitCode, UsageError } from './exit-code.js'
import { InputError, LineReader, LineWriter } from './json-lines.js'

export interface MapFlags {
  readonly items: string
  readonly out: string
  readonly spread?: boolean
  readonly chunkSize?: number
  readonly timeout?: number
  readonly retries?: number
}

export async function mapLines(pool: CallingPool, task: unknown, flags: MapFlags): Promise<number> {
  refuseSameFile(flags)
  const input = await openInput(flags.items)
  const writer = new LineWriter(await openOutput(flags.out))
  const progress = await Progress.of(flags)
  const items = new LineReader(input, (bytes) => progress.read(bytes))
  const options = { ...callOptions(flags), ...(flags.chunkSize !== undefined && { chunkSize: flags.chunkSize }) }
  const results = flags.spread === true ? pool.istarmap(task, items, options) : pool.imap(task, items, options)
  let failed = 0
  try {
    for (let index = 0; ; index++) {
      const line = await nextLine(results, index)
      if (line === undefined) break
      if (line.failed) failed++
      progress.done(index + 1, failed)
      const written = writer.write(line.text)
      if (written !== undefined) await written
      if (writer.failure !== undefined) return enough(writer.failure)
    }
    await writer.end()
    if (writer.failure !== undefined) return enough(writer.failure)
  } catch (error) {
    await writer.end()
    throw error instanceof InputError ? new CommandFailure(error.message) : error
  } finally {
    progress.stop()
    await results.return?.()
    input.destroy()
  }
  if (failed > 0) throw new CommandFailure(`${failed} items failed; their lines have an "error"`)
  return exitCode.done
}

/** The line of the next result; undefined after the last. @throws what ends the whole map: the input, Redis. */
async function nextLine(
  results: AsyncIterator<unknown>,
  index: number,
): Promise<{ readonly text: string; readonly failed: boolean } | undefined> {
  try {
    const { done, value } = await results.next()
    return done === true ? undefined : { text: asJson(value), failed: false }
  } catch (error) {
    if (error instanceof InputError || endsAll(error)) throw error
    const { name, message } = error as Error
    return { text: JSON.stringify({ error: { name, message }, index }), failed: true }
  }
}

/** What no further item can have, as the pool itself cannot go on. */
function endsAll(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return ['ERR_POOL_CONNECTION', 'ERR_POOL_TERMINATED', 'ERR_POOL_STATE', 'ERR_POOL_CANCELLED'].includes(String(code))
}

/** A reader that has gone has had enough, which is no failure; a full disk is one. */
function enough(failure: NodeJS.ErrnoException): number {
  if (failure.code === 'EPIPE') return exitCode.done
  throw new CommandFailure(`the results cannot be written: ${failure.message}`)
}

/** Opening the results' file empties it. */
function refuseSameFile({ items, out }: MapFlags): void {
  if (out === '-') return
  const input = attempt(() => factsOf(items === '-' ? 0 : items))
  const output = attempt(() => factsOf(out))
  if (input?.isFile() !== true || input.dev !== output?.dev || input.ino !== output.ino) return
  throw new UsageError(`--out ${out} is the file that the items are read from; it would be emptied before it is read`)
}

async function openInput(path: string): Promise<Readable> {
  if (path === '-') return process.stdin
  return await opened(createReadStream(path), `cannot read ${path}`)
}

async function openOutput(path: string): Promise<Writable> {
  if (path === '-') return process.stdout
  return await opened(createWriteStream(path), `cannot write ${path}`)
}

async function opened<T extends Readable | Writable>(stream: T, what: string): Promise<T> {
  await new Promise<void>((resolve, reject) => {
    stream.once('open', () => resolve())
    stream.once('error', (error: Error) => reject(new CommandFailure(`${what}: ${error.message}`)))
  })
  return stream
}

/** A bar on a terminal, by the bytes of the input; elsewhere nothing, as the results are what is printed. */
class Progress {
  readonly #bar: SingleBar | undefined
  readonly #state = { items: 0, failed: 0 }

  private constructor(total: number | undefined) {
    if (!process.stderr.isTTY) return
    const format =
      total === undefined
        ? '{items} items, {failed} failed'
        : '{bar} {percentage} % | {items} items, {failed} failed | {eta_formatted}'
    this.#bar = new SingleBar({ format, stream: process.stderr, clearOnComplete: false, hideCursor: true })
    this.#bar.start(total ?? 0, 0, this.#state)
  }

  static async of({ items, out }: MapFlags): Promise<Progress> {
    const total = items === '-' ? undefined : Number(factsOf(items).size)
    // Both on one terminal would write over each other.
    return out === '-' && process.stdout.isTTY ? new Progress(0) : new Progress(total)
  }

  read(bytes: number): void {
    this.#bar?.increment(bytes, this.#state)
  }

  done(items: number, failed: number): void {
    this.#state.items = items
    this.#state.failed = failed
  }

  stop(): void {
    this.#bar?.update(this.#state)
    this.#bar?.stop()
  }
}
