/**
 * A host's figures in the text form of Prometheus: what it has run, by task and outcome; its worker processes; what it has
 * lost. And the pool's, looked at when somebody asks. Labels are `task` and `outcome` only: a host, a process or a call as a
 * label would make a new series of each.
 */
import { Counter, Gauge, Registry } from 'prom-client'
import { addCounts, type Buckets, itemBuckets, newCounts, type TaskCounts, waitBuckets } from '../line/tally.js'
import type { HostRecord } from './host-record.js'
import { residentMemory } from './resident-memory.js'
import type { WorkerSlot } from './worker-slot.js'

export interface HostMetricsSource {
  readonly slots: ReadonlySet<WorkerSlot>
  readonly record: HostRecord
}

/** Of what a registry needs of a metric, what a histogram has whose counts come from elsewhere. */
interface ForeignHistogram {
  readonly name: string
  get(): Promise<object>
}

export async function hostMetrics(source: HostMetricsSource): Promise<string> {
  const tasks = runOn(source)
  const reports = [...source.slots].flatMap((slot) => slot.reports)
  const registry = new Registry()
  const registers = [registry]
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers })
  const gauge = (name: string, help: string, value: number) => new Gauge({ name, help, registers }).set(value)

  const items = counter('poolmq_items_total', 'Items that have ended on this host.', ['task', 'outcome'])
  const chunks = counter('poolmq_chunks_total', 'Chunks that have ended on this host; failed: an item of it has.', [
    'task',
    'outcome',
  ])
  const bytesIn = counter('poolmq_input_bytes_total', 'Bytes of payload that chunks came with.', ['task'])
  const bytesOut = counter('poolmq_output_bytes_total', 'Bytes of payload that outcomes went with.', ['task'])
  for (const [task, counts] of tasks) {
    items.inc({ task, outcome: 'ok' }, counts.itemsOk)
    items.inc({ task, outcome: 'failed' }, counts.itemsFailed)
    chunks.inc({ task, outcome: 'ok' }, counts.chunksOk)
    chunks.inc({ task, outcome: 'failed' }, counts.chunksFailed)
    bytesIn.inc({ task }, counts.bytesIn)
    bytesOut.inc({ task }, counts.bytesOut)
  }
  const duration = 'Seconds that items ran; the sum is that of their chunks.'
  addHistogram(registry, 'poolmq_item_duration_seconds', duration, itemBuckets, tasks, (counts) => ({
    buckets: counts.items,
    count: counts.itemsOk + counts.itemsFailed,
    sum: counts.seconds,
  }))
  const wait = 'Seconds that chunks waited for a worker process.'
  addHistogram(registry, 'poolmq_chunk_wait_seconds', wait, waitBuckets, tasks, (counts) => ({
    buckets: counts.waiting,
    count: counts.waits,
    sum: counts.waited,
  }))
  const lost = counter('poolmq_worker_losses_total', 'Worker processes that were lost, by what ended them.', [
    'outcome',
  ])
  for (const [outcome, count] of source.record.causes) lost.inc({ outcome }, count)
  counter('poolmq_worker_recycles_total', 'Worker processes that were replaced, as their limits say.').inc(
    source.record.recycled,
  )
  gauge(
    'poolmq_worker_processes',
    'Worker processes (or threads) of this host that take chunks.',
    reports.filter((one) => one.ready).length,
  )
  gauge(
    'poolmq_lanes',
    'Chunks that this host can have in hand.',
    [...source.slots].reduce((sum, slot) => sum + slot.lanes, 0),
  )
  gauge(
    'poolmq_lanes_busy',
    'Chunks that this host has in hand.',
    reports.reduce((sum, one) => sum + one.running.length, 0),
  )
  const own = residentMemory(process.pid) ?? 0
  const theirs = reports.reduce((sum, one) => sum + (one.pid === process.pid ? 0 : (one.memory ?? 0)), 0)
  gauge('poolmq_resident_memory_bytes', 'Resident memory of this host and its worker processes.', own + theirs)
  return await registry.metrics()
}

/** What has been run on this host, by task. */
function runOn({ slots, record }: HostMetricsSource): Map<string, TaskCounts> {
  const tasks = new Map<string, TaskCounts>()
  const add = (task: string, counts: TaskCounts) => {
    const sum = tasks.get(task) ?? newCounts()
    tasks.set(task, sum)
    addCounts(sum, counts)
  }
  for (const [task, counts] of record.gone) add(task, counts)
  for (const slot of slots) for (const { tasks } of slot.tallies) for (const [task, counts] of tasks) add(task, counts)
  return tasks
}

function addHistogram(
  registry: Registry,
  name: string,
  help: string,
  bounds: readonly number[],
  tasks: ReadonlyMap<string, TaskCounts>,
  read: (counts: TaskCounts) => { buckets: Buckets; count: number; sum: number },
): void {
  const values: object[] = []
  for (const [task, counts] of tasks) {
    const { buckets, count, sum } = read(counts)
    let below = 0
    for (const [i, le] of bounds.entries()) {
      below += buckets[i] ?? 0
      values.push({ metricName: `${name}_bucket`, labels: { task, le }, value: below })
    }
    values.push({ metricName: `${name}_bucket`, labels: { task, le: '+Inf' }, value: count })
    values.push({ metricName: `${name}_sum`, labels: { task }, value: sum })
    values.push({ metricName: `${name}_count`, labels: { task }, value: count })
  }
  const metric: ForeignHistogram = {
    name,
    get: async () => ({ name, help, type: 'histogram', aggregator: 'sum', values }),
  }
  registry.registerMetric(metric as never)
}
