/** A pool's figures in the text form of Prometheus: what waits and runs, who serves, and how many processes it could use. */
import { Gauge, Registry } from 'prom-client'
import type { Monitor } from './monitor.js'
import type { HostDetails, PoolStats } from './pool-view.js'

/** Seconds in which what waits is to be worked off, unless another time is given. */
const drainTarget = 60
/** Seconds that a chunk is taken to run where nobody knows. */
const unknownDuration = 1

/** @param target - seconds in which what waits is to be worked off, for `poolmq_desired_processes` */
export async function poolMetrics(monitor: Monitor, target = drainTarget): Promise<string> {
  const [stats, hosts] = await Promise.all([monitor.stats(), monitor.watchHosts()])
  const registry = new Registry()
  const gauge = (name: string, help: string, value: number) =>
    new Gauge({ name, help, registers: [registry] }).set(value)
  gauge('poolmq_pool_waiting_chunks', 'Chunks of the pool that wait for a worker process.', stats.waiting)
  gauge('poolmq_pool_running_chunks', 'Chunks of the pool that are in hand.', stats.running)
  gauge('poolmq_pool_delayed_chunks', 'Chunks of the pool that were put off.', stats.delayed)
  gauge(
    'poolmq_pool_oldest_waiting_seconds',
    'For how long the oldest waiting chunk has been waiting; 0: none waits.',
    (stats.oldestWaiting ?? 0) / 1000,
  )
  gauge('poolmq_pool_paused', '1 while no chunk is taken.', stats.paused ? 1 : 0)
  gauge('poolmq_pool_hosts', 'Hosts that serve the pool.', stats.hosts)
  gauge('poolmq_pool_processes', 'Worker processes (or threads) that serve the pool.', stats.processes)
  gauge('poolmq_pool_clients', 'Producers of the pool.', stats.clients)
  gauge(
    'poolmq_desired_processes',
    `Worker processes that would work off what waits in ${target} s.`,
    desiredProcesses(stats, hosts, target),
  )
  return await registry.metrics()
}

/** Enough for what runs, and for what waits to be worked off in time; by how long the last chunks have run. */
function desiredProcesses(stats: PoolStats, hosts: readonly HostDetails[], target: number): number {
  const { waiting, running, paused } = stats
  if (paused) return stats.processes
  const processes = hosts.flatMap((host) => host.report?.processes ?? []).filter((one) => one.lanes > 0)
  const lanes = processes.reduce((sum, one) => sum + one.lanes, 0)
  const spans = processes.flatMap((one) => one.spans)
  const seconds = spans.reduce((sum, span) => sum + span.duration, 0) / 1000
  const duration = spans.length === 0 ? unknownDuration : seconds / spans.length
  const busy = running + (waiting * duration) / target
  return Math.ceil(busy / (processes.length === 0 ? 1 : lanes / processes.length))
}
