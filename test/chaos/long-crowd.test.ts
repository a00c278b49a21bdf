// The crowd: `npm run chaos -- --seed S test/chaos/long-crowd.test.ts`. POOLMQ_CHAOS_CROWD tells how many seeds in a row, one
// by default, and POOLMQ_CHAOS_SECONDS how long each, 200 by default.
import { expect, inject, test } from 'vitest'
import type { CallReport } from '../fixtures/dist/crowd-producer.js'
import { Crowd, type CrowdFault } from './crowd.js'
import { Random } from './random.js'

const redisProgram = inject('redisProgram')
const first = Number(process.env.POOLMQ_CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31))
const runs = Number(process.env.POOLMQ_CHAOS_CROWD ?? 1)
const duration = Number(process.env.POOLMQ_CHAOS_SECONDS ?? 200) * 1000
const lease = Number(process.env.POOLMQ_CHAOS_LEASE ?? 10_000)
const faults = process.env.POOLMQ_CHAOS_FAULTS?.split(',') as CrowdFault[] | undefined
const lanes = Number(process.env.POOLMQ_CHAOS_LANES ?? 2)
/** Milliseconds in which the backlog of calls is worked off when all stand up again, on a machine that many share. */
const limit = 240_000

test.skipIf(redisProgram === '').each(Array.from({ length: runs }, (_, i) => first + i))(
  'a crowd with seed %d: no call is without an answer',
  async (seed) => {
    const options = { redisProgram, random: new Random(seed), duration, lease, faults, lanes, limit }
    await using crowd = await Crowd.start({ ...options, stillness: [5000, 60_000], pace: [500, 5000] })
    const { inflicted, calls, wrong } = await crowd.run()
    const lost = calls.filter((call) => call.lost).length
    console.log(`seed ${seed}: ${calls.length} calls, ${lost} given up; ${inflicted.join(' ')}`)
    console.log(`the slowest, in ms: ${slowest(calls)}`)
    if (wrong.length > 0) console.log(crowd.complaints)
    expect([...new Set(wrong)], `seed ${seed}`).toEqual([])
    expect(await crowd.keysLeft()).toEqual([])
  },
  duration + 600_000,
)

function slowest(calls: readonly CallReport[]): string {
  const times = new Map<string, number>()
  for (const { method, milliseconds } of calls) {
    times.set(method, Math.max(times.get(method) ?? 0, milliseconds))
  }
  return [...times].map(([method, time]) => `${method} ${time}`).join(', ')
}
