/**
 * What a supervisor does by the clock: renew leases, show presence, give back chunks whose lease has lapsed, stop chunks
 * whose client is gone. And, at a death, give back what the dead process held. A tick that fails (Redis is out of reach)
 * is logged and done again at the next; a tick never overlaps itself.
 */
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type ChunkId,
  callIdOf,
  isWrongType,
  type PoolKeys,
  parseChunkId,
  type RedisLink,
  within,
} from '@poolmq/shared'
import type { Log } from '../logger.js'
import type { ChunkStore } from '../queue/chunk-store.js'
import { findForeignKey } from '../queue/foreign-key.js'
import type { Loss } from '../queue/loss-ledger.js'
import { PieceStore } from '../queue/piece-store.js'
import { copyOrders, orderStop, sweepPool, sweptKeys } from '../queue/pool-scripts.js'
import { liveHosts, showHost } from '../queue/presence.js'
import { DurableKeeper } from './durable-keeper.js'
import type { HostPresence } from './host-presence.js'
import type { HostRecord } from './host-record.js'
import { HostReporter } from './host-reporter.js'
import { LockKeeper } from './lock-keeper.js'
import { RepeatedFailure } from './repeated-failure.js'
import type { LostChunk, WorkerLoss } from './worker-loss.js'
import type { WorkerSlot } from './worker-slot.js'

export interface SupervisorDutiesOptions {
  readonly id: string
  readonly link: RedisLink
  readonly keys: PoolKeys
  readonly store: ChunkStore
  readonly lockDuration: number
  readonly slots: ReadonlySet<WorkerSlot>
  readonly log: Log
  readonly record: HostRecord
  readonly build: string | undefined
  /** Somebody watches: what is run is to be tallied. */
  readonly onWatched: () => void
  /** An operator wants this host to drain and end. */
  readonly onDrain: (() => void) | undefined
}

/** Milliseconds between two looks at the clients of running chunks. */
const watchInterval = 1000
/**
 * Looks in a row at which a client's result stream must be missing before the client is taken for gone. One that lives makes
 * it anew within 5 s when Redis has lost it; where that is not enough, it sends its chunks again.
 */
const looksUntilGone = 10
/** Milliseconds after which Redis has read what a dead process has sent. */
const lastWords = 100
/** Milliseconds that Redis has to take the presence when somebody asks whether it does. */
const presenceTimeout = 2000
/** Milliseconds that a dead process's chunk is tried to be given back; then its lock has lapsed anyway. */
const recoverTimeout = 15_000

export class SupervisorDuties {
  readonly #options: SupervisorDutiesOptions
  readonly #locks: LockKeeper
  readonly #durables: DurableKeeper
  readonly #timers: NodeJS.Timeout[] = []
  #presence: () => HostPresence = () => ({ host: hostname(), pid: process.pid, processes: 0, lanes: 0, tasks: [] })
  /** The presence that is being shown because somebody asked. */
  #showing: Promise<string[]> | undefined
  /** How often in a row the stream of a client whose chunks run has been missing. */
  #missing = new Map<string, number>()
  #ended = false

  constructor(options: SupervisorDutiesOptions) {
    this.#options = options
    this.#locks = new LockKeeper(options.store, options.slots)
    this.#durables = new DurableKeeper(options.link, options.keys, options.log)
  }

