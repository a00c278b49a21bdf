/**
 * A pool as an onlooker sees it: its work, its hosts, its calls; and what an operator can ask of it. It reads on demand
 * and runs no chunk. What only a client knows (its calls) is asked of the client, through its result stream; what
 * only a host can do (drain) is asked of the host, by a key that it looks at each second.
 */
import { setTimeout as delay } from 'node:timers/promises'
import {
  type CallReport,
  type ClientReport,
  formatOrder,
  type HostReport,
  keyLife,
  type PoolKeys,
  parseClientReport,
  parseHostReport,
  type RedisLink,
} from '@poolmq/shared'
import { liveHosts } from '../queue/presence.js'
import { cancelDurable, durableCalls } from './durable-view.js'
import { askForReports, oldestWaiting, pauseQueue, resumeQueue } from './view-scripts.js'

/** The work of a pool, in chunks, and who does it. */
export interface PoolStats {
  /** Chunks that wait for a worker. */
  readonly waiting: number
  /** Chunks that are in a worker process's hands. */
  readonly running: number
  /** Chunks that were put off for a moment: the worker that took them does not know their task. */
  readonly delayed: number
  /** Milliseconds for which the oldest waiting chunk has been waiting; null when none waits. */
  readonly oldestWaiting: number | null
  /** No chunk is taken: see {@link Monitor.pause}. */
  readonly paused: boolean
  /** Hosts that serve the pool. */
  readonly hosts: number
  /** Worker processes (or threads) of all hosts. */
  readonly processes: number
  /** Producers with a lease. */
  readonly clients: number
}

/** A host that serves a pool: its supervisor. */
export interface HostInfo {
  /** The supervisor's id. */
  readonly id: string
  /** The host's name. */
  readonly host: string
  /** The supervisor's process id. */
  readonly pid: number
  /** Its worker processes (or threads). */
  readonly processes: number
  /** Ids of the tasks that it knows. */
  readonly tasks: readonly string[]
  /** The versions that it has of tasks that have one. */
  readonly taskVersions?: Readonly<Record<string, readonly string[]>>
  /** What it says that it was built from (`poolmq worker --build`). */
  readonly build?: string
  /** A Pool's own: it ends with its Pool. */
  readonly local?: boolean
  /** The version of PoolMQ that it runs. */
  readonly version?: string
}

/** A host with what it tells of its worker processes. */
export interface HostDetails extends HostInfo {
  /** Absent until the host has seen that somebody looks. */
  readonly report?: HostReport
}

/** An open call of a pool. */
export interface CallInfo extends CallReport {
  /** `CLIENT.NUMBER`: what `cancel` takes. */
  readonly id: string
  readonly client: string
  /** The producer's host name and process id; of a durable call, of the one that began it, which may be gone. */
  readonly host: string
  readonly pid: number
  /** The key of a durable call: it is open with nobody attached too. Its `failures` are those of its outcomes below 256 KiB. */
  readonly durable?: string
}

/** Milliseconds that a client has to answer an onlooker; one whose event loop is blocked does not. */
const answerTime = 1000
/** Milliseconds between two looks for an answer. */
const lookInterval = 20
/** Milliseconds for which hosts tell of themselves after somebody has looked. */
const watchLife = 5000
/** Milliseconds that an order to a host stands. */
const orderLife = 60_000

export class PoolView {
  readonly #link: RedisLink
  readonly #keys: PoolKeys

  constructor(link: RedisLink, keys: PoolKeys) {
    this.#link = link
    this.#keys = keys
  }

  async stats(): Promise<PoolStats> {
    const { client } = this.#link
    const chunk = (suffix: string) => this.#keys.chunk(suffix)
    const [hosts, clients, waiting, prioritized, running, delayed, paused, oldest] = await Promise.all([
      this.hosts(),
      this.#clients(),
      client.llen(chunk('wait')),
      client.zcard(chunk('prioritized')),
      client.llen(chunk('active')),
      client.zcard(chunk('delayed')),
      client.hexists(chunk('meta'), 'paused'),
      oldestWaiting(client, [chunk('wait'), chunk('prioritized')], [chunk('')]),
    ])
    return {
      waiting: waiting + prioritized,
      running,
      delayed,
      oldestWaiting: oldest,
      paused: paused === 1,
      hosts: hosts.length,
      processes: hosts.reduce((sum, host) => sum + host.processes, 0),
      clients: clients.length,
    }
  }

