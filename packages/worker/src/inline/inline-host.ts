/**
 * A host without processes, for tests: its lanes run chunks in the process that made them, by the code of a worker process. It
 * plays the supervisor's part as far as that goes where nothing can be killed: a task that is cancelled or late and does not
 * end is left alone, and its lane goes on without it. It knows nothing of Redis, calls and results.
 */
import { setImmediate as inNextTurn } from 'node:timers'
import {
  CancelledError,
  Deferred,
  type OutcomeEntry,
  type PoolSpec,
  type SharedContent,
  TaskTimeoutError,
  within,
} from '@poolmq/shared'
import { ShownMemory } from '../line/shown-memory.js'
import { TallyWriter, tallySize } from '../line/tally.js'
import { LoopClock } from '../process/loop-clock.js'
import { RunObserver } from '../process/run-observer.js'
import { RunningChunk } from '../process/running-chunk.js'
import { LossLedger } from '../queue/loss-ledger.js'
import { cancelGrace, Deadline, lateGrace, stopGrace } from '../supervisor/deadline.js'
import { runInline } from './inline-chunk.js'
import { runInitializer } from './inline-initializer.js'
import { type InlineChunk, type WaitingChunk, WaitingChunks } from './waiting-chunks.js'

export interface InlineHostOptions {
  readonly pool: string
  /** Chunks that are in hand at a time. */
  readonly lanes: number
  readonly initializer: PoolSpec['initializer']
  /** The shared values that its arguments hold. */
  readonly shared: readonly SharedContent[]
  /** Told of each outcome, as it would stand in the client's stream. */
  readonly onEntry: (entry: OutcomeEntry) => void
}

/** A chunk in a lane. */
interface Held {
  readonly chunk: WaitingChunk
  readonly running: RunningChunk
  readonly deadline: Deadline
  /** It is in hand no more. */
  readonly freed: Deferred
}

export class InlineHost {
  readonly #options: InlineHostOptions
  readonly #waiting = new WaitingChunks()
  readonly #held = new Set<Held>()
  /** However few lanes there are, the caller's event loop is to turn between items that never wait. */
  readonly #clock = new LoopClock(() => undefined)
  readonly #observer: RunObserver
  readonly #prepare: () => Promise<void>
  readonly #stopped = new Deferred()
  #ending = false

  constructor(options: InlineHostOptions) {
    this.#options = options
    // Nobody tallies what runs here, so nothing is written.
    this.#observer = new RunObserver(options.pool, new TallyWriter(new ShownMemory(-1, tallySize), 0), false)
    this.#prepare = runInitializer(options.initializer, options.shared)
  }

  /** Chunks that wait, chunks in hand, and when the oldest of those that wait was added. */
  get counts(): { readonly waiting: number; readonly running: number; readonly oldest: number | undefined } {
    return { waiting: this.#waiting.size, running: this.#held.size, oldest: this.#waiting.oldest }
  }

  /** Takes chunks, to be run when it is their turn. */
  add(chunks: readonly InlineChunk[]): void {
    for (const chunk of chunks) this.#waiting.add(chunk)
    this.#fill()
  }

  /** Nobody wants them: those that wait do not run, the others are stopped. */
  withdraw(jobIds: Iterable<string>): void {
    const wanted = new Set(jobIds)
    for (const jobId of wanted) if (this.#waiting.drop(jobId)) wanted.delete(jobId)
    for (const held of this.#held) if (wanted.has(held.chunk.sent.jobId)) this.#cancel(held)
  }

  /** Nothing is taken any more; what is in hand may end, with `stop` for half a second. */
  async end(how: 'drain' | 'stop'): Promise<void> {
    this.#ending = true
    const begun = this.#prepare().catch(() => undefined) // the calls are told
    const all = Promise.all([begun, ...[...this.#held].map(({ freed }) => freed.promise)])
    if (how === 'stop') await this.#stop(all)
    // A stop overtakes a drain.
    await Promise.race([all, this.#stopped.promise])
  }

  async #stop(all: Promise<unknown>): Promise<void> {
    this.#waiting.clear()
    const reason = new CancelledError('the worker process is being stopped')
    for (const held of [...this.#held]) if (!held.running.abort(reason, 'give back')) this.#leave(held, reason)
    await within(stopGrace, all)
    for (const held of [...this.#held]) this.#leave(held, reason)
    this.#stopped.resolve()
  }

  #fill(): void {
    while (!this.#ending && this.#held.size < this.#options.lanes) {
      const chunk = this.#waiting.take()
      if (chunk === undefined) return
      const { taskId, jobId } = chunk.sent
      const running = new RunningChunk(this.#options.pool, taskId, jobId)
      const held = { chunk, running, deadline: new Deadline(), freed: new Deferred() }
      this.#held.add(held)
      // Whoever made the call goes on first, as when a process of its own runs it.
      inNextTurn(() => void this.#run(held))
    }
  }

  async #run(held: Held): Promise<void> {
    const { chunk, running, deadline } = held
    if (running.disowned) return
    const { sent, fields } = chunk
    this.#clock.start()
    const entry = await runInline({
      sent,
      running,
      losses: new LossLedger(fields),
      clock: this.#clock,
      observe: (whole) => this.#observer.of({ ...sent, data: undefined, fields }, whole),
      prepare: this.#prepare,
      tellItem: (index, limit) => {
        if (running.aborted !== undefined) return
        if (limit === 0) deadline.clear()
        else deadline.set(limit + lateGrace, () => this.#late(held, index, limit))
      },
    })
    if (running.disowned) return
    this.#free(held)
    if (running.aborted === undefined) this.#options.onEntry(entry)
  }

  /** As on a host: its neighbours in the chunk run again, and it does not. */
  #late(held: Held, index: number, limit: number): void {
    held.chunk.fields.set(`late:${index}`, String(limit))
    const message = `the task ${held.running.taskId} ran for more than ${limit} ms and did not end`
    this.#waiting.giveBack(held.chunk)
    this.#leave(held, new TaskTimeoutError(message, { timeout: limit, index: held.running.index }))
  }

  #cancel(held: Held): void {
    const reason = new CancelledError('the call was cancelled')
    held.running.abort(reason, 'drop')
    held.deadline.set(cancelGrace, () => this.#leave(held, reason))
  }

  /** What still runs of it runs for nobody. */
  #leave(held: Held, reason: unknown): void {
    held.running.abort(reason, 'drop')
    held.running.disowned = true
    this.#free(held)
  }

  #free(held: Held): void {
    held.deadline.clear()
    this.#held.delete(held)
    held.freed.resolve()
    if (this.#held.size === 0) this.#clock.stop()
    this.#fill()
  }
}
