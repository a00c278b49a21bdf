/**
 * A client's lease: its result stream, its place among the clients of the pool, and its spec, which live while it renews
 * them. When they lapse, because the process has died, supervisors drop its chunks and nothing is left. A process that
 * was only asleep finds its lease gone, makes it anew, and is told, so that lost chunks are sent again.
 */
import { clearInterval, setInterval } from 'node:timers'
import { keyLife, type PoolKeys, type RedisLink, untilAnswered } from '@poolmq/shared'
import { type ChunkStore, expireKeys, orderStop, renewLease } from '@poolmq/worker'

/** Milliseconds that the lease lasts after a renewal. */
const leaseDuration = 45_000
const renewal = 5000

export interface ClientLeaseOptions {
  readonly link: RedisLink
  readonly keys: PoolKeys
  readonly store: ChunkStore
  readonly clientId: string
  readonly spec: string | undefined
  /** The lease had lapsed, and was taken anew. */
  readonly onRemade: () => void
  /** A renewal has succeeded, or failed with this. */
  readonly onRenewed: (error?: unknown) => void
}

export class ClientLease {
  readonly #options: ClientLeaseOptions
  #timer: NodeJS.Timeout | undefined
  #released = false

  constructor(options: ClientLeaseOptions) {
    this.#options = options
  }

  async take(): Promise<void> {
    await untilAnswered(() => this.#write(true))
    this.#timer = setInterval(() => void this.renew(), renewal).unref()
  }

  /** Never rejects: what became of it is told. */
  async renew(): Promise<void> {
    if (this.#released) return
    try {
      if (!(await this.#write(false)) && !this.#released) {
        await this.#write(true)
        this.#options.onRemade()
      }
      this.#options.onRenewed()
    } catch (error) {
      this.#options.onRenewed(error)
    }
  }

  /** Gives the lease up: from now on nobody runs this client's chunks. */
  async release(): Promise<void> {
    this.#released = true
    clearInterval(this.#timer)
    const { link, keys, clientId } = this.#options
    await orderStop(link.client, [keys.stops], [clientId])
    await link.client.multi().del(keys.results(clientId), keys.spec(clientId)).zrem(keys.clients, clientId).exec()
  }

  /** True when the stream is there. When Redis refuses to take more, what only lives longer must still live longer. */
  async #write(create: boolean): Promise<boolean> {
    const { link, keys, store, clientId, spec = '' } = this.#options
    const its = [keys.results(clientId), keys.clients, keys.spec(clientId)] as const
    const lives = expireKeys(link.client, its, [leaseDuration])
    const renewed = renewLease(link.client, its, [clientId, leaseDuration, create ? '1' : '0', spec])
    const [there] = await Promise.all([renewed, lives, store.expireQueue(keyLife)])
    return there === 1
  }
}
