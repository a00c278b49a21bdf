/** callback and errorCallback: when, with what, how often, and what they may do. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Case, differs, same } from '../case.js'
import { deviation } from '../deviation.js'
import { eventually } from '../latch.js'
import { caught, failure, outcome, plain } from '../outcome.js'
import { range } from '../source.js'

/** Both callbacks, which record what they are called with. */
function recorder() {
  const events: unknown[] = []
  return {
    events,
    callbacks: {
      callback: (value: unknown) => void events.push(['callback', plain(value)]),
      errorCallback: (error: unknown) => void events.push(['errorCallback', failure(error).error.message]),
    },
  }
}

const items = (count: number, fails: (n: number) => boolean) => range(count).map((n) => [n, fails(n)] as const)

export const callbacks: readonly Case[] = [
  same('callbacks/apply', 'a task that succeeds', async ({ pool, tasks }) => {
    const { events, callbacks } = recorder()
    await pool.applyAsync(tasks.sqr, [3], undefined, callbacks).wait()
    return { events }
  }),
  same('callbacks/apply-error', 'a task that fails', async ({ pool, tasks }) => {
    const { events, callbacks } = recorder()
    await pool.applyAsync(tasks.fail, ['called back'], undefined, callbacks).wait()
    return { events }
  }),
  same('callbacks/map', 'a map that succeeds', async ({ pool, tasks }) => {
    const { events, callbacks } = recorder()
    await pool.mapAsync(tasks.sqr, range(5), { chunkSize: 1, ...callbacks }).wait()
    return { events }
  }),
  same('callbacks/map-error', 'a map of which one item fails', async ({ pool, tasks }) => {
    const { events, callbacks } = recorder()
    await pool
      .mapAsync(
        tasks.checked,
        items(5, (n) => n === 2),
        { chunkSize: 1, ...callbacks },
      )
      .wait()
    return { events }
  }),
  same('callbacks/map-many-errors', 'a map of which all items fail', async ({ pool, tasks }) => {
    const { events, callbacks } = recorder()
    const result = pool.mapAsync(
      tasks.checked,
      items(8, () => true),
      { chunkSize: 1, ...callbacks },
    )
    const { message } = await caught(() => result.get())
    return { count: events.length, same: (events[0] as string[])[1] === message }
  }),
  same('callbacks/starmap', 'a starmap that succeeds', async ({ pool, tasks }) => {
    const { events, callbacks } = recorder()
    await pool
      .starmapAsync(
        tasks.mul,
        [
          [2, 3],
          [4, 5],
        ],
        callbacks,
      )
      .wait()
    return { events }
  }),
  same('callbacks/map-reads-text', "CPython's test_map_async_callbacks", async ({ pool, tasks }) => {
    const { events, callbacks } = recorder()
    await pool.mapAsync(tasks.wholeNumber, ['1'], callbacks).wait()
    await pool.mapAsync(tasks.wholeNumber, ['a'], callbacks).wait()
    return { events }
  }),
  same('callbacks/only-error-callback', 'no callback for success', async ({ pool, tasks }) => {
    const { events, callbacks } = recorder()
    const { errorCallback } = callbacks
    const result = pool.applyAsync(tasks.sqr, [4], undefined, { errorCallback })
    return { get: await outcome(() => result.get()), events }
  }),
  same('callbacks/only-callback', 'no callback for failure', async ({ pool, tasks }) => {
    const { events, callbacks } = recorder()
    const { callback } = callbacks
    const result = pool.applyAsync(tasks.fail, ['alone'], undefined, { callback })
    return { get: await outcome(() => result.get()), events }
  }),
  same('callbacks/before-ready', 'ready inside the callback', async (context) => {
    const [go, started, inside] = [context.latch(), context.latch('started'), [] as boolean[]]
    const callback = () => void inside.push(result.ready())
    const args = [started.path, go.path, 1] as const
    const result = context.pool.applyAsync(context.tasks.hold, [...args], undefined, { callback })
    go.open()
    await result.wait()
    return { after: result.ready(), inside }
  }),
  same('callbacks/error-before-ready', 'ready inside the errorCallback', async (context) => {
    const [go, inside] = [context.latch(), [] as boolean[]]
    const errorCallback = () => void inside.push(result.ready())
    const roles = [['wait', go.path, 1] as const, ['fail', '', 2] as const]
    const result = context.pool.mapAsync(context.tasks.failOrWait, roles, { chunkSize: 1, errorCallback })
    go.open()
    await result.wait()
    return { after: result.ready(), inside }
  }),
  same('callbacks/before-get', 'callback and get', async ({ pool, tasks }) => {
    const events: string[] = []
    await pool.applyAsync(tasks.sqr, [5], undefined, { callback: () => void events.push('callback') }).get()
    events.push('get')
    return { events }
  }),
  same('callbacks/same-value', 'the value of callback and of get', async ({ pool, tasks }) => {
    const seen: unknown[] = []
    const result = pool.applyAsync(tasks.makeList, [3], undefined, { callback: (value) => void seen.push(value) })
    return { same: (await result.get()) === seen[0] }
  }),
  same('callbacks/same-error', 'the error of errorCallback and of get', async ({ pool, tasks }) => {
    const seen: unknown[] = []
    const errorCallback = (error: unknown) => void seen.push(error)
    const result = pool.applyAsync(tasks.fail, ['shared'], undefined, { errorCallback })
    return { same: (await caught(() => result.get())) === seen[0] }
  }),
  same('callbacks/completion-order', 'ten calls, one worker', async (context) => {
    const [pool, value] = [context.makePool(1), [] as number[]]
    const callback = (square: number) => void value.push(square)
    await Promise.all(range(10).map((n) => pool.applyAsync(context.tasks.sqr, [n], undefined, { callback }).wait()))
    return { value }
  }),
  same('callbacks/completion-order-two-workers', 'a first call that ends last', async (context) => {
    const [pool, started, go] = [context.makePool(2), context.latch('started'), context.latch()]
    const events: unknown[] = []
    const callback = (value: unknown) => void events.push(value)
    const held = pool.applyAsync(context.tasks.hold, [started.path, go.path, 'held'], undefined, { callback })
    await started.opened()
    await pool.applyAsync(context.tasks.identity, ['quick'], undefined, { callback }).wait()
    go.open()
    await held.wait()
    return { events }
  }),
  same('callbacks/one-at-a-time', 'callbacks that take their time', async (context) => {
    const pool = context.makePool(2)
    let [running, most] = [0, 0]
    const callback = async () => {
      most = Math.max(most, ++running)
      await sleep(20)
      running--
    }
    await Promise.all(range(10).map((n) => pool.applyAsync(context.tasks.sqr, [n], undefined, { callback }).wait()))
    return { most }
  }),
  same('callbacks/submits', 'a callback that submits', async (context) => {
    const pool = context.makePool(1)
    const results: { get(): Promise<number> }[] = []
    const callback = (value: number) => void results.push(pool.applyAsync(context.tasks.sqr, [value]))
    await pool.applyAsync(context.tasks.sqr, [3], undefined, { callback }).wait()
    return { value: await results[0]?.get() }
  }),
  same('callbacks/terminates', 'a callback that terminates the pool', async (context) => {
    const pool = context.makePool(1)
    const callback = () => void pool.terminate()
    const result = pool.applyAsync(context.tasks.sqr, [3], undefined, { callback })
    return { get: await outcome(() => result.get()), text: context.textOf(pool) }
  }),
  same('callbacks/error-callback-terminates', 'an errorCallback that terminates the pool', async (context) => {
    const pool = context.makePool(1)
    const errorCallback = () => void pool.terminate()
    const result = pool.applyAsync(context.tasks.fail, ['fatal'], undefined, { errorCallback })
    return { get: await outcome(() => result.get()), text: context.textOf(pool) }
  }),
  same('callbacks/none-after-terminate', 'a task that ends after terminate', async (context) => {
    const [pool, started, go] = [context.makePool(1), context.latch('started'), context.latch()]
    const events: string[] = []
    const callback = () => void events.push('callback')
    pool.applyAsync(context.tasks.hold, [started.path, go.path, 1], undefined, { callback })
    await started.opened()
    await pool.terminate()
    await pool.join()
    go.open()
    await eventually(() => events.length > 0, 300)
    return { events }
  }),
  same('callbacks/none-of-terminate', 'what is pending when the pool is terminated', async (context) => {
    const [pool, started, go] = [context.makePool(1), context.latch('started'), context.latch()]
    const { events, callbacks } = recorder()
    pool.applyAsync(context.tasks.hold, [started.path, go.path, 1], undefined, callbacks)
    await started.opened()
    await pool.terminate()
    await pool.join()
    await eventually(() => events.length > 0, 300)
    return { events }
  }),
  differs(
    'callbacks/empty-map',
    deviation.emptyMap,
    'a map without items',
    async ({ pool, tasks }) => {
      const { events, callbacks } = recorder()
      pool.mapAsync(tasks.sqr, [], callbacks)
      const atOnce = [...events]
      await eventually(() => events.length > 0, 1000)
      return { atOnce, later: events }
    },
    { atOnce: [], later: [['callback', []]] },
  ),
  same('callbacks/argument-not-encodable', 'an argument that cannot be encoded', async ({ pool, tasks }) => {
    const { events, callbacks } = recorder()
    await pool.applyAsync(tasks.identity, [() => 1], undefined, callbacks).wait()
    return { events: events.map((event) => (event as string[])[0]) }
  }),
  same('callbacks/runs-in-parent', 'where the task and its callback run', async (context) => {
    const log = context.log()
    let here = false
    const errorCallback = () => {
      here = true
    }
    await context.pool.applyAsync(context.tasks.logAndFail, [log.path], undefined, { errorCallback }).wait()
    return { here, there: log.lines()[0] !== `${process.pid}:0` }
  }),
]
