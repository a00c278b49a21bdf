/** `map` of identities with chunks of 10, 100 and 1,000 items. */
import type { Workload } from '../harness/workload.js'
import { celery, cpython, dask, ioredisFloor, poolmq } from '../peers/index.js'
import { compareRates } from './rates.js'

const celeryChunks = [100, 1000, 10_000]

/** Celery and Dask take minutes for a million items in small chunks; their rates do not depend on how many there are. */
const slow = { full: 100_000, quick: 1000 }

export const mapChunks: Workload = {
  name: 'map-chunks',
  title: 'map of 1,000,000 identities (chunk 10: 200,000), by chunk size',
  async run(arena, size) {
    const plan = (chunk: number, full: number) => {
      const job = { op: 'map', items: size === 'full' ? full : 2000, chunk } as const
      return {
        ...{ workload: this.name, measure: `chunk ${chunk}`, unit: 'items/s' },
        ours: { label: 'poolmq', peer: poolmq, job },
        rivals: [
          { label: 'cpython', peer: cpython, job },
          { label: 'ioredis floor', peer: ioredisFloor, job },
        ],
      }
    }
    const hundred = plan(100, 1_000_000)
    const few = { op: 'map', items: slow[size] } as const
    const rows = await compareRates(arena, {
      ...hundred,
      rivals: [
        ...hundred.rivals.map((rival) => (rival.label === 'cpython' ? { ...rival, goal: { atLeast: 0.25 } } : rival)),
        { label: 'dask, chunks of 100', peer: dask, job: { ...few, chunk: 100 } },
        ...celeryChunks.map((chunk) => ({
          label: `celery chunks(${chunk})`,
          peer: celery,
          job: { ...few, chunk },
          goal: { atLeast: 1.5 },
        })),
      ],
    })
    rows.unshift(...(await compareRates(arena, plan(10, 200_000))))
    rows.push(...(await compareRates(arena, plan(1000, 1_000_000))))
    return rows
  },
}
