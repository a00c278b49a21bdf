/**
 * A durable call in one process: begun or joined, followed through its stream, and told to its handle. It never ends the call by its own
 * end: what runs goes on, and another process, or the same later, attaches to it.
 */
import {
  CancelledError,
  chunksOf,
  Deferred,
  type DurableHead,
  DurableLostError,
  type ItemRange,
  NoDurableCallError,
  type OutcomeEntry,
  PoolError,
  PoolStateError,
  ProtocolError,
  parseChunkId,
  parseDurableMark,
  untilAnswered,
  wholeOutcome,
} from '@poolmq/shared'
import type { DurableStore, DurableView, PieceStore } from '@poolmq/worker'
import type { Progress } from '../call-options.js'
import type { DurableSession } from '../session/durable-session.js'
import type { DurableInput } from './durable-input.js'
import { DurableOutcomes } from './durable-outcomes.js'
import type { DurableInfo, DurableSource } from './durable-result.js'

/** What becomes of a call that has ended when it is made again. */
export type IfDone = 'return' | 'rerun-failed' | 'rerun'

/** Milliseconds between two looks at the call. */
const lookInterval = 5000
/** Milliseconds after which nobody is thought to be there who could give lost items again. */
const tendingPatience = 20_000
/** Chunks that are waited for at least when the call is far from its end. */
const farFromEnd = 32
/** Milliseconds between two looks at a call whose beginning another process is writing. */
const openingInterval = 100

export interface DurableCallOptions {
  /** The pool, which is not collected while it has an open call. */
  readonly owner: object
  readonly key: string
  /** The items, in a process that was given them. */
  readonly input: DurableInput | undefined
  readonly ifDone: IfDone
  /** Milliseconds that the call is kept from its end on. */
  readonly keep: number
  /** The pool's side of Redis, for this call. */
  readonly session: () => Promise<DurableSession>
  /** Somebody waits from now on, or waits no more: see durable-calls. */
  readonly onHeld: (change: 1 | -1) => void
  readonly onProgress: (done: number, total: number) => void
  readonly onEnd: (ending: { readonly outcomes: DurableOutcomes } | { readonly error: unknown }) => void
}

export class DurableCall implements DurableSource {
  readonly key: string
  readonly #options: DurableCallOptions
  #outcomes: DurableOutcomes | undefined
  #head: DurableHead | undefined
  #store: DurableStore | undefined
  #pieces: PieceStore | undefined
  #close: () => void = () => undefined
  #rewind: () => void = () => undefined
  #timer: NodeJS.Timeout | undefined
  /** The run that the call is in. */
  #run = -1
  #lost: readonly ItemRange[] = []
  #failure: { readonly error: unknown } | undefined
  #isOver = false
  /** Entries of the stream, until their turn. */
  readonly #entries: (() => Promise<void> | void)[] = []
  #isHearing = false
  /** Outcomes of which a part is missing, by chunk. */
  readonly #unreadable = new Set<number>()
  #looking: Promise<void> | undefined
  #isSubmitting = false
  /** Items that had ended at the last look. */
  #doneAtLook: number | undefined
  /** Those who wait for single items. */
  #takers = 0
  #started: Promise<void> = Promise.resolve()
  /** It was begun here, or joined. */
  #isKnown = false
  /** Resolved and renewed when all has been heard that was there. */
  #end = new Deferred()
  /** Resolved and renewed when something has been heard. */
  #changed = new Deferred()

  constructor(options: DurableCallOptions) {
    this.#options = options
    this.key = options.key
  }

