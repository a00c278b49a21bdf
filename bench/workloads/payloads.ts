/** Texts of 100 KB to the workers and back. */
import type { Workload } from '../harness/workload.js'
import { bullmqEvents, celery, cpython, dask, ioredisFloor, poolmq, threadPools } from '../peers/index.js'
import { compareRates } from './rates.js'

const bytes = 100_000

export const payloads: Workload = {
  name: 'payloads',
  title: '2,000 payloads of 100 KB each way (Celery, Dask 200)',
  run(arena, size) {
    const items = (full: number) => ({ op: 'echo', items: size === 'full' ? full : 20, bytes }) as const
    const job = items(2000)
    return compareRates(arena, {
      ...{ workload: this.name, measure: 'both ways', unit: 'MB/s' },
      amount: ({ op, ...of }) => (op === 'echo' && 'items' in of ? (2 * of.items * bytes) / 1e6 : 0),
      ours: { label: 'poolmq', peer: poolmq, job },
      rivals: [
        { label: 'ioredis floor', peer: ioredisFloor, job, goal: { atLeast: 0.6 } },
        { label: 'bullmq QueueEvents', peer: bullmqEvents, job },
        { label: 'celery group', peer: celery, job: items(200) },
        { label: 'dask', peer: dask, job: items(200) },
        { label: 'cpython', peer: cpython, job },
        ...threadPools.map((peer) => ({ label: peer.name, peer, job })),
      ],
    })
  },
}
