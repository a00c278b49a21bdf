/** Callbacks that throw, and what is no callback. */
import { type Case, differs, ofType } from '../case.js'
import { deviation } from '../deviation.js'
import { caught, failure, outcome, thrown } from '../outcome.js'

const failing = { error: { type: 'RangeError', message: 'task of the callback' } }

async function rejecting(): Promise<never> {
  throw new RangeError('task of the callback')
}

function throwing(): never {
  throw new RangeError('task of the callback')
}

export const callbackErrors: readonly Case[] = [
  differs(
    'callbacks/throws',
    deviation.callback,
    'a callback that throws',
    async ({ pool, tasks }) => ({
      get: await outcome(() => pool.applyAsync(tasks.sqr, [3], undefined, { callback: throwing }).get()),
    }),
    { get: failing },
  ),
  differs(
    'callbacks/throws-no-error',
    deviation.callback,
    'a callback that throws undefined',
    async ({ pool, tasks }) => {
      const callback = () => {
        throw undefined
      }
      const result = pool.applyAsync(tasks.sqr, [3], undefined, { callback })
      await result.wait()
      return { successful: result.successful(), then: await outcome(() => pool.map(tasks.sqr, [1, 2])) }
    },
    { successful: false, then: { value: [1, 4] } },
  ),
  differs(
    'callbacks/rejects',
    deviation.callback,
    'a callback, and an errorCallback, whose promise rejects',
    async ({ pool, tasks }) => ({
      get: await outcome(() => pool.applyAsync(tasks.sqr, [3], undefined, { callback: rejecting }).get()),
      failed: await outcome(() =>
        pool.applyAsync(tasks.fail, ['first'], undefined, { errorCallback: rejecting }).get(),
      ),
      then: await outcome(() => pool.map(tasks.sqr, [1, 2])),
    }),
    { get: failing, failed: failing, then: { value: [1, 4] } },
  ),
  differs(
    'callbacks/throws-then-others',
    deviation.callback,
    'a map after a callback that throws',
    async ({ pool, tasks }) => {
      pool.applyAsync(tasks.sqr, [3], undefined, { callback: throwing })
      return { then: await outcome(() => pool.map(tasks.sqr, [1, 2])) }
    },
    { then: { value: [1, 4] } },
  ),
  differs(
    'callbacks/map-throws',
    deviation.callback,
    'a callback of a map that throws',
    async ({ pool, tasks }) => ({
      get: await outcome(() => pool.mapAsync(tasks.sqr, [3], { callback: throwing }).get()),
    }),
    { get: failing },
  ),
  differs(
    'callbacks/error-callback-throws',
    deviation.callback,
    'an errorCallback that throws',
    async ({ pool, tasks }) => {
      const result = pool.applyAsync(tasks.fail, ['first'], undefined, { errorCallback: throwing })
      const error = await caught(() => result.get())
      return { get: failure(error), cause: (error.cause as Error | undefined)?.message }
    },
    { get: failing, cause: 'first' },
  ),
  differs(
    'callbacks/not-callable',
    deviation.callback,
    'a number as callback',
    ({ pool, tasks }) => thrown(() => pool.applyAsync(tasks.sqr, [3], undefined, { callback: 5 as never })),
    ofType('TypeError'),
  ),
]
