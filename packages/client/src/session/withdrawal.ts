/**
 * Withdraws chunks that nobody waits for any more: those that wait are removed, those that run are stopped on every host.
 * What many calls leave at one moment goes together: the work is that of the chunks, however many calls they were and
 * whatever else waits.
 */
import { type PoolKeys, type RedisLink, untilAnswered } from '@poolmq/shared'
import { type ChunkStore, orderLife, orderStop } from '@poolmq/worker'

/** Chunks that are withdrawn at once. */
const batch = 5000

export class Withdrawal {
  readonly #link: RedisLink
  readonly #keys: PoolKeys
  readonly #store: ChunkStore
  #unwanted: string[] = []
  #running: Promise<void> | undefined
  /** Chunks that ran when they were withdrawn, and when the order to stop them ends. */
  readonly #left = new Map<string, number>()

  constructor(link: RedisLink, keys: PoolKeys, store: ChunkStore) {
    this.#link = link
    this.#keys = keys
    this.#store = store
  }

  add(jobIds: Iterable<string>): void {
    for (const jobId of jobIds) this.#unwanted.push(jobId)
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
    while (this.#unwanted.length > 0) {
      await this.#withdraw(this.#unwanted.splice(0, batch)).catch(() => undefined)
    }
  }

  async #withdraw(jobIds: readonly string[]): Promise<void> {
    const running = await untilAnswered(() => this.#store.drop(jobIds))
    if (running.length === 0) return
    const calls = [...new Set(running.map((jobId) => jobId.slice(0, jobId.lastIndexOf('.'))))]
    await untilAnswered(() => orderStop(this.#link.client, [this.#keys.stops], calls))
    for (const jobId of running) this.#left.set(jobId, performance.now() + orderLife)
  }
}
