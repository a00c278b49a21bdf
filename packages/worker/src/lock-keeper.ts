/**
 * Holds the leases of the chunks that a supervisor's worker processes have in hand: renews their locks while the
 * process lives, however busy it is. It does not judge: a chunk whose lock is lost all the same is another's, and its
 * second outcome is dropped by the client.
 */
import type { ChunkStore } from './chunk-store.js'
import type { Log } from './logger.js'
import type { WorkerSlot } from './worker-slot.js'

export class LockKeeper {
  readonly #store: ChunkStore
  readonly #log: Log
  readonly #slots: ReadonlySet<WorkerSlot>

  constructor(store: ChunkStore, log: Log, slots: ReadonlySet<WorkerSlot>) {
    this.#store = store
    this.#log = log
    this.#slots = slots
  }

  async renew(): Promise<void> {
    const held = [...this.#slots].flatMap((slot) => slot.held ?? [])
    if (held.length === 0) return
    const lost = await this.#store.renew(held.map(({ jobId, token }) => [jobId, token] as const))
    // A chunk that was completed while we asked is reported as well.
    for (const slot of this.#slots) {
      const jobId = slot.held?.jobId
      if (jobId !== undefined && lost.includes(jobId)) this.#log.debug({ jobId }, 'a lease was lost')
    }
  }
}
