/**
 * The clients whose chunks run on this host: what runs for nobody is stopped, and what a client has left is removed. They
 * are asked for in Redis, where each has a lease; none of them knows this host.
 */
import { type ChunkId, type PoolKeys, parseChunkId, type RedisLink } from '@poolmq/shared'
import type { ChunkStore } from '../queue/chunk-store.js'
import { PieceStore } from '../queue/piece-store.js'
import { copyOrders, orderStop } from '../queue/pool-scripts.js'
import type { WorkerSlot } from './worker-slot.js'

export interface ClientWatchOptions {
  readonly link: RedisLink
  readonly keys: PoolKeys
  readonly store: ChunkStore
  readonly slots: ReadonlySet<WorkerSlot>
}

/**
 * Looks in a row at which a client's result stream must be missing before the client is taken for gone. One that lives makes
 * it anew within 5 s when Redis has lost it; where that is not enough, it sends its chunks again.
 */
const looksUntilGone = 10

export class ClientWatch {
  readonly #options: ClientWatchOptions
  /** How often in a row the stream of a client whose chunks run has been missing. */
  #missing = new Map<string, number>()

  constructor(options: ClientWatchOptions) {
    this.#options = options
  }

  /**
   * Stops what runs for nobody: of calls that were cancelled and clients that have left, which stand in a record, and of
   * clients whose result stream is missing for long (it is their lease). It asks, rather than being told, so that no message
   * can be missed.
   */
  async look(): Promise<void> {
    const { slots, store } = this.#options
    const running = new Map<string, ChunkId>()
    for (const slot of slots) {
      for (const { jobId } of slot.held) {
        const id = parseChunkId(jobId)
        if (id !== undefined) running.set(jobId, id)
      }
    }
    const { clients, calls, copies } = await this.#unwanted(running)
    for (const clientId of clients) await store.dropWaiting(`${clientId}.`)
    for (const [jobId, id] of running) {
      if (!clients.has(id.clientId) && !calls.has(`${id.clientId}.${id.call}`) && !copies.has(jobId)) continue
      for (const slot of slots) slot.cancel(jobId)
    }
  }

  async #unwanted(running: ReadonlyMap<string, ChunkId>): Promise<Record<'clients' | 'calls' | 'copies', Set<string>>> {
    const { link, keys } = this.#options
    const clients = [...new Set([...running.values()].map((id) => id.clientId))]
    const calls = [...new Set([...running.values()].map((id) => `${id.clientId}.${id.call}`))]
    if (clients.length === 0) return { clients: new Set(), calls: new Set(), copies: new Set() }
    const pipeline = link.client.pipeline()
    for (const clientId of clients) pipeline.exists(keys.results(clientId)).zscore(keys.stops, clientId)
    for (const call of calls) pipeline.zscore(keys.stops, call)
    const replies = (await pipeline.zscore(keys.stops, copyOrders).exec()) ?? []
    const isOrder = (reply: (typeof replies)[number] | undefined) => typeof reply?.[1] === 'string'
    const copies = isOrder(replies.at(-1)) ? await this.#outrun([...running.keys()]) : []
    // A Redis that was emptied has neither streams nor orders: that a stream is missing now says little.
    const missing = clients.filter((_, i) => replies[2 * i]?.[0] === null && replies[2 * i]?.[1] === 0)
    this.#missing = new Map(missing.map((clientId) => [clientId, (this.#missing.get(clientId) ?? 0) + 1]))
    const left = clients.filter((_, i) => isOrder(replies[2 * i + 1]))
    const gone = missing.filter((clientId) => (this.#missing.get(clientId) ?? 0) >= looksUntilGone)
    return {
      clients: new Set([...left, ...gone]),
      calls: new Set(calls.filter((_, i) => isOrder(replies[2 * clients.length + i]))),
      copies: new Set(copies),
    }
  }

  /** Those of these chunks whose other copy has come first. */
  async #outrun(jobIds: readonly string[]): Promise<string[]> {
    const { link, keys } = this.#options
    const pipeline = link.client.pipeline()
    for (const jobId of jobIds) pipeline.zscore(keys.stops, jobId)
    const replies = (await pipeline.exec()) ?? []
    return jobIds.filter((_, i) => typeof replies[i]?.[1] === 'string')
  }

  /** Removes what a client has left: its lease, its spec, and the chunks that wait. */
  async remove(clientId: string): Promise<void> {
    const { link, keys, store } = this.#options
    await link.client.multi().del(keys.results(clientId)).del(keys.spec(clientId)).zrem(keys.clients, clientId).exec()
    await orderStop(link.client, [keys.stops], [clientId])
    await store.dropAll(`${clientId}.`)
    await new PieceStore(link, keys).removeOutcomes(clientId)
  }
}
