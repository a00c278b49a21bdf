/**
 * A client's lease: its result stream, its place among the clients of the pool, and its spec, which live while it renews
 * them. When they lapse, because the process has died, supervisors drop its chunks and nothing is left. A process that
 * was only asleep finds its lease gone, makes it anew, and is told, so that lost chunks are sent again.
 */
import type { PoolKeys, RedisLink } from '@poolmq/shared'

/** Milliseconds that the lease lasts after a renewal. */
export const leaseDuration = 45_000
const renewal = 5000

export class ClientLease {
  readonly #link: RedisLink
  readonly #keys: PoolKeys
  readonly #clientId: string
  readonly #spec: string | undefined
  readonly #onRemade: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(link: RedisLink, keys: PoolKeys, clientId: string, spec: string | undefined, onRemade: () => void) {
    this.#link = link
    this.#keys = keys
    this.#clientId = clientId
    this.#spec = spec
    this.#onRemade = onRemade
  }

  async take(): Promise<void> {
    await this.#write(true)
    this.#timer = setInterval(() => {
      this.renew().catch(() => undefined) // out of reach: the next renewal tells whether the lease has outlived it
    }, renewal).unref()
  }

  async renew(): Promise<void> {
    if ((await this.#write(false)) === 1) return
    await this.#write(true)
    this.#onRemade()
  }

  /** Gives the lease up: from now on nobody runs this client's chunks. */
  async release(): Promise<void> {
    clearInterval(this.#timer)
    const { client } = this.#link
    const own = [this.#keys.results(this.#clientId), this.#keys.spec(this.#clientId)]
    await client
      .multi()
      .del(...own)
      .zrem(this.#keys.clients, this.#clientId)
      .exec()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Resolves to 1 when the stream is there. */
  async #write(create: boolean): Promise<unknown> {
    const stream = this.#keys.results(this.#clientId)
    const multi = this.#link.client.multi()
    if (create) multi.xadd(stream, '*', 'client', this.#clientId)
    multi.pexpire(stream, leaseDuration)
    multi.zadd(this.#keys.clients, Date.now() + leaseDuration, this.#clientId)
    if (this.#spec !== undefined) multi.set(this.#keys.spec(this.#clientId), this.#spec, 'PX', leaseDuration)
    const replies = (await multi.exec()) ?? []
    for (const [error] of replies) if (error !== null) throw error
    return replies[create ? 1 : 0]?.[1]
  }
}
