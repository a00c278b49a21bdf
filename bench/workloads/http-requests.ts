/** Requests to a server that answers after 50 ms: two worker processes of 200 lanes against one event loop with as many. */
import { Contestant } from '../harness/contestant.js'
import { nodePeer } from '../harness/peer.js'
import type { Workload } from '../harness/workload.js'
import { pMap, poolmq } from '../peers/index.js'
import { compareRates } from './rates.js'

export const httpRequests: Workload = {
  name: 'http',
  title: '10,000 requests to a server that answers after 50 ms, 400 at a time',
  async run(arena, size) {
    const server = Contestant.start(nodePeer('server', 'slow-server').command({ processes: 0 }))
    try {
      const { url } = (await server.answer()) as unknown as { readonly url: string }
      const [items, concurrency] = size === 'full' ? [10_000, 200] : [40, 4]
      const job = { op: 'request', items, url } as const
      const setup = { processes: 2, concurrency }
      return await compareRates(arena, {
        ...{ workload: this.name, measure: `concurrency ${concurrency} in each of 2 processes`, unit: 'requests/s' },
        ours: { label: 'poolmq', peer: poolmq, job, setup },
        rivals: [{ label: 'p-map', peer: pMap, job, setup, goal: { atLeast: Number((1 / 1.15).toFixed(2)) } }],
      })
    } finally {
      await server.close()
    }
  },
}