  get progress(): Progress {
    return { done: this.#outcomes?.done ?? 0, total: this.#head?.items ?? this.#options.input?.head.items }
  }

  get lost(): readonly ItemRange[] {
    return this.#lost
  }

  /** What the call yields, of the values of its items. */
  pick(values: readonly unknown[]): unknown {
    return this.#head?.form === 'apply' ? values[0] : values
  }

  /** Begins or joins the call, and follows it. Never rejects. */
  start(): Promise<void> {
    this.#started = this.#start()
    return this.#started
  }

  async #start(): Promise<void> {
    try {
      if (this.#options.input === undefined) await this.#attach()
      else await this.held(() => this.#begin(this.#options.input as DurableInput))
    } catch (error) {
      this.fail(error)
    }
  }

  /** Cancels the call, also when it is just being begun. */
  abort(error: unknown): void {
    this.fail(error)
    const cancel = async () => {
      await this.#started
      if (this.#isKnown) await this.cancel()
    }
    cancel().catch(() => undefined) // the handle has been told
  }

  /** Nobody is told anything more by this process; the call goes on. */
  fail(error: unknown): void {
    if (this.#isOver) return
    this.#failure = { error }
    this.#leave()
    this.#options.onEnd({ error })
  }

  async held<T>(wait: () => Promise<T>): Promise<T> {
    this.#options.onHeld(1)
    try {
      return await wait()
    } finally {
      this.#options.onHeld(-1)
    }
  }

  async item(index: number): Promise<{ readonly value: unknown } | undefined> {
    this.#takers++
    return await this.held(() => this.#item(index)).finally(() => this.#takers--)
  }

  async #item(index: number): Promise<{ readonly value: unknown } | undefined> {
    for (;;) {
      const outcomes = this.#outcomes
      if (outcomes !== undefined && index >= outcomes.values.length) return undefined
      if (outcomes?.isKnown(index)) {
        if (outcomes.errors.has(index)) throw outcomes.errors.get(index)
        return { value: outcomes.values[index] }
      }
      if (this.#failure !== undefined) throw this.#failure.error
      await this.#changed.promise
    }
  }

  async info(): Promise<DurableInfo> {
    return await this.held(async () => {
      const { store } = await this.#places()
      const view = await untilAnswered(() => store.look())
      if (view === undefined) throw this.#unknown()
      const { head, state, began } = view
      const { key, task, form, items, chunkSize, host, pid } = head
      const shown = state === 'opening' ? 'open' : state
      const method = `${form}Async` as const
      return { key, task, method, state: shown, items, chunkSize, host, pid, began: new Date(began) }
    })
  }

  async cancel(): Promise<boolean> {
    return await this.held(async () => {
      const { store } = await this.#places()
      return await untilAnswered(() => store.cancel())
    })
  }

  async forget(): Promise<boolean> {
    return await this.held(async () => {
      const { store } = await this.#places()
      const wasThere = await untilAnswered(() => store.forget())
      this.fail(new CancelledError(`The durable call ${JSON.stringify(this.key)} was forgotten`))
      return wasThere
    })
  }

  async #places(): Promise<DurableSession> {
    return await this.#options.session()
  }

  async #attach(): Promise<void> {
    const session = await this.#places()
    const view = await untilAnswered(() => session.store.look())
    if (view === undefined) throw this.#unknown()
    this.#follow(session, view)
    await this.#look()
  }

  async #begin(input: DurableInput): Promise<void> {
    const session = await this.#places()
    const { store } = session
    while (!this.#isOver) {
      const run = await untilAnswered(() => store.open(input.head, input.prints.length, this.#options.keep))
      if (run !== undefined) {
        this.#isKnown = true
        if (!(await untilAnswered(() => store.notePrints(run, 0, input.prints)))) continue
        if (!(await untilAnswered(() => store.begin(run, session.spec)))) continue
        const view = await untilAnswered(() => store.look(true))
        if (view === undefined) continue
        this.#follow(session, view)
        return await this.#submit(session, view.head, run, input, all(input.prints.length))
      }
      const view = await untilAnswered(() => store.look())
      // Gone meanwhile, or on its way.
      if (view === undefined) continue
      if (view.state !== 'opening') return await this.#join(session, view, input)
      await new Promise((resolve) => setTimeout(resolve, openingInterval))
    }
  }

  async #join(session: DurableSession, view: DurableView, input: DurableInput): Promise<void> {
    const { ifDone } = this.#options
    await input.compare(view.head, session.store)
    const isOver = view.state === 'done' || view.state === 'cancelled'
    if (!isOver || ifDone === 'return') {
      this.#follow(session, view)
      return await this.#look()
    }
    const chunks = all(chunksOf(view.head))
    if (ifDone === 'rerun') {
      await this.#rerun(session, view, input, 'all', chunks)
      return
    }
    // Of no run yet: what has ended is heard, and is not the end.
    const outcomes = this.#follow(session, { ...view, run: Number.POSITIVE_INFINITY })
    await this.#caughtUp(1)
    const failed = outcomes.unfinished()
    if (failed.length > 0) {
      await this.#rerun(session, view, input, 'failed', failed, (chunk) => outcomes.finished(chunk))
      return
    }
    this.#run = view.run
    this.#endIfComplete()
  }

  async #rerun(
    session: DurableSession,
    view: DurableView,
    input: DurableInput,
    how: 'all' | 'failed',
    chunks: readonly number[],
    finished?: (chunk: number) => readonly number[],
  ): Promise<void> {
    const run = await session.store.rerun(view.run, how, chunks, this.#options.keep, session.spec)
    // Who was first runs it: this is the second, and joins.
    if (run === undefined) return await this.#begin(input)
    if (this.#outcomes === undefined) this.#follow(session, { ...view, run })
    this.#run = run
    this.#endIfComplete()
    await this.#submit(session, view.head, run, input, chunks, finished)
  }

  async #submit(
    session: DurableSession,
    head: DurableHead,
    run: number,
    input: DurableInput,
    chunks: readonly number[],
    finished?: (chunk: number) => readonly number[],
  ): Promise<void> {
    this.#isSubmitting = true
    try {
      await input.submit(session, head, run, chunks, finished)
    } finally {
      this.#isSubmitting = false
    }
  }

  #follow(session: DurableSession, view: DurableView): DurableOutcomes {
    this.#close()
    clearInterval(this.#timer)
    const outcomes = new DurableOutcomes(view.head)
    this.#isKnown = true
    if (this.#isOver) return outcomes
    this.#store = session.store
    this.#pieces = session.pieces
    this.#head = view.head
    this.#run = view.run
    this.#outcomes = outcomes
    this.#change()
    const listener = {
      onEntry: (entry: OutcomeEntry) => this.#hear(() => this.#take(entry)),
      onMark: (fields: readonly Buffer[]) => this.#hear(() => this.#mark(fields)),
      onEnd: () => this.#hear(() => this.#renewEnd()),
      onFailed: (error: unknown) => this.fail(error),
    }
    const reader = session.read(listener, this.#awaited(outcomes))
    this.#close = () => reader.close()
    this.#rewind = () => reader.rewind()
    this.#timer = setInterval(() => void this.#look(), lookInterval).unref()
    return outcomes
  }

  /** Where nobody waits for a single result, many are read at once. */
  #awaited(outcomes: DurableOutcomes) {
    const areAllWaitedFor = () => this.#takers === 0 && outcomes.pending >= farFromEnd
    return {
      get underWay() {
        return outcomes.pending
      },
      get canGather() {
        return areAllWaitedFor()
      },
    }
  }

  /**
   * Resolves when all has been heard that is there now.
   *
   * @param ends - reads that end: of two, the second has begun later than now
   */
  async #caughtUp(ends = 2): Promise<void> {
    for (let seen = 0; seen < ends && !this.#isOver; seen++) await this.#end.promise
  }

  #hear(entry: () => Promise<void> | void): void {
    this.#entries.push(entry)
    if (!this.#isHearing) void this.#hearAll()
  }

  /** In order, also where something large has to be fetched. */
  async #hearAll(): Promise<void> {
    this.#isHearing = true
    try {
      for (let entry = this.#entries.shift(); entry !== undefined && !this.#isOver; entry = this.#entries.shift()) {
        const heard = entry()
        if (heard !== undefined) await heard
      }
    } catch (error) {
      this.fail(error)
    }
    this.#isHearing = false
    this.#change()
  }

  async #mark(fields: readonly Buffer[]): Promise<void> {
    const mark = parseDurableMark(fields)
    if (mark === undefined) return
    if (mark.what === 'all' && mark.run !== this.#run) await this.#checkSame()
    if (this.#isOver) return
    this.#outcomes?.begin(mark)
    if (mark.run > this.#run) this.#run = mark.run
    if (mark.what === 'cancelled' && mark.run === this.#run) this.fail(this.#cancelled())
    this.#endIfComplete()
  }

  /** What begins anew under this key may be another call: this one was forgotten then. */
  async #checkSame(): Promise<void> {
    const [store, head] = [this.#store, this.#head]
    const view = store && (await untilAnswered(() => store.look()))
    const isSame =
      view?.head.digest === head?.digest && view?.head.task === head?.task && view?.head.form === head?.form
    if (!isSame || view?.head.chunkSize !== head?.chunkSize) this.fail(this.#unknown())
  }

  #take({ jobId, outcome }: OutcomeEntry): Promise<void> | void {
    const id = parseChunkId(jobId)
    if (id === undefined || this.#outcomes?.awaits(id.call, id.index) !== true) return
    if (!(outcome instanceof Error) && outcome.payload.encoding === 'apart') {
      return this.#fetch(jobId, id.index, outcome.payload.name, outcome)
    }
    this.#taken(id.index, outcome)
  }

  async #fetch(jobId: string, chunk: number, name: string, outcome: Exclude<OutcomeEntry['outcome'], Error>) {
    try {
      const large = await untilAnswered(() => this.#pieces?.getOutcome(jobId, name) ?? Promise.resolve(undefined))
      if (large !== undefined) return this.#taken(chunk, wholeOutcome(outcome, large))
      this.#unreadable.add(chunk)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const failure = new ProtocolError(`a result cannot be read: ${reason}`, { cause: error })
      this.#taken(chunk, error instanceof PoolError ? error : failure)
    }
  }

  #taken(chunk: number, outcome: OutcomeEntry['outcome']): void {
    const outcomes = this.#outcomes
    if (outcomes === undefined || this.#isOver) return
    this.#unreadable.delete(chunk)
    outcomes.take(chunk, outcome)
    this.#options.onProgress(outcomes.done, outcomes.values.length)
    this.#endIfComplete()
  }

  #endIfComplete(): void {
    const outcomes = this.#outcomes
    if (outcomes === undefined || this.#isOver || !outcomes.isComplete || outcomes.run !== this.#run) return
    this.#leave()
    // It is known now rather than when a supervisor looks; if this fails, one does.
    this.#store?.look().catch(() => undefined)
    this.#options.onEnd({ outcomes })
  }

  /** Never rejects: what cannot be seen now is seen the next time. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce()
      .catch((error: unknown) => {
        if (error instanceof PoolStateError || error instanceof ProtocolError) this.fail(error)
      })
      .finally(() => {
        this.#looking = undefined
      })
    return this.#looking
  }

  async #lookOnce(): Promise<void> {
    const [store, outcomes, { input }] = [this.#store, this.#outcomes, this.#options]
    if (store === undefined || outcomes === undefined || this.#isOver) return
    const view = await untilAnswered(() => store.look(input !== undefined))
    if (view === undefined) {
      return this.fail(new NoDurableCallError(`${this.#unknown().message}, or Redis has lost it`, { key: this.key }))
    }
    this.#run = Math.max(this.#run, view.run)
    this.#endIfComplete()
    if (this.#isSubmitting || view.run !== this.#run) return
    const lost = await this.#lostOf(view, store, outcomes)
    if (lost.length === 0 || this.#isOver) return
    if (input !== undefined && view.state !== 'opening') return await this.#giveAgain(input, view, lost)
    if (view.untended < tendingPatience && view.state !== 'done') return
    this.#lost = rangesOf(lost, outcomes)
    this.fail(lostError(this.key, this.#lost))
  }

  /** The chunks that will never be heard of, in order. */
  async #lostOf({ state }: DurableView, store: DurableStore, outcomes: DurableOutcomes): Promise<number[]> {
    if (state === 'cancelled') return []
    if (state === 'opening') return outcomes.awaited
    if (state === 'open') {
      // What goes on is looked through once: of a large call that is much work for Redis.
      const goesOn = this.#doneAtLook !== undefined && outcomes.done > this.#doneAtLook
      this.#doneAtLook = outcomes.done
      if (goesOn) return []
      const lost = await untilAnswered(() => store.lost(outcomes.chunks))
      return [...new Set([...lost, ...this.#unreadable])].sort((a, b) => a - b)
    }
    await this.#caughtUp()
    if (outcomes.isComplete || this.#isOver) return []
    // The clock of a Redis that has taken over may be behind: what it has added stands before what was read.
    this.#rewind()
    await this.#caughtUp()
    return this.#isOver ? [] : outcomes.awaited
  }

  /** What Redis has lost is added again: it is here. */
  async #giveAgain(input: DurableInput, view: DurableView, lost: readonly number[]): Promise<void> {
    const session = await this.#places()
    const outcomes = this.#outcomes
    // A later run has what had no value before it; that is known from all that came before.
    await this.#caughtUp()
    if (outcomes === undefined || this.#isOver) return
    const run = await untilAnswered(() => session.store.rerun(view.run, 'lost', lost, this.#options.keep))
    if (run === undefined) return
    for (const chunk of lost) this.#unreadable.delete(chunk)
    await this.#submit(session, view.head, run, input, lost, (chunk) => outcomes.finished(chunk))
  }

  #renewEnd(): void {
    this.#end.resolve()
    this.#end = new Deferred()
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = new Deferred()
  }

  #leave(): void {
    this.#isOver = true
    clearInterval(this.#timer)
    this.#close()
    this.#renewEnd()
    this.#change()
  }

  #unknown(): NoDurableCallError {
    const key = JSON.stringify(this.key)
    return new NoDurableCallError(
      `there is no durable call ${key} in this pool: none was begun, it was forgotten, or the time that it is kept is over`,
      { key: this.key },
    )
  }

  #cancelled(): CancelledError {
    return new CancelledError(`The durable call ${JSON.stringify(this.key)} was cancelled`)
  }
}

const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

function rangesOf(chunks: readonly number[], outcomes: DurableOutcomes): ItemRange[] {
  const ranges: [number, number][] = []
  for (const [from, to] of chunks.map((chunk) => outcomes.range(chunk))) {
    const last = ranges.at(-1)
    if (last?.[1] === from) last[1] = to
    else ranges.push([from, to])
  }
  return ranges
}

function lostError(key: string, items: readonly ItemRange[]): DurableLostError {
  const few = items.slice(0, 5).map(([from, to]) => (to - from === 1 ? String(from) : `${from} to ${to - 1}`))
  const more = items.length > few.length ? `, and ${items.length - few.length} more ranges` : ''
  return new DurableLostError(
    `Redis has lost items of the durable call ${JSON.stringify(key)}, or their results: ${few.join(', ')}${more}. Pass the same items ` +
      'under the same key, and they run',
    { key, items },
  )
}
