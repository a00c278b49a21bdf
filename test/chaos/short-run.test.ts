// The chaos that belongs to `npm test`: every fault once, with each method at least once.
import { inject, test } from 'vitest'
import { runChaos } from './chaos-run.js'
import { lanes } from './fleet.js'

const redisProgram = inject('redisProgram')
const seed = 4

test.skipIf(redisProgram === '').each(lanes)(
  `every fault once, with seed ${seed}, $concurrency tasks at a time in a worker process`,
  ({ concurrency }) =>
    runChaos({
      redisProgram,
      seed,
      concurrency,
      items: 4000,
      pace: [50, 400],
      // Then it is left alone: on a machine so slow that calls take long, each chunk would have its share of all of them.
      most: 4,
      goesOn: (round, faults) => round < 3 || faults.passes < 1,
      patient: false,
    }),
  600_000,
)
