/** `apply`, one call after the other: the round trip. */
import { type Answers, figures } from '../harness/arena.js'
import type { Job } from '../harness/job.js'
import { compareRow, type Row } from '../harness/row.js'
import { quantile } from '../harness/statistics.js'
import type { Workload } from '../harness/workload.js'
import {
  bullmqEvents,
  bullmqWait,
  celery,
  cpython,
  dask,
  ioredisFloor,
  poolmq,
  rq,
  threadPools,
} from '../peers/index.js'

export const apply: Workload = {
  name: 'apply',
  title: 'apply, 1,000 calls one after the other (Celery, RQ, Dask 200)',
  async run(arena, size) {
    const calls = (full: number): Job => ({ op: 'apply', calls: size === 'full' ? full : 20 })
    const rivals = [
      { label: 'bullmq waitUntilFinished', peer: bullmqWait, job: calls(1000), goal: { atMost: 0.7 } },
      { label: 'bullmq QueueEvents', peer: bullmqEvents, job: calls(1000), goal: { atMost: 0.7 } },
      { label: 'celery', peer: celery, job: calls(200), goal: { atMost: 1 } },
      { label: 'rq', peer: rq, job: calls(200) },
      { label: 'dask', peer: dask, job: calls(200) },
      { label: 'cpython', peer: cpython, job: calls(1000) },
      { label: 'ioredis floor', peer: ioredisFloor, job: calls(1000) },
      ...threadPools.map((peer) => ({ label: peer.name, peer, job: calls(1000) })),
    ]
    const answers = await arena.play([{ label: 'poolmq', peer: poolmq, job: calls(1000) }, ...rivals])
    const rows: Row[] = []
    for (const [measure, q] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      const latency = (found: Answers | undefined) => figures(found, ({ latencies = [] }) => quantile(latencies, q))
      const ours = latency(answers.get('poolmq'))
      if ('absent' in ours) throw new Error(`PoolMQ itself failed: ${ours.absent}`)
      for (const { label, ...rival } of rivals) {
        const goal = q === 0.5 && 'goal' in rival ? { goal: rival.goal } : {}
        const theirs = latency(answers.get(label))
        rows.push(compareRow({ workload: this.name, measure, unit: 'ms', ours, peer: label, theirs, ...goal }))
      }
    }
    return rows
  },
}
