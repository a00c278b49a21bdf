// The long run: `npm run chaos -- --minutes N --seed S`, of some faults only with POOLMQ_CHAOS_FAULTS=killWorker,killRedis.
import { inject, test } from 'vitest'
import { runChaos } from './chaos-run.js'
import { lanes } from './fleet.js'

const minutes = Number(process.env.POOLMQ_CHAOS_MINUTES ?? 10)
const seed = Number(process.env.POOLMQ_CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31))
const redisProgram = inject('redisProgram')

/** All of them together run for the time that was asked for. */
const share = (minutes * 60_000) / lanes.length

test.skipIf(redisProgram === '').each(lanes)(
  `chaos for ${minutes / lanes.length} minutes with seed ${seed}, $concurrency tasks at a time in a worker process`,
  async ({ concurrency }) => {
    console.log(`chaos: --minutes ${minutes} --seed ${seed}`)
    const end = Date.now() + share
    const faults = process.env.POOLMQ_CHAOS_FAULTS?.split(',')
    await runChaos({ redisProgram, seed, faults, concurrency, pace: [100, 1500], goesOn: () => Date.now() < end })
  },
  share + 300_000,
)
