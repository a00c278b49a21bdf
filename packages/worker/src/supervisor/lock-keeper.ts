/**
 * Holds the leases of the chunks that a supervisor's worker processes have in hand: renews their locks while the
 * process lives, however busy it is. It does not judge: a chunk whose lock is lost all the same is another's, and its
 * second outcome is dropped by the client.
 */
import type { ChunkStore } from '../queue/chunk-store.js'
import type { WorkerSlot } from './worker-slot.js'

export class LockKeeper {
  readonly #store: ChunkStore
  readonly #slots: ReadonlySet<WorkerSlot>

  constructor(store: ChunkStore, slots: ReadonlySet<WorkerSlot>) {
    this.#store = store
    this.#slots = slots
  }

  async renew(): Promise<void> {
    const held = [...this.#slots].flatMap((slot) => slot.held)
    if (held.length === 0) return
    const over = new Set(await this.#store.renew(held.map(({ jobId, token }) => [jobId, token] as const)))
    for (const slot of this.#slots) slot.watchdog.noteOver(over)
  }
}
