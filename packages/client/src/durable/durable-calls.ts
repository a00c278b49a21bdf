/**
 * The durable calls that a pool has handles of. They keep the process alive, and the pool from its end, as long as their items are
 * on their way to Redis or somebody waits; else both may end, and the calls go on.
 */
import { PoolStateError, type ProcessAnchor, type SharedContent } from '@poolmq/shared'
import { DurableCall, type DurableCallOptions } from './durable-call.js'

export class DurableCalls {
  readonly #anchor: ProcessAnchor
  readonly #calls = new Set<DurableCall>()
  /** How many wait for something of one. */
  #waiting = 0
  #idle: (() => void)[] = []

  constructor(anchor: ProcessAnchor) {
    this.#anchor = anchor
  }

  start(options: Omit<DurableCallOptions, 'onHeld'>): DurableCall {
    const call: DurableCall = new DurableCall({
      ...options,
      onHeld: (change) => this.#held(change),
      onEnd: (ending) => {
        this.#calls.delete(call)
        options.onEnd(ending)
      },
    })
    this.#calls.add(call)
    void call.start()
    return call
  }

  /** Whether there are some that have not ended. */
  get areOpen(): boolean {
    return this.#calls.size > 0
  }

  /** The shared values of items that are here: until their calls hold them in Redis they are this process's to renew. */
  *shared(): Iterable<SharedContent> {
    for (const call of this.#calls) yield* call.shared
  }

  /** @param goOn - the calls, without this process */
  failAll(error: unknown, goOn = false): void {
    for (const call of [...this.#calls]) call.fail(error, [], goOn)
  }

  /** Resolves when nobody waits for any. */
  async idle(): Promise<void> {
    while (this.#waiting > 0) {
      await new Promise<void>((resolve) => this.#idle.push(resolve))
    }
  }

  /** The pool has ended; the calls go on. */
  leave(): void {
    this.failAll(
      new PoolStateError(
        'the pool has ended while a durable call went on; attach to it from another pool of the same name',
      ),
      true,
    )
  }

  #held(change: 1 | -1): void {
    this.#waiting += change
    if (this.#waiting > 0) {
      this.#anchor.hold(this)
      return
    }
    this.#anchor.release(this)
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
