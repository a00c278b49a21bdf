/** `map` of a million identities with the default chunk size. */
import type { Workload } from '../harness/workload.js'
import { cpython, ioredisFloor, poolmq } from '../peers/index.js'
import { compareRates } from './rates.js'

export const mapDefault: Workload = {
  name: 'map-default',
  title: 'map of 1,000,000 identities, default chunk size',
  run(arena, size) {
    const job = { op: 'map', items: size === 'full' ? 1_000_000 : 10_000 } as const
    return compareRates(arena, {
      ...{ workload: this.name, measure: 'rate', unit: 'items/s' },
      ours: { label: 'poolmq', peer: poolmq, job },
      rivals: [
        { label: 'cpython', peer: cpython, job, goal: { atLeast: 1 } },
        { label: 'ioredis floor', peer: ioredisFloor, job },
      ],
    })
  },
}
