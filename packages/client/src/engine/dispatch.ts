/**
 * The way of a call's chunks out of this process: as far as there is room for them in Redis they are sent, the rest waits, encoded or
 * not. What cannot be encoded, or sent, its call is told.
 */
import { ConnectionError, PoolError, soon } from '@poolmq/shared'
import type { LateChunks } from '../calls/backlog.js'
import { type Call, type PendingChunk, unsentChunk } from '../calls/call.js'
import { type EncodedChunk, isSendable, type SendableChunk } from '../calls/chunker.js'
import { LargeRepeats } from '../calls/large-repeats.js'
import type { InputWatch } from '../calls/map-input.js'
import { pendingChunk } from '../calls/pending-chunk.js'
import type { PoolLog } from '../pool-logger.js'
import { ByteBudget } from '../session/byte-budget.js'
import { Submitter } from '../session/submitter.js'
import type { EngineSession } from './backend.js'
import type { OpenCalls } from './open-calls.js'

export interface DispatchOptions {
  readonly clientId: string
  /** Bytes that it may have in Redis; undefined while that is not known. */
  readonly maxBytes: number | undefined
  readonly calls: () => OpenCalls
  /** The pool's side of Redis, without a turn of the event loop once it is open. */
  readonly session: () => EngineSession | Promise<EngineSession>
  readonly log: PoolLog
}

export class Dispatch {
  readonly budget: ByteBudget
  readonly watch: InputWatch
  readonly #options: DispatchOptions
  readonly #submitter: Submitter

  constructor(options: DispatchOptions) {
    this.#options = options
    const budget = new ByteBudget(options.maxBytes, () => this.#submitter.wake())
    const repeats = new LargeRepeats(() =>
      options.log.tell(
        'warn',
        'the same value of more than 1 MiB is sent with many chunks; pool.share(value) sends it once',
      ),
    )
    this.budget = budget
    this.watch = {
      get early() {
        return budget.early
      },
      encoded: (items, chunk) => repeats.look(items, chunk),
    }
    this.#submitter = new Submitter({
      add: async (chunks) => {
        // The first chunks of a long call are sent while the next are encoded.
        const session = options.session()
        await ('then' in session ? await session : session).add(chunks)
        for (const chunk of chunks) chunk.sent = true
      },
      failed: (chunks, error) => this.#unsent(chunks, error),
      isWanted: (chunk) => this.#calls.has(chunk.call),
      next: () => this.#next(),
    })
  }

  get #calls(): OpenCalls {
    return this.#options.calls()
  }

  /** Hands a chunk of a call over. The promise, if any, is for those who can wait while there is a backlog. */
  submit(call: Call, index: number, chunk: EncodedChunk): Promise<void> | undefined {
    if (!this.#calls.has(call)) return undefined
    if (!isSendable(chunk, call.header.mode)) {
      this.#refuse(call, index, chunk)
      return undefined
    }
    if (!this.budget.admit(call, chunk)) return this.budget.wait(call, index, chunk)
    return this.#submitter.submit(this.#expect(call, index, chunk))
  }

  /** Hands the rest of a call over, which is encoded when there is room for it. @param index - of its first chunk */
  submitLate(call: Call, index: number, late: LateChunks): void {
    if (this.#calls.has(call)) this.budget.waitLate(call, index, late)
  }

  /** Drops what has not been sent. */
  clear(): void {
    this.#submitter.clear()
  }

  /** So many chunks that were handed over are not wanted any more. */
  drop(count: number): void {
    this.#submitter.drop(count)
  }

  /** The next of the chunks that have waited for room. */
  #next(): PendingChunk | 'unsendable' | undefined {
    const next = this.budget.next()
    if (next === undefined) return undefined
    const { call, index, chunk } = next
    if (isSendable(chunk, call.header.mode)) return this.#expect(call, index, chunk)
    this.#refuse(call, index, chunk)
    return 'unsendable'
  }

  #expect(call: Call, index: number, chunk: SendableChunk): PendingChunk {
    const pending = pendingChunk(this.#options.clientId, call, index, chunk)
    this.#calls.expect(pending)
    return pending
  }

  /** Of a chunk that cannot be encoded its call hears when it has been handed over. */
  #refuse(call: Call, index: number, chunk: EncodedChunk): void {
    const result = unsentChunk(chunk.length, chunk.failures)
    soon(() => this.#calls.deliver(call, index, result))
  }

  #unsent(chunks: readonly PendingChunk[], cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const error =
      cause instanceof PoolError ? cause : new ConnectionError(`Redis did not take the chunks: ${reason}`, { cause })
    for (const call of new Set(chunks.map((chunk) => chunk.call))) this.#calls.fail(call, error)
  }
}
