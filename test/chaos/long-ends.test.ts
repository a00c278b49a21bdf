// The long run: part of `npm run chaos -- --seed S`.
import { test } from 'vitest'
import { runEnds } from './ends.js'

const seed = Number(process.env.POOLMQ_CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31))
const count = Number(process.env.POOLMQ_CHAOS_ENDS ?? 1000)

test(`${count} ends of a producer, just after it has made a pool, with seed ${seed}`, () => {
  console.log(`chaos: --seed ${seed}`)
  return runEnds({ seed, count, batch: 10, database: 12 })
}, 3_600_000)
