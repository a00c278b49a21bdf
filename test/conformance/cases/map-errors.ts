/** What a failing item does to its chunk, to the other chunks, and to the result. */
import { type Case, same } from '../case.js'
import type { Context } from '../context.js'
import { caught, outcome } from '../outcome.js'
import { range } from '../source.js'

async function run(context: Context, count: number, failing: readonly number[], chunkSize: number) {
  const log = context.log()
  const items = range(count).map((n) => [log.path, n, failing.includes(n)] as const)
  const answer = await outcome(() => context.pool.map(context.tasks.logged, items, chunkSize))
  return { failed: 'error' in answer, ran: log.numbers() }
}

const items = (count: number, fails: (n: number) => boolean) => range(count).map((n) => [n, fails(n)] as const)

export const mapErrors: readonly Case[] = [
  same('map-errors/ends-its-chunk', 'items 1 and 9 of twelve fail, chunks of four', (context) =>
    run(context, 12, [1, 9], 4),
  ),
  same('map-errors/others-run', 'items 0 and 5 of twelve fail, chunks of one', (context) =>
    run(context, 12, [0, 5], 1),
  ),
  same('map-errors/all-fail', 'all items fail, chunks of one', (context) => run(context, 8, range(8), 1)),
  same('map-errors/last-item', 'the last item fails', (context) => run(context, 12, [11], 4)),
  same('map-errors/one-error', 'one item fails', ({ pool, tasks }) =>
    outcome(() =>
      pool.map(
        tasks.checked,
        items(6, (n) => n === 3),
        2,
      ),
    ),
  ),
  same('map-errors/first-of-chunk', 'several items of one chunk fail', ({ pool, tasks }) =>
    outcome(() =>
      pool.map(
        tasks.checked,
        items(6, (n) => n > 1),
        6,
      ),
    ),
  ),
  same('map-errors/first-in-time', 'item 1 fails before item 0', async (context) => {
    const [pool, { path }] = [context.makePool(2), context.latch()]
    const roles = [['wait', path, 0] as const, ['fail', path, 1] as const, ['open', path, 2] as const]
    return outcome(() => pool.map(context.tasks.failOrWait, roles, 1))
  }),
  same('map-errors/pending-until-all', 'get after a failure, while another item runs', async (context) => {
    const go = context.latch()
    const roles = [['fail', '', 0] as const, ['wait', go.path, 1] as const]
    const result = context.pool.mapAsync(context.tasks.failOrWait, roles, 1)
    const early = await outcome(() => result.get(300))
    go.open()
    return { early, late: await outcome(() => result.get()) }
  }),
  same('map-errors/later-errors-dropped', 'all items of a chunk fail, and two gets', async ({ pool, tasks }) => {
    const result = pool.mapAsync(
      tasks.checked,
      items(10, () => true),
      10,
    )
    return { first: await outcome(() => result.get()), second: await outcome(() => result.get()) }
  }),
  same('map-errors/pool-goes-on', 'twenty maps that fail', async ({ pool, tasks }) => {
    const failures: unknown[] = []
    for (const n of range(20)) failures.push(await outcome(() => pool.map(tasks.checked, [[n, true] as const])))
    return {
      failures: failures.filter((failure) => 'error' in (failure as object)).length,
      then: await outcome(() => pool.map(tasks.sqr, range(8))),
    }
  }),
  same('map-errors/beside-a-good-map', 'a map that fails and one that does not', async ({ pool, tasks }) => {
    const bad = pool.mapAsync(
      tasks.checked,
      items(20, (n) => n % 2 === 1),
      1,
    )
    const good = pool.mapAsync(tasks.sqr, range(20), 1)
    await bad.wait()
    return { bad: bad.successful(), good: await outcome(() => good.get()) }
  }),
  same('map-errors/no-fail-fast', 'two errors of a megabyte, close and join', async (context) => {
    const pool = context.makePool(2)
    const error = await caught(async () => {
      try {
        await pool.map(context.tasks.largeFailure, [1024 ** 2, 1024 ** 2])
      } finally {
        pool.close()
        await pool.join()
      }
    })
    return { length: error.message.length, type: error.name }
  }),
  same('map-errors/starmap', 'an item of starmap fails', ({ pool, tasks }) =>
    outcome(() => pool.starmap(tasks.checked, [[[0, false]], [[1, true]]], 1)),
  ),
  same('map-errors/starmap-async', 'an item of starmapAsync fails', async ({ pool, tasks }) => {
    const result = pool.starmapAsync(tasks.checked, [[[0, true]], [[1, false]]], 2)
    await result.wait()
    return { get: await outcome(() => result.get()), successful: await outcome(() => result.successful()) }
  }),
]
