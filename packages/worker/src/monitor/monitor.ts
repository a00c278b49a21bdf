/** An onlooker's way into a pool: a connection of its own, opened when something is asked first. */
import {
  ConnectionError,
  type ConnectionOption,
  knownOptions,
  PoolKeys,
  ProcessAnchor,
  poolName,
  RedisLink,
  within,
} from '@poolmq/shared'
import { type CallInfo, type HostDetails, type HostInfo, type PoolStats, PoolView } from './pool-view.js'

export interface MonitorOptions {
  /** The pool to look at: the `name` of a Pool. */
  readonly name: string
  /** Where Redis is, as for a Pool. @defaultValue `REDIS_URL` */
  readonly connection?: ConnectionOption
}

/** Milliseconds that Redis may take to answer: a link that is lost is connected to again for ever, and who looks is not to wait. */
const answerLimit = 5000

/** @throws ConnectionError when it takes too long. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  if (await within(answerLimit, answer)) return await answer
  throw new ConnectionError(`Redis has not answered for ${answerLimit / 1000} s`)
}

/**
 * Looks into a named pool, and steers it, without being one of its producers or workers: what the command `poolmq`, its
 * dashboard and its metrics are made of. It reads on demand; nobody writes anything for an onlooker who asks nothing.
 */
export class Monitor {
  /** The pool's name. */
  readonly name: string
  readonly #connection: ConnectionOption | undefined
  readonly #anchor = new ProcessAnchor()
  #link: Promise<RedisLink> | undefined
  #view: PoolView | undefined
  #silent: readonly string[] = []

  /** @throws TypeError, RangeError for options that are wrong. That Redis does not answer shows in what is asked first. */
  constructor(options: MonitorOptions) {
    knownOptions('Monitor', options, ['name', 'connection'])
    this.name = poolName(options.name)
    this.#connection = options.connection
  }

  /** The pool's work in chunks, and how many do it. @throws ConnectionError when Redis is not to be had. */
  async stats(): Promise<PoolStats> {
    return await this.#look((view) => view.stats())
  }

  /** The hosts that serve the pool. One that is lost is among them until its lease is over. */
  async hosts(): Promise<HostInfo[]> {
    return await this.#look((view) => view.hosts())
  }

  /**
   * The hosts with what each tells of its worker processes: it does so for some seconds after each call of this, so the first
   * finds no reports, and one that is called each second finds them fresh.
   */
  async watchHosts(): Promise<HostDetails[]> {
    return await this.#look((view) => view.watchHosts())
  }

  /** The open calls of all producers, oldest first. */
  async calls(): Promise<CallInfo[]> {
    const { calls, silent } = await this.#look((view) => view.calls())
    this.#silent = silent
    return calls
  }

  /**
   * The producers that had not answered the last {@link Monitor.calls} within a second, by the client id with which the ids of
   * their calls begin: their event loop is blocked, or they have died within the last minute. Their calls are left out there.
   */
  get silent(): readonly string[] {
    return this.#silent
  }

  /**
   * Has a producer cancel one of its calls: its handle rejects with CancelledError.
   *
   * @param id - the call's `id`
   * @returns false when its producer is gone
   */
  async cancel(id: string): Promise<boolean> {
    return await this.#look((view) => view.cancel(id))
  }

  /**
   * Has hosts drain and end, as SIGTERM does.
   *
   * @param host - a supervisor's id, or a host's name: then all of the pool's supervisors on it
   * @returns those that were asked; a Pool's own supervisor never is, as it ends with its Pool
   */
  async drain(host: string): Promise<HostInfo[]> {
    return await this.#look((view) => view.drain(host))
  }

  /** Lets no chunk be taken until {@link Monitor.resume}; what runs goes on. Forgotten when nobody uses the pool any more. */
  async pause(): Promise<void> {
    await this.#look((view) => view.pause())
  }

  /** Lets chunks be taken again. */
  async resume(): Promise<void> {
    await this.#look((view) => view.resume())
  }

  /** Closes its connection. An instance that was passed in stays open. */
  async close(): Promise<void> {
    await (await this.#link?.catch(() => undefined))?.close()
    this.#link = undefined
    this.#view = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** A link keeps no process alive; somebody who waits for an answer does. */
  async #look<T>(look: (view: PoolView) => Promise<T>): Promise<T> {
    return await this.#anchor.during(async () => {
      this.#view ??= new PoolView(await this.#open(), new PoolKeys(this.name))
      return await inTime(look(this.#view))
    })
  }

  async #open(): Promise<RedisLink> {
    this.#link ??= RedisLink.open(this.#connection, { name: 'poolmq-monitor' })
    try {
      return await this.#link
    } catch (error) {
      this.#link = undefined // the next one who asks tries again
      throw error
    }
  }
}
