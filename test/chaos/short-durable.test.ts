// The chaos of durable calls that belongs to `npm test`.
import { inject, test } from 'vitest'
import { runDurableChaos } from './durable-run.js'

const redisProgram = inject('redisProgram')
const seed = 4

test.skipIf(redisProgram === '')(
  `a durable call, its producers killed and the faults in turns, with seed ${seed}`,
  () => runDurableChaos({ redisProgram, seed, items: 3000, goesOn: (round) => round < 2 }),
  600_000,
)
