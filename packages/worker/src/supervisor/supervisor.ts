/**
 * The supervisor of a host: keeps N worker processes (or threads) running, holds the leases of the chunks they have in
 * hand, and gives a dead one's chunk back. It runs no user code, so its event loop always turns. Chunks do not pass
 * through it: worker processes pull them from Redis themselves.
 *
 * What stands here is the host's own life, from its start to its last words to Redis. The rest is in files of their own:
 * worker-group (the worker processes, their starts and successors) and supervisor-duties (leases, being seen, what dead
 * processes and hosts have left, clients that are gone).
 */
import {
  assertServer,
  ConnectionError,
  Deferred,
  explainFailure,
  isWrongType,
  PoolKeys,
  PoolTerminatedError,
  parseConnectionOption,
  RedisLink,
  randomId,
  within,
} from '@poolmq/shared'
import type { EagerSpec } from '../line/messages.js'
import { packDescriptor } from '../line/packed-descriptor.js'
import { removeSharedDirectory, sharedDirectory, sweepSharedDirectories } from '../line/shared-directory.js'
import { createLogger, knownLevels, type Log, unknownLevel } from '../logger.js'
import { ChunkStore } from '../queue/chunk-store.js'
import { findForeignKey } from '../queue/foreign-key.js'
import { logConnection } from './connection-log.js'
import { stopGrace } from './deadline.js'
import type { HealthSource, WorkerCounts } from './health-source.js'
import { hostPresence } from './host-presence.js'
import { HostRecord } from './host-record.js'
import { SupervisorDuties } from './supervisor-duties.js'
import { checkSupervisorOptions, type SupervisorOptions } from './supervisor-options.js'
import { type HostConfig, WorkerGroup } from './worker-group.js'

export type {
  ClusterConnectionOptions,
  ConnectionDescriptor,
  ConnectionOption,
  EncodedText,
  PoolSpec,
  SharedRef,
} from '@poolmq/shared'
export type { EagerSpec } from '../line/messages.js'
export type { StartedProgram } from '../line/started-program.js'
export type { HealthSource, WorkerCounts } from './health-source.js'
export type { SupervisorOptions } from './supervisor-options.js'
export type { StartedWorker } from './worker-handle.js'

/** Milliseconds that withdrawing from Redis may take while somebody waits for this host's end. */
const withdrawTimeout = 2000
/** And when nobody does: nobody else is there to remove what the client has left. */
const removeTimeout = 10_000

export class Supervisor implements HealthSource {
  readonly id = randomId()
  readonly #options: SupervisorOptions
  readonly #shared: string
  readonly #log: Log
  readonly #record: HostRecord
  readonly #group: WorkerGroup
  readonly #config = new Deferred<HostConfig>()
  readonly #firstReady = new Deferred()
  readonly #ended = new Deferred<unknown>()
  #duties: SupervisorDuties | undefined
  #link: RedisLink | undefined
  #failure: unknown
  /** The Pool whose own supervisor this is ends as well. */
  #clientEnds = false
  #abandoned = false
  #ending = false
  /** Its last words to Redis are being said. */
  #withdrawn = false
  /** They have been said. */
  #over = false
  #opening: Promise<void> = Promise.resolve()

