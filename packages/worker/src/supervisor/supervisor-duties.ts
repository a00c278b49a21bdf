/**
 * What a supervisor does by the clock: renew leases, show presence, give back chunks whose lease has lapsed, stop chunks
 * whose client is gone, look after its worker processes. A tick that fails (Redis is out of reach) is logged and done again
 * at the next; a tick never overlaps itself.
 */
import { isWrongType, type PoolKeys, type RedisLink, within } from '@poolmq/shared'
import type { Log } from '../logger.js'
import type { ChunkStore } from '../queue/chunk-store.js'
import { findForeignKey } from '../queue/foreign-key.js'
import { sweepPool, sweptKeys } from '../queue/pool-scripts.js'
import { liveHosts, showHost } from '../queue/presence.js'
import { ChunkRecovery } from './chunk-recovery.js'
import { ClientWatch } from './client-watch.js'
import { DurableKeeper } from './durable-keeper.js'
import type { HostPresence } from './host-presence.js'
import type { HostRecord } from './host-record.js'
import { HostReporter } from './host-reporter.js'
import { LockKeeper } from './lock-keeper.js'
import { RepeatedFailure } from './repeated-failure.js'
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
  /** What this host shows of itself. */
  readonly presence: () => HostPresence
  /** Somebody watches: what is run is to be tallied. */
  readonly onWatched: () => void
  /** An operator wants this host to drain and end. */
  readonly onDrain: (() => void) | undefined
}

/** Milliseconds between two looks at what is asked of this host, and at how its worker processes are. */
const watchInterval = 1000
/** Milliseconds that Redis has to take the presence when somebody asks whether it does. */
const presenceTimeout = 2000

export class SupervisorDuties {
  readonly recovery: ChunkRecovery
  readonly clients: ClientWatch
  readonly #options: SupervisorDutiesOptions
  readonly #locks: LockKeeper
  readonly #durables: DurableKeeper
  readonly #timers: NodeJS.Timeout[] = []
  /** The presence that is being shown because somebody asked. */
  #showing: Promise<string[]> | undefined
  #ended = false

  constructor(options: SupervisorDutiesOptions) {
    this.#options = options
    this.recovery = new ChunkRecovery(options)
    this.clients = new ClientWatch(options)
    this.#locks = new LockKeeper(options.store, options.slots)
    this.#durables = new DurableKeeper(options.link, options.keys, options.log)
  }

  start(): void {
    const { lockDuration, link, store, slots } = this.#options
    this.#every(lockDuration / 5, 'renewing leases', () => this.#locks.renew())
    this.#every(lockDuration / 3, 'showing presence', () => this.#announce())
    this.#every(Math.max(100, lockDuration / 10), 'looking for lapsed leases', async () => {
      const { chunks: lapsed, hasDurables } = await store.giveBackLapsed()
      if (lapsed.length > 0) this.#options.log.info({ chunks: lapsed.length }, 'gave back chunks of lost hosts')
      if (hasDurables) void this.#durables.look()
    })
    this.#every(watchInterval, 'watching clients', () => this.clients.look())
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
    const { link, keys, id, lockDuration, presence } = this.#options
    await showHost(link, keys, id, presence(), lockDuration)
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

  /** Whether some host has a worker process in which the initializer of this key has run. */
  async isServed(key: string): Promise<boolean> {
    const hosts = await liveHosts(this.#options.link, this.#options.keys)
    return hosts.some(({ specs }) => specs?.includes(key))
  }

  /** Withdraws the presence, and removes the pool's keys when this was the last to use it. */
  async end(): Promise<void> {
    this.#ended = true
    this.recovery.stop()
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
    const { log } = this.#options
    const failures = new RepeatedFailure()
    const tick = async () => {
      if (running || this.#ended) return
      running = true
      try {
        await action()
        const failed = failures.over()
        if (failed > 0) log.info(`${what} works again; it had failed ${failed} times in a row`)
      } catch (error) {
        // At the end Redis may go first: a Pool's own ends with it.
        const err = await this.#named(error)
        if (this.#ended) return
        const isNews = failures.isNews(err)
        const often = failures.times === 1 ? '' : ` ${failures.times} times in a row`
        log[isNews ? 'warn' : 'debug'](
          { err },
          `${what} failed${often}; it is done again in ${Math.round(interval)} ms`,
        )
      } finally {
        running = false
      }
    }
    void tick()
    this.#timers.push(setInterval(tick, interval))
  }
}
