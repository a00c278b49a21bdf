/**
 * How a process comes to a durable call: begins it, joins one that is there, or runs it again where it has ended and that is
 * asked for. It is over when the chunks are in Redis; what comes of them is heard by durable-follower.
 */
import { setTimeout } from 'node:timers'
import { chunksOf, isPassing, PoolError, untilAnswered } from '@poolmq/shared'
import type { DurableView } from '@poolmq/worker'
import type { DurableSession } from '../session/durable-session.js'
import { noCall, noRoom, refused } from './durable-errors.js'
import type { DurableFollower } from './durable-follower.js'
import type { DurableInput } from './durable-input.js'
import type { DurableWatch } from './durable-watch.js'

/** What becomes of a call that has ended when it is made again. */
export type IfDone = 'return' | 'rerun-failed' | 'rerun'

/** Bytes of a call that is not asked whether it fits. */
const smallCall = 1024 * 1024
/** Milliseconds between two looks at a call whose beginning another process is writing. */
const openingInterval = 100

export interface DurableOpeningOptions {
  readonly key: string
  readonly ifDone: IfDone
  /** Milliseconds that the call is kept from its end on. */
  readonly keep: number
  /** The pool's side of Redis, for this call. */
  readonly session: () => Promise<DurableSession>
}

/** The call in this process, which is opened. */
export interface OpeningCall {
  /** Nobody waits for it any more. */
  readonly isOver: () => boolean
  /** It is in Redis from now on. */
  readonly onThere: () => void
  /** It has been begun or joined. @param call - `CLIENT.NUMBER` */
  readonly onOpen: (call: string) => void
  /** Has it followed from now on. */
  readonly follow: (session: DurableSession, view: DurableView) => Followed
  /** What was heard of it before may be all. */
  readonly onHeard: () => void
}

/** What hears of a call, and what looks after it. */
export interface Followed {
  readonly follower: DurableFollower
  readonly watch: DurableWatch
}

type Submission = [chunks: readonly number[], finished?: (chunk: number) => readonly number[]]

export class DurableOpening {
  readonly #options: DurableOpeningOptions
  readonly #call: OpeningCall

  constructor(options: DurableOpeningOptions, call: OpeningCall) {
    this.#options = options
    this.#call = call
  }

  /** Joins a call that is there, without its items. */
  async attach(): Promise<void> {
    const session = await this.#options.session()
    const view = await untilAnswered(() => session.store.look())
    if (view === undefined) throw noCall(this.#options.key)
    await this.#call.follow(session, view).watch.look()
  }

  /** Begins the call, or joins it where somebody has begun it: of several processes at once, the first one begins. */
  async begin(input: DurableInput): Promise<void> {
    const session = await this.#options.session()
    const { store } = session
    const chunks = chunksOf(input.head)
    while (!this.#call.isOver()) {
      const run = await untilAnswered(() => store.open(input.head, chunks, this.#options.keep))
      if (run !== undefined) {
        this.#call.onThere()
        await this.#checkRoom(session, input)
        if (!(await untilAnswered(() => store.notePrints(run, input.prints)))) continue
        if (!(await untilAnswered(() => store.begin(run, session.spec)))) continue
        const view = await untilAnswered(() => store.look(true))
        if (view === undefined) continue
        this.#call.onOpen(`${store.id}.${run}`)
        const followed = this.#call.follow(session, view)
        return await this.#submit(session, followed, run, all(chunks))
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
    const { id } = session.store
    if (!isOver || ifDone === 'return') {
      this.#call.onOpen(`${id}.${view.run}`)
      return await this.#call.follow(session, view).watch.look()
    }
    // Of no run yet: what has ended is heard, and is not the end.
    const { follower, watch } = this.#call.follow(session, { ...view, run: Number.POSITIVE_INFINITY })
    if (ifDone === 'rerun-failed') await follower.caughtUp(1)
    const chunks = ifDone === 'rerun' ? all(chunksOf(view.head)) : follower.outcomes.unfinished()
    const finished = ifDone === 'rerun' ? undefined : (chunk: number) => follower.outcomes.finished(chunk)
    if (chunks.length > 0) {
      const how = ifDone === 'rerun' ? 'all' : 'failed'
      const { keep } = this.#options
      const run = await untilAnswered(() => session.store.rerun(view.run, how, chunks, keep, session.spec))
      // Who was first runs it: this is the second, and joins.
      if (run === undefined) return await this.begin(input)
      this.#call.onOpen(`${id}.${run}`)
      follower.run = run
      this.#call.onHeard()
      return await this.#submit(session, { follower, watch }, run, chunks, finished)
    }
    this.#call.onOpen(`${id}.${view.run}`)
    follower.run = view.run
    this.#call.onHeard()
  }

  /** Before anything is sent: what fills Redis keeps the memory from those who could work it off. */
  async #checkRoom(session: DurableSession, { size }: DurableInput): Promise<void> {
    const left = size < smallCall ? Number.POSITIVE_INFINITY : await session.memoryLeft()
    if (size <= left) return
    await untilAnswered(() => session.store.forget())
    throw noRoom(this.#options.key, size, left)
  }

  /** Adds the chunks of a run that was begun here. Nobody is to wait for one that Redis has no room for. */
  async #submit(
    { store }: DurableSession,
    { follower, watch }: Followed,
    run: number,
    ...what: Submission
  ): Promise<void> {
    try {
      await watch.submit(run, ...what)
    } catch (error) {
      if (error instanceof PoolError || isPassing(error)) throw error
      watch.stop()
      follower.close()
      const abandoned = untilAnswered(() => store.abandon(run, follower.outcomes.chunks))
      const isAbandoned = await abandoned.then(
        () => true,
        () => false,
      )
      throw refused(this.#options.key, error, isAbandoned)
    }
  }
}

const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