  start(presence: () => HostPresence): void {
    const { lockDuration, link, store, slots } = this.#options
    this.#presence = presence
    this.#every(lockDuration / 5, 'renewing leases', () => this.#locks.renew())
    this.#every(lockDuration / 3, 'showing presence', () => this.#announce())
    this.#every(Math.max(100, lockDuration / 10), 'looking for lapsed leases', async () => {
      const { chunks: lapsed, hasDurables } = await store.giveBackLapsed()
      if (lapsed.length > 0) this.#options.log.info({ chunks: lapsed.length }, 'gave back chunks of lost hosts')
      if (hasDurables) void this.#durables.look()
    })
    this.#every(watchInterval, 'watching clients', () => this.#watchClients())
    this.#every(lockDuration, 'listening for deaf worker processes', async () => {
      await link.client.ping()
      for (const slot of slots) slot.watchdog.checkHearing()
    })
    const reporter = new HostReporter(this.#options)
    this.#every(watchInterval, 'looking for orders', () => reporter.look())
    this.#every(lockDuration / 5, 'looking for stopped worker processes', async () => {
      for (const slot of slots) slot.watchdog.checkStanding()
    })
    this.#every(watchInterval, 'watching worker processes', async () => {
      for (const slot of slots) slot.watchdog.checkMemory()
      for (const slot of slots) slot.watchdog.checkTurning()
    })
  }

  /** Shows what has changed, now rather than at the next tick; if Redis refuses, the tick does it. */
  announceSoon(): void {
    this.#announce().catch((error: unknown) => this.#options.log.debug({ err: error }, 'presence could not be shown'))
  }

  async #announce(): Promise<void> {
    if (this.#ended) return
    const { link, keys, id, lockDuration } = this.#options
    await showHost(link, keys, id, this.#presence(), lockDuration)
  }

  /** What keeps this host from being seen by its pool, found by showing it: a connection that is open proves nothing. */
  async obstacles(): Promise<string[]> {
    if (this.#options.link.lostFor > 0) return ['the connection to Redis is lost']
    // One at a time: what Redis has not answered yet is the answer to all who ask meanwhile.
    this.#showing ??= this.#announce()
      .then(
        () => this.#foreignKeys(),
        async (error: unknown) => [`Redis refuses its presence: ${((await this.#named(error)) as Error).message}`],
      )
      .finally(() => {
        this.#showing = undefined
      })
    const shown = this.#showing
    return (await within(presenceTimeout, shown)) ? await shown : ['Redis does not answer']
  }

  async #foreignKeys(): Promise<string[]> {
    const { link, keys } = this.#options
    const foreign = await findForeignKey(link.client, keys).catch(() => undefined)
    return foreign === undefined ? [] : [foreign.message]
  }

  /** Gives back what a worker process held when it ended. */
  async recover(loss: WorkerLoss): Promise<void> {
    const { build } = this.#options
    const where = { pid: loss.pid, host: hostname(), ...(build !== undefined && { build }) }
    const details: Loss = { ...where, exitCode: loss.exit.code, signal: loss.exit.signal }
    await this.#insist(() => this.#giveBack(loss, details))
  }

  /** Has a chunk run elsewhere, or not at all, although its worker process goes on for a while. */
  async giveUp(jobId: string, token: string, chunk: LostChunk): Promise<void> {
    await this.#insist(() => this.#giveBackChunk(jobId, token, chunk))
  }

  /** The tasks of these chunks; none when Redis does not tell. */
  async tasksOf(jobIds: readonly string[]): Promise<string[]> {
    const told = this.#options.store.tasksOf(jobIds).catch(() => [])
    return (await within(presenceTimeout, told)) ? await told : []
  }

  async #insist(action: () => Promise<void>): Promise<void> {
    for (const end = performance.now() + recoverTimeout; ; ) {
      try {
        return await action()
      } catch (error) {
        if (this.#ended || performance.now() > end) return
        this.#options.log.warn({ err: error }, 'could not give back the chunks of a worker process; trying again')
        await delay(200)
      }
    }
  }

  async #giveBack(loss: WorkerLoss, details: Loss): Promise<void> {
    await this.#options.store.dismiss(loss.token)
    const found = await this.#giveBackHeld(loss, details)
    if (found > 0 && loss.lanes === 1) return
    // The dead process may have asked for chunks with its last words, which Redis may not have read yet.
    await delay(lastWords)
    await this.#giveBackHeld(loss, details)
  }

  async #giveBackHeld(loss: WorkerLoss, details: Loss): Promise<number> {
    const held = await this.#options.store.heldBy(loss.token)
    if (loss.blame !== 'none' && held.length > 0) await this.#warnOfLoss(held, loss, details)
    for (const jobId of held) {
      const chunk = loss.chunks.get(jobId)
      if (chunk !== undefined && !chunk.cancelled) await this.#countLoss(jobId, chunk, loss, details)
      await this.#giveBackChunk(jobId, loss.token, chunk)
    }
    return held.length
  }

  async #warnOfLoss(held: readonly string[], { crash }: WorkerLoss, loss: Loss): Promise<void> {
    const tasks = await this.tasksOf(held)
    const because = crash && `${crash.error.name}: ${crash.error.message}`
    const [chunk = ''] = held
    const about = { chunk, call: callIdOf(chunk), task: tasks[0], loss, because }
    const { log } = this.#options
    if (held.length === 1) log.warn(about, 'a worker process died with a chunk in hand; it is given back')
    else
      log.warn(
        { chunks: held, tasks, loss, because },
        `a worker process died with ${held.length} chunks in hand; they are given back`,
      )
  }

  async #countLoss(jobId: string, { item }: LostChunk, loss: WorkerLoss, details: Loss): Promise<void> {
    if (loss.blame === 'none') return
    const { store } = this.#options
    const { crash } = loss
    // What left the error behind that ended the process is known, or not, and may be over by now.
    const isOwn = crash?.jobId === jobId
    const isOthers = crash?.jobId !== undefined && !isOwn
    const culprit = isOwn ? (crash.offset ?? item) : item
    const alone = culprit === undefined ? 'lost' : `lost:${culprit}`
    const reason = crash && { error: crash.error, ...(isOthers && { culprit: crash.taskId }) }
    const field = isOwn || loss.blame === 'one' ? alone : 'shared'
    await store.noteLoss(jobId, loss.token, field, JSON.stringify({ ...details, ...reason }))
  }

  async #giveBackChunk(jobId: string, token: string, chunk: LostChunk | undefined): Promise<void> {
    const { store } = this.#options
    if (chunk?.cancelled) return store.dropHeld(jobId, token)
    if (chunk?.late !== undefined) {
      await store.noteFields(jobId, new Map([[`late:${chunk.late.index}`, String(chunk.late.limit)]]))
    }
    await store.giveBack(jobId, token)
  }

  /**
   * Stops what runs for nobody: of calls that were cancelled and clients that have left, which stand in a record, and of
   * clients whose result stream is missing for long (it is their lease). It asks, rather than being told, so that no message
   * can be missed.
   */
  async #watchClients(): Promise<void> {
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

  /** Whether some host has a worker process in which the initializer of this key has run. */
  async isServed(key: string): Promise<boolean> {
    const hosts = await liveHosts(this.#options.link, this.#options.keys)
    return hosts.some(({ specs }) => specs?.includes(key))
  }

  /** Removes what a client has left: its lease, its spec, and the chunks that wait. */
  async removeClient(clientId: string): Promise<void> {
    const { link, keys, store } = this.#options
    await link.client.multi().del(keys.results(clientId)).del(keys.spec(clientId)).zrem(keys.clients, clientId).exec()
    await orderStop(link.client, [keys.stops], [clientId])
    await store.dropAll(`${clientId}.`)
    await new PieceStore(link, keys).removeOutcomes(clientId)
  }

  /** Withdraws the presence, and removes the pool's keys when this was the last to use it. */
  async end(): Promise<void> {
    this.#ended = true
    for (const timer of this.#timers) clearInterval(timer)
    const { link, keys, id, log } = this.#options
    try {
      await link.client.hdel(keys.hosts, id)
      await sweepPool(link.client, sweptKeys(keys), [])
    } catch (error) {
      log.info({ err: error }, 'could not withdraw from Redis; the records lapse by themselves')
    }
  }

  /** The error; where a key is somebody else's, one that names it. */
  async #named(error: unknown): Promise<unknown> {
    if (!isWrongType(error)) return error
    const { link, keys } = this.#options
    return (await findForeignKey(link.client, keys).catch(() => undefined)) ?? error
  }

  #every(interval: number, what: string, action: () => Promise<void>): void {
    let running = false
    const failures = new RepeatedFailure(this.#options.log, what, interval)
    const tick = async () => {
      if (running || this.#ended) return
      running = true
      try {
        await action()
        failures.over()
      } catch (error) {
        // At the end Redis may go first: a Pool's own ends with it.
        const err = await this.#named(error)
        if (!this.#ended) failures.tell(err)
      } finally {
        running = false
      }
    }
    void tick()
    this.#timers.push(setInterval(tick, interval))
  }
}
