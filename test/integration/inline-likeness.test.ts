/** What comes back from an InlinePool is what comes back from worker processes: values, refusals and errors alike. */
import { InlinePool, testPool } from '@poolmq/client/testing'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { rich } from '../fixtures/dist/any-value.js'
import { throwing, thrown } from '../fixtures/dist/thrown-tasks.js'
import { inWords, values } from '../fixtures/dist/value-tasks.js'
import { redisUrl } from '../support/redis-database.js'

const count = 300

class Own {
  readonly x = 1
}

/** What does not travel, somewhere in a value. */
const refused = fc
  .constantFrom<() => unknown>(
    () => () => 1,
    () => Symbol('x'),
    () => new Own(),
    () => Promise.resolve(1),
    () => new WeakMap(),
    () => new SharedArrayBuffer(8),
  )
  .chain((make) =>
    fc
      .constantFrom<(bad: unknown) => unknown>(
        (bad) => bad,
        (bad) => ({ a: [1, bad] }),
        (bad) => new Map([[bad, 1]]),
      )
      .map((wrap) => wrap(make())),
  )

/** Each outcome in words, in order. */
async function outcomes(results: AsyncIterator<unknown, unknown>): Promise<string[]> {
  const words: string[] = []
  for (;;) {
    try {
      const { done, value } = await results.next()
      if (done === true) return words
      words.push(inWords(value))
    } catch (error) {
      // How deep the stack is depends on what else the event loop had to do.
      words.push(`thrown: ${inWords(error)}`.replace(/\d+ lines matching/g, 'lines matching'))
    }
  }
}

test('values that travel, values that do not, and whatever is thrown', async () => {
  await using real = await testPool({ processes: 1, connection: redisUrl() })
  const inline = new InlinePool(1)
  onTestFinished(() => inline.terminate())
  const seed = Math.floor(Math.random() * 2 ** 31)
  const any = fc.sample(fc.oneof({ weight: 5, arbitrary: rich }, { weight: 1, arbitrary: refused }), {
    seed,
    numRuns: count,
  })
  const [here, there] = await Promise.all([inline, real].map((pool) => outcomes(pool.imap(values.identity, any, 7))))
  expect(here, `seed ${seed}`).toEqual(there)
  expect(
    here?.filter((words) => words.startsWith('thrown: ') && words.includes('ERR_POOL_ENCODING')).length,
  ).toBeGreaterThan(count / 20)
  const names = Object.keys(thrown)
  const [caughtHere, caughtThere] = await Promise.all(
    [inline, real].map((pool) => outcomes(pool.imap(throwing.throw, names, 3))),
  )
  expect(caughtHere).toEqual(caughtThere)
  expect(caughtHere?.length).toBe(names.length)
})
