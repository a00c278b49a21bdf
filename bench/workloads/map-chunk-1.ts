/** `map` with one item a chunk: the rate of chunks. */
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
import { compareRates } from './rates.js'

export const mapChunk1: Workload = {
  name: 'map-chunk-1',
  title: 'map of 20,000 identities, one item a chunk (Celery, Dask 2,000, RQ 500)',
  async run(arena, size) {
    const items = (full: number) => ({ op: 'map', items: size === 'full' ? full : 100, chunk: 1 }) as const
    const job = items(20_000)
    const rates = await compareRates(arena, {
      ...{ workload: this.name, measure: 'rate', unit: 'items/s' },
      ours: { label: 'poolmq', peer: poolmq, job },
      rivals: [
        { label: 'bullmq QueueEvents', peer: bullmqEvents, job, goal: { atLeast: 0.9 } },
        { label: 'bullmq waitUntilFinished', peer: bullmqWait, job },
        { label: 'celery group', peer: celery, job: items(2000), goal: { atLeast: 5 } },
        { label: 'rq', peer: rq, job: items(500) },
        { label: 'dask', peer: dask, job: items(2000) },
        { label: 'cpython', peer: cpython, job },
        { label: 'ioredis floor', peer: ioredisFloor, job },
        ...threadPools.map((peer) => ({ label: peer.name, peer, job })),
      ],
    })
    const setup = { concurrency: 16 }
    const beside = await compareRates(arena, {
      ...{ workload: this.name, measure: 'rate, 16 at a time in each', unit: 'items/s' },
      ours: { label: 'poolmq', peer: poolmq, job, setup },
      rivals: [{ label: 'bullmq QueueEvents', peer: bullmqEvents, job, setup, goal: { atLeast: 3 } }],
    })
    return [...rates, ...beside]
  },
}
