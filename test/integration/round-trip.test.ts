// Values of all kinds through a real worker process, as arguments, as results, and both ways. The seed is in the name of
// the test, and can be given as POOLMQ_SEED.
import assert from 'node:assert/strict'
import { Pool } from '@poolmq/client'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { identities, rich } from '../fixtures/dist/any-value.js'
import { inWords, values } from '../fixtures/dist/value-tasks.js'

const count = 2000
const seed = Number(process.env.POOLMQ_SEED ?? Math.floor(Math.random() * 2 ** 31))

let pool: Pool
beforeAll(() => {
  pool = new Pool(2)
})
afterAll(() => pool.terminate())

describe(`${count} values of seed ${seed}`, () => {
  const samples = fc.sample(rich, { seed, numRuns: count })

  test('come back as they went, with their types and identities', async () => {
    let compared = 0
    for await (const back of pool.imap(values.identity, samples, { chunkSize: 40 })) {
      const value = samples[compared++]
      assert.deepStrictEqual(back, value)
      assert.deepStrictEqual(identities(back), identities(value))
    }
    expect(compared).toBe(count)
  })

  test('arrive as arguments', async () => {
    const words = await pool.map(values.inWords, samples, 40)
    for (const [i, value] of samples.entries()) expect(words[i]).toBe(inWords(value))
  })

  test('arrive as results', async () => {
    const made = await pool.apply(values.make, [seed, count])
    for (const [i, value] of samples.entries()) assert.deepStrictEqual(made[i], value)
  })

  test('of lists of numbers are the same numbers', async () => {
    const number = fc.oneof(fc.integer({ min: -128, max: 127 }), fc.integer(), fc.double())
    for (const item of [fc.integer({ min: -128, max: 127 }), fc.integer(), number]) {
      const numbers = fc.sample(item, { seed, numRuns: count })
      const back = await pool.map(values.identity, numbers, 300)
      expect(back.length).toBe(count)
      for (const [i, value] of numbers.entries()) assert(Object.is(back[i], value), `${back[i]} instead of ${value}`)
    }
  })
})
