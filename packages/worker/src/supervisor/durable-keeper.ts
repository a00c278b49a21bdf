/**
 * Looks after the durable calls of a pool, which have no process of their own: what has ended of them is counted, their keys are
 * renewed, and chunks that have lost their place in the queue, as its lists live for a minute when nobody is there, are put back.
 * One host at a time does it. It never gives inputs again that Redis has lost: those who attach are told.
 */
import { keyLife, type PoolKeys, ProtocolError, type RedisLink } from '@poolmq/shared'
import type { Log } from '../logger.js'
import { type DurableStore, type DurableView, openDurables } from '../queue/durable-store.js'

/** Milliseconds after which places are looked at anyway: Redis may have lost some, and tells nobody. */
const longestTrust = 30_000
/** Ids in the queue's lists that are looked at without a reason. */
const shortLists = 1000
/** Ids read at once. */
const slice = 5000

export class DurableKeeper {
  readonly #link: RedisLink
  readonly #keys: PoolKeys
  readonly #log: Log
  /** Chunks that were in no list at the last look: they are put back when they still are. */
  #suspects = new Set<string>()
  /** Chunks that had ended at the last look, by call. */
  #done = new Map<string, number>()
  /** Chunks that are not there: they are lost, or not added yet, and are not looked for again soon. */
  #gone = new Set<string>()
  /** Calls whose record is of a newer version, or not ours. */
  readonly #unreadable = new Set<string>()
  #looking: Promise<void> | undefined
  #looked = Number.NEGATIVE_INFINITY

  constructor(link: RedisLink, keys: PoolKeys, log: Log) {
    this.#link = link
    this.#keys = keys
    this.#log = log
  }

  /** Looks after them, unless it is still about it. Never rejects: what cannot be done now is done the next time. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => this.#log.debug({ err: error }, 'durable calls could not be looked after'))
      .finally(() => {
        this.#looking = undefined
      })
    return this.#looking
  }

  async #look(): Promise<void> {
    const open: [store: DurableStore, view: DurableView][] = []
    for (const store of await openDurables(this.#link, this.#keys)) {
      const view = await this.#viewOf(store)
      if (view?.state === 'open') open.push([store, view])
    }
    const stands = open.some(([{ id }, { done }]) => this.#done.get(id) === done)
    this.#done = new Map(open.map(([{ id }, { done }]) => [id, done]))
    if (open.length === 0) this.#gone.clear()
    else if (await this.#isDue(stands)) await this.#findPlaces(open)
  }

  async #viewOf(store: DurableStore): Promise<DurableView | undefined> {
    try {
      return await store.look()
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      if (!this.#unreadable.has(store.id)) this.#log.warn({ err: error }, 'a durable call cannot be looked after')
      this.#unreadable.add(store.id)
      return undefined
    }
  }

  /**
   * Whether chunks may have lost their place: it is cheap to see, or was not seen for long.
   *
   * @param stands - nothing of one has ended since the last look
   */
  async #isDue(stands: boolean): Promise<boolean> {
    if (this.#suspects.size > 0 || performance.now() - this.#looked > longestTrust) return true
    if (!stands) return false
    const { client } = this.#link
    const chunk = (suffix: string) => this.#keys.chunk(suffix)
    const replies = await client
      .pipeline()
      .exists(chunk('placed'))
      .llen(chunk('wait'))
      .llen(chunk('active'))
      .zcard(chunk('prioritized'))
      .zcard(chunk('delayed'))
      .exec()
    const [placed = 0, ...lengths] = (replies ?? []).map(([, reply]) => Number(reply))
    return placed === 0 || lengths.reduce((sum, length) => sum + length, 0) < shortLists
  }

  async #findPlaces(open: readonly (readonly [DurableStore, DurableView])[]): Promise<void> {
    if (performance.now() - this.#looked > longestTrust) this.#gone.clear()
    const placed = await this.#placed()
    const suspects = new Set<string>()
    for (const [store, { head, run }] of open) {
      const unended = await store.unended(Math.ceil(head.items / head.chunkSize))
      const missing = unended
        .map((index) => `${store.id}.${run}.${index}`)
        .filter((id) => !placed.has(id) && !this.#gone.has(id))
      const lost = missing.filter((id) => this.#suspects.has(id))
      const gone = lost.length === 0 ? [] : await store.place(lost)
      for (const id of gone) this.#gone.add(id)
      if (lost.length > gone.length) {
        const facts = { durable: head.key, chunks: lost.length - gone.length }
        this.#log.info(facts, 'put chunks of a durable call back into the queue')
      }
      const found = new Set(lost)
      for (const id of missing) if (!found.has(id)) suspects.add(id)
    }
    this.#suspects = suspects
    if (suspects.size > 0) return
    this.#looked = performance.now()
    await this.#link.client.set(this.#keys.chunk('placed'), '1', 'PX', keyLife)
  }

  /** All that is in some list. Those that wait are read first: what is taken meanwhile is then seen among those that run. */
  async #placed(): Promise<Set<string>> {
    const { client } = this.#link
    const found = new Set<string>()
    const readAll = async (read: (from: string, to: string) => Promise<string[]>) => {
      for (let from = 0; ; from += slice) {
        const ids = await read(String(from), String(from + slice - 1))
        for (const id of ids) found.add(id)
        if (ids.length < slice) return
      }
    }
    for (const suffix of ['prioritized', 'delayed']) {
      await readAll((from, to) => client.zrange(this.#keys.chunk(suffix), from, to))
    }
    // From the end that chunks are added to: what is taken meanwhile then moves nothing out of the way.
    for (const suffix of ['wait', 'paused', 'active']) {
      await readAll((from, to) => client.lrange(this.#keys.chunk(suffix), from, to))
    }
    return found
  }
}
