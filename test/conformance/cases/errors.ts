/** How a task's error arrives, and what cannot be sent. */
import { RemoteTraceback, taskRefs } from '@poolmq/client'
import { NeedsTwo, TaskFailure } from '../../fixtures/dist/conformance-tasks.js'
import { type Case, differs, ofType, same } from '../case.js'
import { deviation } from '../deviation.js'
import { caught, failure, outcome, steps } from '../outcome.js'
import { range } from '../source.js'

/** Reading it fails, as pickling fails in CPython's test_map_unplicklable. */
const unsendable = (): unknown => ({
  get trap(): never {
    throw new Error('cannot be sent')
  },
})

/** A task that no module defines. */
const unknown = taskRefs<{ sqrt: (x: number) => number }>('conf')

const nonErrors = [
  ['undefined', 'throwUndefined'],
  ['text', 'throwText'],
  ['object', 'throwObject'],
  ['rejects', 'rejectNull'],
] as const

const { argument, result, exits } = deviation

export const errors: readonly Case[] = [
  same('errors/built-in-value', 'a RangeError', ({ pool, tasks }) => outcome(() => pool.apply(tasks.throwRange))),
  same('errors/built-in-type', 'a TypeError', ({ pool, tasks }) => outcome(() => pool.apply(tasks.throwType))),
  same('errors/own-class', 'a registered class', async ({ pool, tasks }) => {
    const error = await caught(() => pool.apply(tasks.fail, ['mine']))
    return { instance: error instanceof TaskFailure, message: error.message }
  }),
  same('errors/own-properties', 'properties of an error', async ({ pool, tasks }) => {
    const { code, details } = await caught(() => pool.apply(tasks.throwCoded))
    return { code, details }
  }),
  same('errors/remote-traceback', 'where an error was thrown', async ({ pool, tasks }) => {
    const error = await caught(() => pool.apply(tasks.throwTraced))
    const { cause } = error
    return {
      cause: cause instanceof RemoteTraceback ? 'RemoteTraceback' : String(cause),
      showsTheTask: /throwTraced.*conformance-tasks\.js:\d+/.test(String(cause)),
    }
  }),
  same('errors/inner-cause', 'an error with a cause', async ({ pool, tasks }) => {
    const error = await caught(() => pool.apply(tasks.throwWithCause))
    return { inner: String(error.cause).includes('task inner'), message: error.message }
  }),
  same('errors/group', 'an AggregateError', async ({ pool, tasks }) => {
    const error = await caught(() => pool.apply(tasks.throwGroup))
    return { members: error instanceof AggregateError ? error.errors.map(failure) : [] }
  }),
  same('errors/as-value', 'an error that is returned', async ({ pool, tasks }) => {
    const value = await pool.apply(tasks.returnError)
    return { instance: value instanceof TaskFailure, message: value.message }
  }),
  same('errors/many-then-work', 'thirty failures', async ({ pool, tasks }) => {
    let failed = 0
    for (const _ of range(30))
      failed += 'error' in (await outcome(() => pool.apply(tasks.fail, ['one of many']))) ? 1 : 0
    return { failed, then: await outcome(() => pool.map(tasks.sqr, range(8))) }
  }),
  same('errors/nobody-looks', 'failures that nobody looks at', async (context) => {
    let noise = 0
    const listener = () => {
      noise++
    }
    process.on('unhandledRejection', listener)
    try {
      const pool = context.makePool(4)
      const results = range(5).map(() => pool.applyAsync(context.tasks.fail, ['unseen']))
      pool.close()
      await pool.join()
      return { noise, ready: results.map((handle) => handle.ready()) }
    } finally {
      process.off('unhandledRejection', listener)
    }
  }),

  differs(
    'errors/argument-apply',
    argument,
    'an argument that cannot be encoded',
    async ({ pool, tasks }) => ({
      apply: await outcome(() => pool.apply(tasks.identity, [unsendable()])),
      then: await outcome(() => pool.apply(tasks.sqr, [2])),
    }),
    { apply: ofType('EncodingError'), then: { value: 4 } },
  ),
  differs(
    'errors/argument-map',
    argument,
    'ten items that cannot be encoded',
    async ({ pool, tasks }) => ({
      map: await outcome(() => pool.map(tasks.identity, range(10).map(unsendable))),
      then: await outcome(() => pool.map(tasks.sqr, [2])),
    }),
    { map: ofType('EncodingError'), then: { value: [4] } },
  ),
  differs(
    'errors/argument-imap',
    argument,
    'one of three items that cannot be encoded',
    async ({ pool, tasks }) => ({ value: await steps(pool.imap(tasks.identity, [1, unsendable(), 3]), 4) }),
    { value: [{ value: 1 }, ofType('EncodingError'), { value: 3 }, { done: true }] },
  ),
  differs(
    'errors/argument-neighbours',
    argument,
    'an item that cannot be encoded, in one chunk with others',
    async ({ pool, tasks }) => ({ value: await steps(pool.imap(tasks.identity, [1, unsendable(), 3], 3), 4) }),
    { value: [{ value: 1 }, ofType('EncodingError'), { value: 3 }, { done: true }] },
  ),
  differs(
    'errors/argument-beside-others',
    argument,
    'a call that cannot be encoded, and another',
    async ({ pool, tasks }) => {
      const bad = pool.applyAsync(tasks.identity, [unsendable()])
      const good = pool.mapAsync(tasks.sqr, range(6))
      return { bad: await outcome(() => bad.get()), good: await outcome(() => good.get()) }
    },
    { bad: ofType('EncodingError'), good: { value: [0, 1, 4, 9, 16, 25] } },
  ),

  same('errors/result', 'a result that cannot be encoded', async ({ pool, tasks }) => {
    const error = await caught(() => pool.apply(tasks.returnFunction))
    return { ...failure(error), says: Boolean(error.reason) && Boolean(error.value) }
  }),
  same('errors/result-twenty-times', 'twenty results that cannot be encoded', async (context) => {
    const pool = context.makePool(2)
    const { workerOf, returnFunction } = context.tasks
    const workers = new Set(await pool.map(workerOf, range(16), 1))
    let failed = 0
    for (const _ of range(20)) failed += 'error' in (await outcome(() => pool.apply(returnFunction))) ? 1 : 0
    for (const worker of await pool.map(workerOf, range(16), 1)) workers.add(worker)
    return { failed, lost: workers.size > 2 }
  }),
  same('errors/result-error-callback', 'errorCallback for such a result', async ({ pool, tasks }) => {
    const events: unknown[] = []
    const errorCallback = (error: unknown) => void events.push(failure(error))
    await pool.applyAsync(tasks.returnFunction, [], undefined, { errorCallback }).wait()
    return { events }
  }),
  same('errors/result-in-map', 'such results in starmap', ({ pool, tasks }) =>
    outcome(() => pool.starmap(tasks.returnFunction, [[], []], 1)),
  ),
  differs(
    'errors/result-neighbours',
    result,
    'a result that cannot be encoded, in one chunk with others',
    async ({ pool, tasks }) => ({
      value: await steps(
        pool.imap(
          tasks.functionOr,
          range(3).map((n) => [n, n === 1] as const),
          3,
        ),
        4,
      ),
    }),
    { value: [{ value: 0 }, ofType('EncodingError'), { value: 2 }, { done: true }] },
  ),
  differs(
    'errors/unsendable-error',
    deviation.keptError,
    'an error that holds a function',
    async ({ pool, tasks }) => {
      const error = await caught(() => pool.apply(tasks.throwUnsendable))
      return { ...failure(error), code: error.code, fn: 'fn' in error }
    },
    { error: { type: 'TaskFailure', message: 'holds a function' }, code: 'E_KEPT', fn: false },
  ),
  differs(
    'errors/undecodable-error',
    result,
    'an error whose constructor needs more than a message',
    async ({ pool, tasks }) => {
      const error = await caught(() => pool.apply(tasks.throwNeedsTwo))
      return { apply: failure(error), instance: error instanceof NeedsTwo }
    },
    { apply: { error: { type: 'NeedsTwo', message: 'one and two' } }, instance: true },
  ),
  differs(
    'errors/undecodable-error-then-others',
    result,
    'a map after such an error',
    async ({ pool, tasks }) => {
      pool.applyAsync(tasks.throwNeedsTwo)
      return { then: await outcome(() => pool.map(tasks.sqr, range(4))) }
    },
    { then: { value: [0, 1, 4, 9] } },
  ),

  differs(
    'errors/exits',
    exits,
    'a task that exits with 3',
    async ({ pool, tasks }) => {
      const error = await caught(() => pool.apply(tasks.exitWorker, [3]))
      return { apply: failure(error), exitCode: error.exitCode }
    },
    { apply: ofType('WorkerLostError'), exitCode: 3 },
  ),
  differs(
    'errors/exits-with-zero',
    exits,
    'a task that exits with 0',
    async ({ pool, tasks }) => ({ apply: await outcome(() => pool.apply(tasks.exitWorker, [0])) }),
    { apply: ofType('WorkerLostError') },
  ),
  ...nonErrors.map(([name, task]) =>
    differs(
      `errors/throws-${name}`,
      exits,
      'a task that throws what is no Error',
      async ({ pool, tasks }) => {
        const error = await caught(() => pool.apply(tasks[task]))
        return { apply: failure(error), code: error.code, says: error.message.includes('not an Error') }
      },
      { apply: ofType('PoolError'), code: 'ERR_POOL_NON_ERROR', says: true },
    ),
  ),
  differs(
    'errors/unknown-task',
    deviation.unknownTask,
    'a task that no worker knows',
    async ({ pool }) => {
      const error = await caught(() => pool.apply(unknown.sqrt, [4]))
      return { apply: failure(error), nearest: (error.nearest as string[]).includes('conf.sqr') }
    },
    { apply: ofType('UnknownTaskError'), nearest: true },
  ),
  differs(
    'errors/unknown-task-then-others',
    deviation.unknownTask,
    'a map, close and join after such a task',
    async (context) => {
      const pool = context.makePool(2)
      pool.applyAsync(unknown.sqrt, [4])
      const then = await outcome(() => pool.map(context.tasks.sqr, range(4)))
      pool.close()
      return { join: await outcome(() => pool.join()), then }
    },
    { join: { value: null }, then: { value: [0, 1, 4, 9] } },
  ),
]
