/**
 * Withdraws chunks that nobody waits for any more: those that wait are removed, those that run are stopped on every host.
 * What many calls leave at one moment goes together: the work is that of the chunks, however many calls they were and
 * whatever else waits.
 */
import { performance } from 'node:perf_hooks'
import { callIdOf, type PoolKeys, type RedisLink, untilAnswered } from '@poolmq/shared'
import { type ChunkStore, copyOrders, orderLife, orderStop } from '@poolmq/worker'

/** Chunks that are withdrawn at once. */
const batch = 5000

export class Withdrawal {
  readonly #link: RedisLink
  readonly #keys: PoolKeys
  readonly #store: ChunkStore
  readonly #share: string
  #unwanted: string[] = []
  /** Copies of chunks whose other copy has come first: their calls go on. */
  #outrun: string[] = []
  #running: Promise<void> | undefined
  /** Chunks that ran when they were withdrawn, and when the order to stop them ends. */
  readonly #left = new Map<string, number>()

  /** @param share - the key of the client's share */
  constructor(link: RedisLink, keys: PoolKeys, store: ChunkStore, share: string) {
    this.#link = link
    this.#share = share
    this.#keys = keys
    this.#store = store
  }

  /** Chunks of calls that nobody waits for any more. */
  add(jobIds: Iterable<string>): void {
    for (const jobId of jobIds) this.#unwanted.push(jobId)
    this.#start()
  }

  /** One copy of a chunk, of a call that goes on. */
  addCopy(jobId: string): void {
    this.#outrun.push(jobId)
    this.#start()
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  /** Resolves when all that was added is withdrawn. Never rejects: what could not be stopped runs in vain. */
  async done(): Promise<void> {
    await this.#running
  }

  /** Chunks that may still run somewhere. */
  get left(): string[] {
    return [...this.#left.keys()]
  }

  async #run(): Promise<void> {
    // What is withdrawn in this turn of the event loop goes together.
    await Promise.resolve()
    const now = performance.now()
    for (const [jobId, end] of this.#left) if (end < now) this.#left.delete(jobId)
    while (this.#unwanted.length + this.#outrun.length > 0) {
      const wholeCalls = (running: readonly string[]) => running.map(callIdOf)
      await this.#withdraw(this.#unwanted.splice(0, batch), wholeCalls).catch(() => undefined)
      const alone = (running: readonly string[]) => [...running, copyOrders]
      await this.#withdraw(this.#outrun.splice(0, batch), alone).catch(() => undefined)
    }
  }

  /** @param orders - what hosts are to stop, where these chunks run */
  async #withdraw(jobIds: readonly string[], orders: (running: readonly string[]) => string[]): Promise<void> {
    if (jobIds.length === 0) return
    const running = await untilAnswered(() => this.#store.drop(jobIds, false, this.#share))
    if (running.length === 0) return
    const stopped = [...new Set(orders(running))]
    await untilAnswered(() => orderStop(this.#link.client, [this.#keys.stops], stopped))
    for (const jobId of running) this.#left.set(jobId, performance.now() + orderLife)
  }
}
