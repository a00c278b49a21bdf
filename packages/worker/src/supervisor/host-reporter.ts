/**
 * Looks each second what is asked of this host: to drain, or to tell of its worker processes while somebody watches. Who is
 * watched tallies from then on, and reports; who is not does neither.
 */
import { loadavg } from 'node:os'
import { formatHostReport, type PoolKeys, type ProcessReport, type RedisLink } from '@poolmq/shared'
import type { Log } from '../logger.js'
import { takeOrders } from '../queue/pool-scripts.js'
import type { HostRecord } from './host-record.js'
import type { WorkerSlot } from './worker-slot.js'

export interface HostReporterOptions {
  readonly id: string
  readonly link: RedisLink
  readonly keys: PoolKeys
  readonly slots: ReadonlySet<WorkerSlot>
  readonly record: HostRecord
  readonly log: Log
  /** Somebody watches: what is run is to be tallied. */
  readonly onWatched: () => void
  /** An operator wants this host to drain and end; undefined: it ends with its Pool. */
  readonly onDrain: (() => void) | undefined
}

/** Milliseconds that a report lives. */
const reportLife = 5000

export class HostReporter {
  readonly #options: HostReporterOptions

  constructor(options: HostReporterOptions) {
    this.#options = options
  }

  async look(): Promise<void> {
    const { link, keys, id, log, onWatched, onDrain } = this.#options
    const { order, watched } = await takeOrders(link.client, [keys.orders], [id])
    if (order === 'drain' && onDrain !== undefined) {
      log.warn('an operator has asked this host to drain')
      onDrain()
    } else if (order !== '') log.warn({ order }, 'an order that this host does not know')
    if (!watched) return
    onWatched()
    await link.client.set(keys.report(id), this.#report(), 'PX', reportLife)
  }

  #report(): string {
    const { slots, record } = this.#options
    const processes: ProcessReport[] = [...slots].flatMap((slot) => slot.reports)
    const { losses, lost, recycled } = record
    return formatHostReport({ processes, losses, lost, recycled, load: loadavg()[0] ?? 0 })
  }
}
