/**
 * Looks after a durable call from a process that has a handle of it: whether it is there still, and whether Redis has lost something of it. Where the
 * items are here, what is lost is added again; elsewhere the handle is told, unless somebody else is there who has them.
 */
import { clearInterval, setInterval } from 'node:timers'
import { type ItemRange, isPassing, PoolError, PoolStateError, ProtocolError, untilAnswered } from '@poolmq/shared'
import type { DurableView } from '@poolmq/worker'
import type { DurableSession } from '../session/durable-session.js'
import { lostItems, noCall, refused } from './durable-errors.js'
import type { DurableFollower } from './durable-follower.js'
import type { DurableInput } from './durable-input.js'
import type { DurableOutcomes } from './durable-outcomes.js'

export interface WatchOptions {
  readonly session: DurableSession
  readonly follower: DurableFollower
  /** The items, where they are here. */
  readonly input: DurableInput | undefined
  /** Milliseconds that the call is kept from its end on. */
  readonly keep: number
  /** A later run than was known of has begun, or ended. */
  readonly onHeard: () => void
  readonly onFailed: (error: unknown, lost?: readonly ItemRange[]) => void
}

/** Milliseconds between two looks. */
const interval = 5000
/** Milliseconds after which nobody is thought to be there who could give lost items again. */
const patience = 20_000

export class DurableWatch {
  readonly #options: WatchOptions
  readonly #timer: NodeJS.Timeout
  #looking: Promise<void> | undefined
  #isSubmitting = false
  /** Items that had ended at the last look. */
  #doneBefore: number | undefined

  constructor(options: WatchOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.look(), interval).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Adds chunks of a run: but for the items that have a value. Nothing is thought to be lost meanwhile. */
  async submit(run: number, chunks: readonly number[], finished?: (chunk: number) => readonly number[]): Promise<void> {
    const { session, follower, input } = this.#options
    this.#isSubmitting = true
    try {
      await input?.submit(session, follower.head, run, chunks, finished)
    } finally {
      this.#isSubmitting = false
    }
  }

  /** Never rejects: what cannot be seen now is seen the next time. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => {
        if (error instanceof PoolStateError || error instanceof ProtocolError) this.#options.onFailed(error)
      })
      .finally(() => {
        this.#looking = undefined
      })
    return this.#looking
  }

  async #look(): Promise<void> {
    const { session, follower, input, onHeard, onFailed } = this.#options
    const { key } = follower.head
    const view = await untilAnswered(() => session.store.look(input !== undefined))
    if (view === undefined) return onFailed(noCall(key, ', or Redis has lost it'))
    follower.run = Math.max(follower.run, view.run)
    onHeard()
    if (this.#isSubmitting || follower.isClosed || view.run !== follower.run) return
    const lost = await this.#lostOf(view)
    if (lost.length === 0 || follower.isClosed) return
    if (input !== undefined && view.state !== 'opening') return await this.#giveAgain(view, lost)
    if (view.untended < patience && view.state !== 'done') return
    const ranges = rangesOf(lost, follower.outcomes)
    onFailed(lostItems(key, ranges), ranges)
  }

  /** The chunks that will never be heard of, in order. */
  async #lostOf({ state }: DurableView): Promise<number[]> {
    const { session, follower } = this.#options
    const { outcomes, unreadable } = follower
    if (state === 'cancelled') return []
    if (state === 'opening') return outcomes.awaited
    if (state === 'open') {
      // What goes on is looked through once: of a large call that is much work for Redis.
      const goesOn = this.#doneBefore !== undefined && outcomes.done > this.#doneBefore
      this.#doneBefore = outcomes.done
      if (goesOn) return []
      const lost = await untilAnswered(() => session.store.lost(outcomes.chunks))
      return [...new Set([...lost, ...unreadable])].sort((a, b) => a - b)
    }
    await follower.caughtUp()
    if (follower.isClosed) return []
    // The clock of a Redis that has taken over may be behind: what it has added stands before what was read.
    follower.rewind()
    await follower.caughtUp()
    return follower.isClosed ? [] : outcomes.awaited
  }

  /** What Redis has lost is added again: it is here. */
  async #giveAgain({ state, run }: DurableView, lost: readonly number[]): Promise<void> {
    const { follower } = this.#options
    const { outcomes, unreadable } = follower
    // A later run has what had no value before it; that is known from all that came before. And others may have been quicker.
    await follower.caughtUp()
    if (follower.isClosed) return
    const still = lost.filter((chunk) => outcomes.awaits(run, chunk))
    // Those that have ended, as far as Redis knows, are to run again.
    const ended = state === 'done' ? still : still.filter((chunk) => unreadable.has(chunk))
    if (ended.length > 0 && !(await this.#runAgain(run, ended))) return
    for (const chunk of ended) unreadable.delete(chunk)
    try {
      await this.submit(run, still, (chunk) => outcomes.finished(chunk))
    } catch (error) {
      if (error instanceof PoolError || isPassing(error)) throw error
      // What is there of it would keep the memory from those who could work it off.
      const { store } = this.#options.session
      await untilAnswered(() => store.takeBack(run, still))
      this.#options.onFailed(refused(follower.head.key, error, false))
    }
  }

  /** False when the call is not as it is known. */
  async #runAgain(run: number, chunks: readonly number[]): Promise<boolean> {
    const { session, keep } = this.#options
    return (await untilAnswered(() => session.store.rerun(run, 'lost', chunks, keep))) !== undefined
  }
}

function rangesOf(chunks: readonly number[], outcomes: DurableOutcomes): ItemRange[] {
  const ranges: [number, number][] = []
  for (const [from, to] of chunks.map((chunk) => outcomes.range(chunk))) {
    const last = ranges.at(-1)
    if (last?.[1] === from) last[1] = to
    else ranges.push([from, to])
  }
  return ranges
}
