// The long run: `npm run chaos -- --minutes N --seed S`, of some faults only with POOLMQ_CHAOS_FAULTS=killWorker,killRedis.
import { inject, test } from 'vitest'
import { runChaos } from './chaos-run.js'

const minutes = Number(process.env.POOLMQ_CHAOS_MINUTES ?? 10)
const seed = Number(process.env.POOLMQ_CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31))
const redisProgram = inject('redisProgram')

test.skipIf(redisProgram === '')(
  `chaos for ${minutes} minutes with seed ${seed}`,
  async () => {
    console.log(`chaos: --minutes ${minutes} --seed ${seed}`)
    const end = Date.now() + minutes * 60_000
    const faults = process.env.POOLMQ_CHAOS_FAULTS?.split(',')
    await runChaos({ redisProgram, seed, faults, pace: [100, 1500], goesOn: () => Date.now() < end })
  },
  minutes * 60_000 + 300_000,
)
