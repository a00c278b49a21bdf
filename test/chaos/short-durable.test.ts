// The chaos of durable calls that belongs to `npm test`.
import { inject, test } from 'vitest'
import { runDurableChaos } from './durable-run.js'

const redisProgram = inject('redisProgram')
const seed = 4

test.skipIf(redisProgram === '')(
  `a durable call, its producers killed and the faults in turns, with seed ${seed}`,
  () => runDurableChaos({ redisProgram, seed, items: 6000, goesOn: (round) => round < 3 }),
  600_000,
)
