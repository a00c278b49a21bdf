/**
 * Holds the leases of the chunks that a supervisor's worker processes have in hand: renews their locks while the
 * process lives, however busy it is. It does not judge: a chunk whose lock is lost all the same is another's, and its
 * second outcome is dropped by the client.
 */
import type { ChunkStore } from './chunk-store.js'
import type { Log } from './logger.js'

export class LockKeeper {
  readonly #store: ChunkStore
  readonly #log: Log
  /** Token to chunk: a worker process has one chunk in hand. */
  readonly #held = new Map<string, string>()

  constructor(store: ChunkStore, log: Log) {
    this.#store = store
    this.#log = log
  }

  hold(token: string, jobId: string | undefined): void {
    if (jobId === undefined) this.#held.delete(token)
    else this.#held.set(token, jobId)
  }

  get chunks(): Iterable<string> {
    return this.#held.values()
  }

  async renew(): Promise<void> {
    const held = [...this.#held]
    if (held.length === 0) return
    const lost = await this.#store.renew(held.map(([token, jobId]) => [jobId, token] as const))
    // A chunk that was completed while we asked is reported as well.
    for (const [token, jobId] of held) {
      if (lost.includes(jobId) && this.#held.get(token) === jobId) this.#log.debug({ jobId }, 'a lease was lost')
    }
  }
}
