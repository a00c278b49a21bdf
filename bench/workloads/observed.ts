/** What it costs to be looked at: the same map with a dashboard open and figures asked for each second, and without. */
import type { Workload } from '../harness/workload.js'
import { poolmq } from '../peers/index.js'
import { compareRates } from './rates.js'

export const observed: Workload = {
  name: 'observed',
  title: 'map of 1,000,000 identities in chunks of 100, with a dashboard open and metrics asked for each second',
  async run(arena, size) {
    const job = { op: 'map', items: size === 'full' ? 1_000_000 : 2000, chunk: 100 } as const
    const processes = 2
    return await compareRates(arena, {
      ...{ workload: this.name, measure: 'chunk 100', unit: 'items/s' },
      ours: {
        label: 'poolmq, observed',
        peer: poolmq,
        job,
        setup: { processes, pool: 'bench-observed', observed: true },
      },
      rivals: [
        {
          ...{ label: 'poolmq, unobserved', peer: poolmq, job, setup: { processes, pool: 'bench-unobserved' } },
          goal: { atLeast: 0.97 },
        },
      ],
    })
  },
}