  /** @throws TypeError, RangeError for options that are wrong. That Redis does not answer shows in `ready` and `ended`. */
  constructor(options: SupervisorOptions) {
    checkSupervisorOptions(options)
    this.#options = options
    this.#shared = options.shared ?? sharedDirectory(this.id)
    this.#record = new HostRecord(options.pool)
    this.#log = createLogger('supervisor', { pool: options.pool })
    const level = unknownLevel()
    if (level !== undefined) {
      this.#log.warn(`POOLMQ_LOG is none of ${knownLevels}: ${JSON.stringify(level)}; it is warn`)
    }
    this.#config.promise.catch(() => undefined)
    this.#firstReady.promise.catch(() => undefined)
    this.#ended.promise.catch(() => undefined)
    // The processes are started before anything else: their start takes longest, and needs nothing from us yet.
    this.#group = new WorkerGroup({
      id: this.id,
      options,
      record: this.#record,
      log: this.#log,
      config: this.#config.promise,
      duties: () => this.#duties,
      onReady: () => this.#firstReady.resolve(),
      onGivenUp: (error) => void this.#giveUp(error),
    })
  }

  /** Resolves when every worker process could have started; rejects when they cannot. */
  get ready(): Promise<void> {
    return this.#firstReady.promise
  }

  /** Resolves when the supervisor has ended: with an error when it had to give up, else with undefined. */
  get ended(): Promise<unknown> {
    return this.#ended.promise
  }

  get workers(): WorkerCounts {
    return this.#group.counts
  }

  /** What keeps this host from taking a chunk now: nothing when it could. */
  async obstacles(): Promise<string[]> {
    if (this.#ending) return ['it is ending']
    const found = await (this.#duties?.obstacles() ?? ['it is not connected to Redis yet'])
    return this.workers.ready > 0 ? found : [...found, 'no worker process is ready']
  }

  /**
   * Connects and begins its duties.
   *
   * @throws ConnectionError when Redis is not to be had, or too old.
   */
  start(connection = this.#options.connection, eager?: EagerSpec): Promise<void> {
    this.#opening = this.#open(connection, eager)
    return this.#opening
  }

  async #open(connection: SupervisorOptions['connection'], eager?: EagerSpec): Promise<void> {
    const { pool, processes, client, lockDuration = 10_000 } = this.#options
    try {
      if (client === undefined && parseConnectionOption(connection).kind === 'embedded') {
        throw new ConnectionError(
          `no Redis is given to serve pool ${pool} from: set connection or REDIS_URL (a host cannot share an embedded one)`,
        )
      }
      const link = await RedisLink.open(connection)
      if (this.#over) return await link.close()
      this.#link = link
      // A Pool tells its user of it itself, and its own may lose the embedded one at the end.
      if (client === undefined) logConnection(link, this.#log)
      const warning = await assertServer(link)
      if (warning !== undefined) this.#log.warn(warning)
      this.#config.resolve({
        pool,
        connection: packDescriptor(link.descriptor),
        lockDuration,
        shared: this.#shared,
        // What other hosts may serve the pool is not known here: at least one is reckoned with.
        sharers: client !== undefined ? processes : Math.max(2, processes),
        ...(client !== undefined && { client }),
        ...(eager && { eager }),
      })
      const keys = new PoolKeys(pool)
      const store = new ChunkStore(link, keys, lockDuration)
      await store.prepare().catch(async (error: unknown) => {
        if (!isWrongType(error)) throw error
        // It may be deleted, and then all goes on; until then this host says that it is not ready.
        this.#log.warn({ err: (await findForeignKey(link.client, keys)) ?? error }, 'the pool cannot be served yet')
      })
      void sweepSharedDirectories()
      this.#duties = new SupervisorDuties({
        id: this.id,
        link,
        keys,
        store,
        lockDuration,
        slots: this.#group.slots,
        log: this.#log,
        record: this.#record,
        build: this.#options.build,
        presence: () => hostPresence(this.#options, this.#group.slots),
        onWatched: () => this.observe(),
        // A Pool's own supervisor ends with its Pool.
        onDrain: client !== undefined ? undefined : () => void this.drain(),
      })
      if (!this.#withdrawn) this.#duties.start()
    } catch (reason) {
      const error = this.#link === undefined ? reason : explainFailure(reason, this.#link.descriptor)
      this.#config.reject(error)
      if (this.#ending) return await this.#end('stop', 0)
      await this.#giveUp(error)
      throw error
    }
  }

  /** Tallies what is run from now on: for `metrics`, and for those who watch. */
  observe(): void {
    this.#group.observe()
  }

  /** This host's figures in the text form of Prometheus: of what has been run since `observe`. */
  async metrics(): Promise<string> {
    const { hostMetrics } = await import('./host-metrics.js')
    return await hostMetrics({ slots: this.#group.slots, record: this.#record })
  }

  /** Makes more task modules known to all worker processes. */
  load(modules: readonly string[]): void {
    this.#group.load(modules)
  }

  /** Lets running chunks end, for `drainTimeout` at most; what is not done by then is given back. */
  async drain(): Promise<void> {
    // A host that has not reached Redis yet has nothing to finish; a Pool's own processes still run their initializer.
    if (this.#link === undefined && this.#options.client === undefined) return await this.stop()
    await this.#end('drain', this.#options.drainTimeout ?? 30_000)
  }

  /** Stops running tasks and gives their chunks back. */
  async stop(): Promise<void> {
    await this.#end('stop', stopGrace)
  }

  /** The Pool whose own supervisor this is ends as well: what it has left in Redis is removed. */
  async endWithClient(how: 'drain' | 'stop'): Promise<void> {
    this.#clientEnds = true
    await this[how]()
  }

  /** Stops at once: the process of the Pool whose own supervisor this is has gone. */
  async abandon(): Promise<void> {
    this.#abandoned = true
    this.#clientEnds = true
    await this.#end('stop', 0)
  }

  async #end(how: 'drain' | 'stop', grace: number): Promise<void> {
    if (this.#withdrawn) return
    this.#ending = true
    this.#firstReady.reject(new PoolTerminatedError('the supervisor was ended before it was ready'))
    await this.#group.end(how, grace)
    if (this.#withdrawn) return // a second order has overtaken the first
    this.#withdrawn = true
    // Redis may be out of reach: what can not be withdrawn in time lapses by itself.
    await within(this.#abandoned ? removeTimeout : withdrawTimeout, this.#withdraw())
    await removeSharedDirectory(this.#shared)
    this.#over = true
    await this.#link?.close()
    this.#ended.resolve(this.#failure)
  }

  async #withdraw(): Promise<void> {
    const { client } = this.#options
    if (this.#clientEnds && client !== undefined) {
      // It has begun to use Redis when this host was told where that is.
      await this.#opening.catch(() => undefined)
      await this.#duties?.clients.remove(client)
    }
    await this.#duties?.end()
  }

  async #giveUp(error: unknown): Promise<void> {
    if (this.#ending) return
    this.#failure = error
    this.#firstReady.reject(error)
    await this.#end('stop', 0)
  }
}
