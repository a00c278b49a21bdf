/**
 * A durable call in one process: begun or joined (durable-opening), followed through its stream, and told to its handle. It never ends
 * the call by its own end: what runs goes on, and another process, or the same later, attaches to it.
 */
import { Deferred, type ItemRange, PoolError, type SharedContent, untilAnswered } from '@poolmq/shared'
import type { DurableView } from '@poolmq/worker'
import type { Progress } from '../call-options.js'
import type { DurableSession } from '../session/durable-session.js'
import { cancelled, noCall, refused } from './durable-errors.js'
import { DurableFollower } from './durable-follower.js'
import type { DurableInput } from './durable-input.js'
import { DurableOpening, type DurableOpeningOptions, type Followed } from './durable-opening.js'
import type { DurableOutcomes } from './durable-outcomes.js'
import { type DurableInfo, type DurableSource, infoOf } from './durable-result.js'
import { DurableWatch } from './durable-watch.js'

export interface DurableCallOptions extends DurableOpeningOptions {
  /** The pool, which is not collected while it has an open call. */
  readonly owner: object
  /** The items, in a process that was given them. */
  readonly input: DurableInput | undefined
  /** Somebody waits from now on, or waits no more: see durable-calls. */
  readonly onHeld: (change: 1 | -1) => void
  /** It has been begun or joined, in this process that has its items. @param call - `CLIENT.NUMBER` */
  readonly onOpen?: (call: string) => void
  readonly onProgress: (done: number, total: number) => void
  readonly onEnd: (ending: DurableEnd) => void
}

/** What a handle is told: all outcomes, or why there are none; with `goesOn` the call itself has not ended. */
export type DurableEnd = { readonly outcomes: DurableOutcomes } | { readonly error: unknown; readonly goesOn: boolean }

export class DurableCall implements DurableSource {
  readonly key: string
  readonly #options: DurableCallOptions
  #follower: DurableFollower | undefined
  #watch: DurableWatch | undefined
  #lost: readonly ItemRange[] = []
  #failure: { readonly error: unknown } | undefined
  #isOver = false
  /** Those who wait for single items. */
  #takers = 0
  #started: Promise<void> = Promise.resolve()
  /** It was begun here, or joined. */
  #isKnown = false
  /** Resolved and renewed when something has been heard. */
  #changed = new Deferred()

  constructor(options: DurableCallOptions) {
    this.#options = options
    this.key = options.key
  }

  get progress(): Progress {
    const total = this.#follower?.head.items ?? this.#options.input?.head.items
    return { done: this.#follower?.outcomes.done ?? 0, total }
  }

  get lost(): readonly ItemRange[] {
    return this.#lost
  }

  /** Items that have failed, as far as it has heard. */
  get failed(): number {
    return this.#follower?.outcomes.errors.size ?? 0
  }

  /** The shared values that its items hold, in a process that was given them. */
  get shared(): Iterable<SharedContent> {
    return this.#options.input?.shared ?? []
  }

  /** What the call yields, of the values of its items. */
  pick(values: readonly unknown[]): unknown {
    return this.#follower?.head.form === 'apply' ? values[0] : values
  }

  /** Begins or joins the call, and follows it. Never rejects. */
  start(): Promise<void> {
    this.#started = this.#start()
    return this.#started
  }

  async #start(): Promise<void> {
    const { input, onOpen } = this.#options
    const opening = new DurableOpening(this.#options, {
      isOver: () => this.#isOver,
      onThere: () => {
        this.#isKnown = true
      },
      onOpen: (call) => {
        if (!this.#isOver) onOpen?.(call)
      },
      follow: (session, view) => this.#follow(session, view),
      onHeard: () => this.#heard(),
    })
    try {
      if (input === undefined) await opening.attach()
      else await this.held(() => opening.begin(input))
    } catch (error) {
      this.fail(error instanceof PoolError ? error : refused(this.key, error, false))
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
  fail(error: unknown, lost: readonly ItemRange[] = [], goesOn = false): void {
    if (this.#isOver) return
    this.#lost = lost
    this.#failure = { error }
    this.#leave()
    this.#options.onEnd({ error, goesOn })
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
      const outcomes = this.#follower?.outcomes
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
      const { store } = await this.#options.session()
      const view = await untilAnswered(() => store.look())
      if (view === undefined) throw noCall(this.key)
      return infoOf(view)
    })
  }

  async cancel(): Promise<boolean> {
    return await this.held(async () => {
      const { store } = await this.#options.session()
      return await untilAnswered(() => store.cancel())
    })
  }

  async forget(): Promise<boolean> {
    return await this.held(async () => {
      const { store } = await this.#options.session()
      const wasThere = await untilAnswered(() => store.forget())
      this.fail(cancelled(this.key, 'was forgotten'))
      return wasThere
    })
  }

  #follow(session: DurableSession, view: DurableView): Followed {
    this.#isKnown = true
    this.#follower?.close()
    this.#watch?.stop()
    const onFailed = (error: unknown, lost?: readonly ItemRange[]) => this.fail(error, lost)
    const onHeard = () => this.#heard()
    const follower = new DurableFollower({
      session,
      view,
      isTaken: () => this.#takers > 0,
      onProgress: ({ done, values }) => this.#options.onProgress(done, values.length),
      onHeard,
      onFailed,
    })
    const { input, keep } = this.#options
    const watch = new DurableWatch({ session, follower, input, keep, onHeard, onFailed })
    this.#follower = follower
    this.#watch = watch
    if (this.#isOver) this.#leave()
    else this.#change()
    return { follower, watch }
  }

  #heard(): void {
    const follower = this.#follower
    this.#change()
    if (follower === undefined || this.#isOver || !follower.isComplete) return
    this.#leave()
    // It is known now rather than when a supervisor looks; if this fails, one does.
    const closing = this.#options.session().then(({ store }) => store.look())
    closing.catch(() => undefined)
    this.#options.onEnd({ outcomes: follower.outcomes })
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = new Deferred()
  }

  #leave(): void {
    this.#isOver = true
    this.#watch?.stop()
    this.#follower?.close()
    this.#change()
  }
}