  /** The hosts that serve the pool, by name; one that is lost is among them until its lease is over. */
  async hosts(): Promise<HostInfo[]> {
    const hosts = (await liveHosts(this.#link, this.#keys)).map(
      ({ expires: _expires, clock: _clock, at: _at, ...host }) => host,
    )
    return hosts.sort((a, b) => a.host.localeCompare(b.host) || a.pid - b.pid)
  }

  /**
   * The hosts with what each tells of its worker processes. A host tells it for some seconds after somebody has looked, so the
   * first look finds none.
   */
  async watchHosts(): Promise<HostDetails[]> {
    const hosts = await this.hosts()
    await askForReports(this.#link.client, [this.#keys.orders], [watchLife])
    if (hosts.length === 0) return []
    const texts = await this.#link.client.mget(...hosts.map(({ id }) => this.#keys.report(id)))
    return hosts.map((host, i) => {
      const report = parseHostReport(texts[i] ?? '')
      return { ...host, ...(report !== undefined && { report }) }
    })
  }

  /**
   * The open calls of all producers and the durable ones, oldest first. A producer whose event loop is blocked for longer than a second is
   * left out, and named in `silent`.
   */
  async calls(): Promise<{ readonly calls: CallInfo[]; readonly silent: string[] }> {
    const [clients, durable] = await Promise.all([this.#clients(), durableCalls(this.#link, this.#keys)])
    const answers = await this.#ask(clients)
    const asked = [...answers].flatMap(([client, { host, pid, calls }]) =>
      calls.map((call) => ({ id: `${client}.${call.number}`, client, host, pid, ...call })),
    )
    return {
      calls: [...asked, ...durable].sort((a, b) => b.age - a.age),
      silent: clients.filter((client) => !answers.has(client)),
    }
  }

  /**
   * Has a call cancelled by its producer: its handle rejects with CancelledError, what waits of it is removed and what
   * runs is stopped. False when its producer is gone. A durable call needs none.
   *
   * @param id - `CLIENT.NUMBER`, from {@link PoolView.calls}
   */
  async cancel(id: string): Promise<boolean> {
    const [, client, number] = /^([\w-]+)\.(\d+)$/.exec(id) ?? []
    if (client === undefined) throw new TypeError(`a call is named CLIENT.NUMBER, got ${JSON.stringify(id)}`)
    const cancelled = await cancelDurable(this.#link, this.#keys, client, Number(number))
    return cancelled ?? (await this.#order(client, formatOrder({ type: 'cancel', call: Number(number) })))
  }

  /**
   * Has hosts drain and end, as SIGTERM does: a supervisor by its id, or all on a host by its name. Returns those that were asked.
   * A Pool's own supervisor is not among them: it ends with its Pool.
   */
  async drain(host: string): Promise<HostInfo[]> {
    const hosts = (await this.hosts()).filter((one) => !one.local && (one.id === host || one.host === host))
    if (hosts.length === 0) return []
    const orders = Object.fromEntries(hosts.map(({ id }) => [id, 'drain']))
    await this.#link.client.multi().hset(this.#keys.orders, orders).pexpire(this.#keys.orders, orderLife).exec()
    return hosts
  }

  /** Lets no chunk be taken any more, by any host; what runs goes on. It is forgotten when nobody uses the pool any more. */
  async pause(): Promise<void> {
    await pauseQueue(this.#link.client, this.#queueKeys, [keyLife])
  }

  /** Lets chunks be taken again. */
  async resume(): Promise<void> {
    await resumeQueue(this.#link.client, this.#queueKeys, [keyLife])
  }

  get #queueKeys(): string[] {
    return ['meta', 'marker', 'wait', 'prioritized'].map((suffix) => this.#keys.chunk(suffix))
  }

  async #clients(): Promise<string[]> {
    return await this.#link.client.zrange(this.#keys.clients, '0', '-1')
  }

  async #ask(clients: readonly string[]): Promise<Map<string, ClientReport>> {
    const answers = new Map<string, ClientReport>()
    const keys = (who: readonly string[]) => who.map((client) => this.#keys.calls(client))
    if (clients.length === 0) return answers
    await this.#link.client.unlink(...keys(clients))
    const asked = await Promise.all(clients.map((client) => this.#order(client, formatOrder({ type: 'report' }))))
    const end = performance.now() + answerTime
    for (let missing = clients.filter((_, i) => asked[i]); missing.length > 0; ) {
      const texts = await this.#link.client.mget(...keys(missing))
      for (const [i, text] of texts.entries()) {
        const report = text === null ? undefined : parseClientReport(text)
        if (report !== undefined) answers.set(missing[i] as string, report)
      }
      missing = missing.filter((client) => !answers.has(client))
      if (missing.length === 0 || performance.now() > end) break
      await delay(lookInterval)
    }
    return answers
  }

  async #order(client: string, fields: readonly string[]): Promise<boolean> {
    return (await this.#link.client.xadd(this.#keys.results(client), 'NOMKSTREAM', '*', ...fields)) !== null
  }
}
