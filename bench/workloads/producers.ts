/** Eight producers on one named pool of two worker processes, against one producer with the same work in all. */

import { compareRow } from '../harness/row.js'
import type { Workload } from '../harness/workload.js'
import { poolmq } from '../peers/index.js'

const producers = 8

export const manyProducers: Workload = {
  name: 'producers',
  title: '8 producers on one pool of 2 worker processes, chunks of 100',
  async run(arena, size) {
    const items = size === 'full' ? 100_000 : 800
    const pool = `bench-producers-${process.pid}`
    const map = (count: number) => ({ op: 'map', items: count, chunk: 100 }) as const
    try {
      const host = await arena.contestant(poolmq, { pool })
      const others = await Promise.all(
        Array.from({ length: producers }, (_, seat) => arena.contestant(poolmq, { pool, processes: 0, seat })),
      )
      const alone: number[] = []
      const together: number[] = []
      for (let round = -1; round < arena.rounds; round++) {
        const one = await host.run(map(items * producers))
        const start = performance.now()
        await Promise.all(others.map((producer) => producer.run(map(items))))
        const seconds = (performance.now() - start) / 1000
        if (round < 0) continue
        alone.push((items * producers) / one.seconds)
        together.push((items * producers) / seconds)
      }
      return [
        compareRow({
          ...{ workload: this.name, measure: `${producers} producers`, unit: 'items/s' },
          ...{ ours: together, peer: 'poolmq, 1 producer', theirs: alone },
        }),
      ]
    } finally {
      await arena.close()
    }
  },
}
