/**
 * Follows a durable call through its stream, which it reads from the beginning and leaves as it is: in order, also where an outcome is
 * large and has to be fetched. What an outcome is missing a part of is none; another may come.
 */
import {
  Deferred,
  type DurableHead,
  type OutcomeEntry,
  PoolError,
  ProtocolError,
  parseChunkId,
  parseDurableMark,
  untilAnswered,
  wholeOutcome,
} from '@poolmq/shared'
import type { DurableView } from '@poolmq/worker'
import type { DurableSession } from '../session/durable-session.js'
import type { ResultReader } from '../session/result-reader.js'
import { cancelled, noCall } from './durable-errors.js'
import { DurableOutcomes } from './durable-outcomes.js'

export interface FollowerOptions {
  readonly session: DurableSession
  readonly view: DurableView
  /** Somebody waits for a single item. */
  readonly isTaken: () => boolean
  /** Chunks have ended. */
  readonly onProgress: (outcomes: DurableOutcomes) => void
  /** Something has been heard; all of a run, perhaps. */
  readonly onHeard: () => void
  /** Nothing more will be heard. */
  readonly onFailed: (error: unknown) => void
}

/** Chunks that are waited for at least when the call is far from its end. */
const farFromEnd = 32

export class DurableFollower {
  readonly outcomes: DurableOutcomes
  readonly head: DurableHead
  /** The run that the call is in, as far as is known. */
  run: number
  /** Outcomes of which a part is missing, by chunk. */
  readonly unreadable = new Set<number>()
  readonly #options: FollowerOptions
  readonly #reader: Pick<ResultReader, 'close' | 'rewind'>
  /** Entries of the stream, until their turn. */
  readonly #entries: (() => Promise<void> | void)[] = []
  #isHearing = false
  #isClosed = false
  /** Resolved and renewed when all has been heard that was there. */
  #end = new Deferred()

  constructor(options: FollowerOptions) {
    const { session, view, onFailed } = options
    this.#options = options
    this.head = view.head
    this.run = view.run
    this.outcomes = new DurableOutcomes(view.head)
    const listener = {
      onEntry: (entry: OutcomeEntry) => this.#hear(() => this.#take(entry)),
      onMark: (fields: readonly Buffer[]) => this.#hear(() => this.#mark(fields)),
      onEnd: () => this.#hear(() => this.#renewEnd()),
      onFailed,
    }
    this.#reader = session.read(listener, this.#awaited())
  }

  /** All has been heard of the run that the call is in. */
  get isComplete(): boolean {
    return this.outcomes.isComplete && this.outcomes.run === this.run
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /**
   * Resolves when all has been heard that is there now.
   *
   * @param ends - reads that end: of two, the second has begun later than now
   */
  async caughtUp(ends = 2): Promise<void> {
    for (let seen = 0; seen < ends && !this.#isClosed; seen++) await this.#end.promise
  }

  /** Hears all once more: what it knows already changes nothing. */
  rewind(): void {
    this.#reader.rewind()
  }

  close(): void {
    this.#isClosed = true
    this.#reader.close()
    this.#renewEnd()
  }

  /** Where nobody waits for a single result, many are read at once. */
  #awaited() {
    const { outcomes } = this
    const { isTaken } = this.#options
    return {
      get underWay() {
        return outcomes.pending
      },
      get canGather() {
        return outcomes.pending >= farFromEnd && !isTaken()
      },
    }
  }

  #hear(entry: () => Promise<void> | void): void {
    this.#entries.push(entry)
    if (!this.#isHearing) void this.#hearAll()
  }

  async #hearAll(): Promise<void> {
    this.#isHearing = true
    try {
      for (let entry = this.#entries.shift(); entry !== undefined && !this.#isClosed; entry = this.#entries.shift()) {
        const heard = entry()
        if (heard !== undefined) await heard
      }
      if (!this.#isClosed) this.#options.onHeard()
    } catch (error) {
      this.#options.onFailed(error)
    }
    this.#isHearing = false
  }

  async #mark(fields: readonly Buffer[]): Promise<void> {
    const mark = parseDurableMark(fields)
    if (mark === undefined) return
    if (mark.what === 'all' && mark.run !== this.run) await this.#checkSame()
    this.outcomes.begin(mark)
    this.run = Math.max(this.run, mark.run)
    if (mark.what === 'cancelled' && mark.run === this.run) throw cancelled(this.head.key, 'was cancelled')
  }

  /** What begins anew under this key may be another call: this one was forgotten then. */
  async #checkSame(): Promise<void> {
    const view = await untilAnswered(() => this.#options.session.store.look())
    const facts = ({ task, form, digest, chunkSize }: DurableHead) => [task, form, digest, chunkSize].join()
    if (view === undefined || facts(view.head) !== facts(this.head)) throw noCall(this.head.key)
  }

  #take({ jobId, outcome }: OutcomeEntry): Promise<void> | void {
    const id = parseChunkId(jobId)
    if (id === undefined || !this.outcomes.awaits(id.call, id.index)) return
    if (!(outcome instanceof Error) && outcome.payload.encoding === 'apart') {
      return this.#fetch(jobId, id.index, outcome.payload.name, outcome)
    }
    this.#taken(id.index, outcome)
  }

  async #fetch(jobId: string, chunk: number, name: string, outcome: Exclude<OutcomeEntry['outcome'], Error>) {
    try {
      const large = await untilAnswered(() => this.#options.session.pieces.getOutcome(jobId, name))
      if (large !== undefined) return this.#taken(chunk, wholeOutcome(outcome, large))
      this.unreadable.add(chunk)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const failure = new ProtocolError(`a result cannot be read: ${reason}`, { cause: error })
      this.#taken(chunk, error instanceof PoolError ? error : failure)
    }
  }

  #taken(chunk: number, outcome: OutcomeEntry['outcome']): void {
    if (this.#isClosed) return
    this.unreadable.delete(chunk)
    this.outcomes.take(chunk, outcome)
    this.#options.onProgress(this.outcomes)
  }

  #renewEnd(): void {
    this.#end.resolve()
    this.#end = new Deferred()
  }
}
