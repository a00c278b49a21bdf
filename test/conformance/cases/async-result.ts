/** AsyncResult: get, wait, ready, successful. */
import { type Case, same } from '../case.js'
import type { Context } from '../context.js'
import { caught, outcome } from '../outcome.js'
import { range } from '../source.js'

/** The result of a task that is running, and the latch that lets it end. */
async function pending(context: Context) {
  const [started, go] = [context.latch('started'), context.latch()]
  const result = context.pool.applyAsync(context.tasks.hold, [started.path, go.path, 'held'])
  await started.opened()
  return { result, go }
}

export const asyncResult: readonly Case[] = [
  same('async-result/get', 'get', ({ pool, tasks }) => outcome(() => pool.applyAsync(tasks.sqr, [6]).get())),
  same('async-result/get-twice', 'get twice', async ({ pool, tasks }) => {
    const result = pool.applyAsync(tasks.makeList, [3])
    const [first, second] = [await result.get(), await result.get()]
    return { same: first === second, value: second }
  }),
  same('async-result/get-error-twice', 'get of a failed call twice', async ({ pool, tasks }) => {
    const result = pool.applyAsync(tasks.fail, ['again'])
    const errors = [await caught(() => result.get()), await caught(() => result.get())]
    return { count: errors.length, message: errors[1]?.message, same: errors[0] === errors[1] }
  }),
  same('async-result/ready', 'ready before and after', async (context) => {
    const { result, go } = await pending(context)
    const before = result.ready()
    go.open()
    await result.wait()
    return { after: result.ready(), before }
  }),
  same('async-result/successful-pending', 'successful before and after', async (context) => {
    const { result, go } = await pending(context)
    const before = await outcome(() => result.successful())
    go.open()
    await result.wait()
    return { after: await outcome(() => result.successful()), before }
  }),
  same('async-result/successful-failed', 'successful of a failed call', async ({ pool, tasks }) => {
    const result = pool.applyAsync(tasks.fail, ['no success'])
    await result.wait()
    return { ready: result.ready(), successful: await outcome(() => result.successful()) }
  }),
  same('async-result/wait', 'wait', ({ pool, tasks }) => outcome(() => pool.applyAsync(tasks.sqr, [2]).wait())),
  same('async-result/wait-failed', 'wait of a failed call', ({ pool, tasks }) =>
    outcome(() => pool.applyAsync(tasks.fail, ['waited']).wait()),
  ),
  same('async-result/wait-timeout', 'wait that runs out of time', async (context) => {
    const { result, go } = await pending(context)
    const wait = await outcome(() => result.wait(50))
    const ready = result.ready()
    go.open()
    return { get: await outcome(() => result.get()), ready, wait }
  }),
  same('async-result/get-timeout', 'get that runs out of time, and a later one', async (context) => {
    const { result, go } = await pending(context)
    const get = await outcome(() => result.get(50))
    go.open()
    return { get, later: await outcome(() => result.get()) }
  }),
  ...(
    [
      ['async-result/get-zero', 0],
      ['async-result/get-negative', -1000],
    ] as const
  ).map(([id, timeout]) =>
    same(id, `get(${timeout}) before and after`, async (context) => {
      const { result, go } = await pending(context)
      const early = await outcome(() => result.get(timeout))
      go.open()
      await result.wait()
      return { early, late: await outcome(() => result.get(timeout)) }
    }),
  ),
  same('async-result/get-many-timeouts', 'five gets that run out of time', async (context) => {
    const { result, go } = await pending(context)
    const early: unknown[] = []
    while (early.length < 5) early.push(await outcome(() => result.get(10)))
    go.open()
    return { early, late: await outcome(() => result.get()) }
  }),
  same('async-result/two-getters', 'two callers in get', async (context) => {
    const { result, go } = await pending(context)
    const getters = [outcome(() => result.get()), outcome(() => result.get())]
    go.open()
    return { value: await Promise.all(getters) }
  }),
  same('async-result/empty-map', 'the handle of a map without items', async ({ pool, tasks }) => {
    const result = pool.mapAsync(tasks.sqr, [])
    const [ready, successful] = [result.ready(), await outcome(() => result.successful())]
    return { get: await outcome(() => result.get(0)), ready, successful }
  }),
  same('async-result/map-same-list', 'get of a map twice', async ({ pool, tasks }) => {
    const result = pool.mapAsync(tasks.sqr, range(3))
    const [first, second] = [await result.get(), await result.get()]
    return { same: first === second }
  }),
  same('async-result/map-ready-when-all', 'a map of which one item is done', async (context) => {
    const { pool, tasks, directory } = context
    const go = context.latch()
    const result = pool.mapAsync(tasks.awaitLatch, [[directory, 0] as const, [go.path, 1] as const], 1)
    const early = await outcome(() => result.get(200))
    const ready = result.ready()
    go.open()
    return { early, late: await outcome(() => result.get()), ready }
  }),
  same('async-result/map-failed', 'the handle of a map that failed', async ({ pool, tasks }) => {
    const result = pool.mapAsync(tasks.checked, [[0, false] as const, [1, true] as const], 1)
    await result.wait()
    const successful = await outcome(() => result.successful())
    return { get: await outcome(() => result.get()), ready: result.ready(), successful }
  }),
  same('async-result/successful-true', 'the handle of a map that succeeded', async ({ pool, tasks }) => {
    const result = pool.mapAsync(tasks.sqr, range(4))
    await result.wait()
    return { get: await outcome(() => result.get(0)), successful: await outcome(() => result.successful()) }
  }),
]
