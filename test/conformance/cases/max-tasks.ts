/** maxTasksPerChild: a task is a chunk; a worker ends after so many of them and is replaced. */
import { type Case, same } from '../case.js'
import type { Context } from '../context.js'
import { eventually } from '../latch.js'
import { list, outcome } from '../outcome.js'
import { range } from '../source.js'

const limited = (context: Context, processes: number, maxTasksPerChild: number) =>
  context.makePool({ processes, maxTasksPerChild })
/** One task at a time, as the default chunk size reckons with it. */
const alone = (context: Context, maxTasksPerChild: number) => context.atATime(1, { maxTasksPerChild })

const matrix = (
  [
    [4, 1],
    [undefined, 1],
    [1, 1],
    [1, 2],
    [2, 2],
    [8, 1],
  ] as const
).map(([chunkSize, limit]) =>
  same(
    `max-tasks/chunk-${chunkSize ?? 'default'}-limit-${limit}`,
    `eight items, chunk size ${chunkSize ?? 'by default'}, ${limit} a worker`,
    async (context) => {
      const pool = chunkSize === undefined ? alone(context, limit) : limited(context, 1, limit)
      return { workers: new Set(await pool.map(context.tasks.workerOf, range(8), chunkSize)).size }
    },
  ),
)

export const maxTasks: readonly Case[] = [
  ...matrix,
  same('max-tasks/unlimited', 'no limit', async (context) => ({
    workers: new Set(await context.makePool(1).map(context.tasks.workerOf, range(8), 1)).size,
  })),
  same('max-tasks/applies', 'six calls of apply, two a worker', async (context) => {
    const pool = limited(context, 1, 2)
    const workers = new Set<string>()
    for (const _ of range(6)) workers.add(await pool.apply(context.tasks.workerId))
    return { workers: workers.size }
  }),
  same('max-tasks/failures-count', 'four failures, two a worker', async (context) => {
    const [pool, log] = [limited(context, 1, 2), context.log()]
    for (const _ of range(4)) await outcome(() => pool.apply(context.tasks.logAndFail, [log.path]))
    return { workers: new Set(log.lines()).size }
  }),
  same('max-tasks/imap', 'imap, chunks of two, two a worker', async (context) => ({
    workers: new Set(await list(limited(context, 1, 2).imap(context.tasks.workerOf, range(8), 2))).size,
  })),
  same('max-tasks/lifetime', "CPython's test_pool_worker_lifetime", async (context) => {
    const pool = limited(context, 3, 10)
    const results = range(100).map((n) => pool.applyAsync(context.tasks.sqr, [n]))
    const values = await Promise.all(results.map((result) => result.get()))
    return {
      refilled: await eventually(() => context.textOf(pool).includes('pool_size=3'), 60_000),
      right: values.every((value, n) => value === n * n),
    }
  }),
  same('max-tasks/lifetime-replaces', 'a hundred tasks, ten a worker', async (context) => ({
    replaced: new Set(await limited(context, 3, 10).map(context.tasks.workerOf, range(100), 1)).size >= 10,
  })),
  same('max-tasks/early-close', "CPython's test_pool_worker_lifetime_early_close", async (context) => {
    const pool = limited(context, 3, 1)
    const results = range(6).map((n) => pool.applyAsync(context.tasks.sqr, [n]))
    pool.close()
    await pool.join()
    return { value: await Promise.all(results.map((result) => result.get())) }
  }),
  same('max-tasks/order-kept', 'the order of results', (context) =>
    outcome(() => limited(context, 2, 1).map(context.tasks.sqr, range(10), 1)),
  ),
  same('max-tasks/with-errors', 'a failure and a success', async (context) => {
    const pool = limited(context, 2, 1)
    const { checked } = context.tasks
    return {
      bad: await outcome(() => pool.map(checked, [[1, true] as const])),
      good: await outcome(() => pool.map(checked, [[2, false] as const])),
    }
  }),
]
