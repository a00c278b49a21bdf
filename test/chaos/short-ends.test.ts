// The ends of a producer that belong to `npm test`: each way several times.
import { test } from 'vitest'
import { runEnds } from './ends.js'

const seed = 6

test(
  `40 ends of a producer, just after it has made a pool, with seed ${seed}`,
  () => runEnds({ seed, count: 40, batch: 10, database: 12 }),
  600_000,
)
