/** A pool's engine on a host in this very process: chunks go by hand, as the records that they would be in Redis. */
import { hostname } from 'node:os'
import { type ClientReport, Deferred, PoolStateError, taskIds, taskVersions } from '@poolmq/shared'
import type { CallInfo } from '@poolmq/worker'
import { InlineHost } from '@poolmq/worker/inline'
import type { Backend, EngineSession, PoolLook } from '../engine/backend.js'
import type { PoolSessionOptions } from '../session/pool-session.js'

export function inlineBackend(): Backend {
  let host: InlineHost | undefined
  let begin: ((options: PoolSessionOptions) => EngineSession) | undefined
  return {
    startWorkers: ({ pool, lanes, processes }) => {
      begin = (options) => {
        const { spec, needed, onEntry } = options
        host = new InlineHost({ pool, lanes, initializer: spec?.initializer, shared: needed, onEntry })
        return new InlineSession(options, host, processes)
      }
      return {
        load: () => undefined,
        start: () => Promise.resolve(),
        place: () => Promise.resolve(),
        end: async (how) => await host?.end(how === 'drain' ? 'drain' : 'stop'),
      }
    },
    openSession: async (options) => {
      if (begin === undefined)
        throw new RangeError('Number of processes must be at least 1: an InlinePool has no others')
      options.onMaxMemory(0)
      return begin(options)
    },
  }
}

class InlineSession implements EngineSession {
  readonly isLost = false
  readonly #options: PoolSessionOptions
  readonly #host: InlineHost
  readonly #processes: number
  /** Those who wait for what the client tells of its calls. */
  readonly #asking: Deferred<ClientReport>[] = []

  constructor(options: PoolSessionOptions, host: InlineHost, processes: number) {
    this.#options = options
    this.#host = host
    this.#processes = processes
  }

  get view(): PoolLook {
    return {
      stats: async () => {
        const { waiting, running, oldest } = this.#host.counts
        const oldestWaiting = oldest === undefined ? null : performance.now() - oldest
        const about = { delayed: 0, paused: false, hosts: 1, processes: this.#processes, clients: 1 }
        return { waiting, running, oldestWaiting, ...about }
      },
      hosts: async () => {
        const about = { host: hostname(), pid: process.pid, processes: this.#processes }
        return [{ id: this.#options.clientId, ...about, tasks: taskIds(), taskVersions: taskVersions(), local: true }]
      },
      calls: async () => ({ calls: await this.#calls(), silent: [] }),
    }
  }

  async report(report: ClientReport): Promise<void> {
    for (const asking of this.#asking.splice(0)) asking.resolve(report)
  }

  async add(chunks: Parameters<EngineSession['add']>[0]): Promise<void> {
    this.#host.add(chunks)
  }

  async share(): Promise<void> {
    // It stands in the chunks that hold it.
  }

  unshare(): void {
    // Nothing was kept.
  }

  withdraw(jobIds: Iterable<string>): void {
    this.#host.withdraw(jobIds)
  }

  withdrawCopy(jobId: string): void {
    this.#host.withdraw([jobId])
  }

  /** There is one process: none in which a second copy of a chunk could run. */
  async runTimes(): Promise<undefined> {
    return undefined
  }

  durable(): never {
    throw new PoolStateError(
      'an InlinePool has no durable calls: nothing of it outlives the process; test them with a pool and a Redis',
    )
  }

  async release(): Promise<void> {
    // What waits and what runs ends with the host.
  }

  async close(): Promise<void> {
    // Nothing is left anywhere.
  }

  async #calls(): Promise<CallInfo[]> {
    const { clientId, onOrder } = this.#options
    const asking = new Deferred<ClientReport>()
    this.#asking.push(asking)
    onOrder({ type: 'report' })
    const { host, pid, calls } = await asking.promise
    return calls.map((call) => ({ id: `${clientId}.${call.number}`, client: clientId, host, pid, ...call }))
  }
}
