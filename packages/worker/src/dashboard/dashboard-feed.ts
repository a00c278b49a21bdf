/**
 * What the dashboard shows of one pool, looked at once a second for all who watch, and not at all while nobody does.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Monitor } from '../monitor/monitor.js'
import type { CallInfo, HostDetails, PoolStats } from '../monitor/pool-view.js'

/** One look at a pool. */
export interface Snapshot {
  readonly pool: string
  /** Milliseconds since 1970, by this machine's clock. */
  readonly at: number
  readonly stats?: PoolStats
  readonly hosts?: readonly HostDetails[]
  readonly calls?: readonly CallInfo[]
  /** Why there is nothing to show. */
  readonly error?: string
}

export type Watcher = (snapshot: Snapshot) => void

const interval = 1000

export class DashboardFeed {
  readonly #monitor: Monitor
  readonly #watchers = new Set<Watcher>()
  #last: Snapshot | undefined
  #running = false

  constructor(monitor: Monitor) {
    this.#monitor = monitor
  }

  /** Tells each look, and at once the last one. Returns how to end it. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    if (this.#running && this.#last !== undefined) watcher(this.#last)
    if (!this.#running) void this.#run()
    return () => this.#watchers.delete(watcher)
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#watchers.size > 0) {
      const began = performance.now()
      this.#last = await this.#look()
      for (const watcher of this.#watchers) watcher(this.#last)
      await delay(Math.max(0, interval - (performance.now() - began)))
    }
    this.#running = false
  }

  /** A Redis that is away is shown as such; the next look tries again. */
  async #look(): Promise<Snapshot> {
    const about = { pool: this.#monitor.name, at: Date.now() }
    try {
      const [stats, hosts, calls] = await Promise.all([
        this.#monitor.stats(),
        this.#monitor.watchHosts(),
        this.#monitor.calls(),
      ])
      return { ...about, stats, hosts, calls }
    } catch (error) {
      return { ...about, error: (error as Error).message }
    }
  }
}
