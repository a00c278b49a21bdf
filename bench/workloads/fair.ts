/**
 * Producers that share a pool of two worker processes: what a call waits for beside another's large map, and what each of three
 * producers gets by its weight.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Contestant } from '../harness/contestant.js'
import { compareRow, ownRow } from '../harness/row.js'
import { quantile } from '../harness/statistics.js'
import type { Workload } from '../harness/workload.js'
import { poolmq } from '../peers/index.js'

const weights = [1, 2, 4]
/** Seconds after which a map has chunks in the queue. */
const underWay = 0.5
/** Seconds after which all of them have. */
const allThere = 3

export const fair: Workload = {
  name: 'fair',
  title:
    "a shared pool: apply beside another's map of 1,000,000 items of 20 µs in chunks of 10; maps in chunks of 100, of weights 1, 2, 4",
  async run(arena, size) {
    const isFull = size === 'full'
    const pool = `bench-fair-${process.pid}`
    const items = isFull ? 1_000_000 : 20_000
    const spin = (chunk: number, seconds: number, after = 0) =>
      ({ op: 'spin', items, chunk, microseconds: 20, seconds, after }) as const
    const apply = { op: 'apply', calls: isFull ? 500 : 20 } as const
    const measured: Record<string, number[]> = { idle: [], busy: [], beyond: [], unfair: [] }
    const note = (what: string, value: number) => measured[what]?.push(value)
    try {
      await arena.contestant(poolmq, { pool })
      const join = (weight: number, seat: number) => arena.contestant(poolmq, { pool, processes: 0, weight, seat })
      const caller = await join(1, 0)
      const mappers = await Promise.all(weights.map((weight, i) => join(weight, i + 1)))
      const mapTogether = (seconds: number, after = 0) =>
        Promise.all(mappers.map((mapper) => mapper.run(spin(100, seconds, after))))
      // So that connections stand, and code is compiled.
      await Promise.all([caller.run(apply), mapTogether(underWay)])
      for (let round = 0; round < arena.rounds; round++) {
        const idle = (await caller.run(apply)).latencies ?? []
        const map = (mappers[0] as Contestant).run(spin(10, isFull ? 8 : 1))
        await delay(underWay * 1000)
        const busy = (await caller.run(apply)).latencies ?? []
        await map
        note('idle', quantile(idle, 0.5))
        note('busy', quantile(busy, 0.5))
        note('beyond', quantile(busy, 0.99) - quantile(idle, 0.99))
        // All of them have seen the same of late: what an item takes depends on what else the machine does.
        await mapTogether(isFull ? allThere : underWay)
        const answers = await (isFull ? mapTogether(10 + allThere, allThere) : mapTogether(1))
        const done = answers.map((answer) => answer.done ?? 0)
        arena.say(`weights ${weights.join(' : ')}: ${done.join(' : ')} items`)
        const sum = done.reduce((all, count) => all + count, 0)
        const whole = weights.reduce((all, weight) => all + weight, 0)
        note('unfair', Math.max(...done.map((count, i) => Math.abs(count / sum / ((weights[i] ?? 1) / whole) - 1))))
      }
      const [idle = [], busy = [], beyond = [], unfair = []] = Object.values(measured)
      const row = { workload: this.name, unit: 'ms' } as const
      return [
        compareRow({
          ...row,
          measure: 'apply p50',
          ours: busy,
          peer: 'poolmq, idle',
          theirs: idle,
          goal: { atMost: 3 },
        }),
        ownRow({ ...row, measure: 'apply p99, beyond that of an idle pool', ours: beyond, goal: { atMost: 20 } }),
        ownRow({
          ...{ workload: this.name, unit: '%', measure: 'a share is off by, at most', goal: { atMost: 10 } },
          ours: unfair.map((part) => part * 100),
        }),
      ]
    } finally {
      await arena.close()
    }
  },
}
