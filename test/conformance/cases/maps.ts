/** map, starmap and their async forms: inputs and outputs. */
import { type Case, differs, same } from '../case.js'
import { deviation } from '../deviation.js'
import { numeric, outcome, refused, thrown } from '../outcome.js'
import { failingSource, range } from '../source.js'

const pairs = (count: number) => range(count).map((n) => [n, count - 1 - n] as [number, number])

const sized = (length: number, items: readonly number[]) => ({ length, [Symbol.iterator]: () => items.values() })

export const maps: readonly Case[] = [
  same('map/ten', 'ten numbers', ({ pool, tasks }) => outcome(() => pool.map(tasks.sqr, range(10)))),
  same('map/chunk-size', 'a chunk size', ({ pool, tasks }) => outcome(() => pool.map(tasks.sqr, range(100), 20))),
  same('map/ten-thousand', 'ten thousand numbers', async ({ pool, tasks }) => {
    const values = await pool.map(tasks.sqr, range(10_000))
    return { last: values.at(-1), length: values.length, sum: values.reduce((sum, value) => sum + value, 0) }
  }),
  same('map/order', 'items that end together', async (context) => {
    const go = context.latch()
    const result = context.pool.mapAsync(
      context.tasks.awaitLatch,
      range(4).map((n) => [go.path, n] as const),
      1,
    )
    go.open()
    return outcome(() => result.get())
  }),
  same('map/first-done-last', 'a first item that ends last', async (context) => {
    const { pool, tasks, directory } = context
    const { path } = context.latch()
    const result = pool.mapAsync(tasks.awaitLatch, [[path, 'slow'] as const, [directory, 'quick'] as const], 1)
    await pool.apply(tasks.open, [path])
    return outcome(() => result.get())
  }),
  same('map/async', 'mapAsync and get', ({ pool, tasks }) => outcome(() => pool.mapAsync(tasks.sqr, range(10)).get())),
  same('map/no-results', 'a task that returns nothing', ({ pool, tasks }) =>
    outcome(() => pool.map(tasks.nothing as never, range(3))),
  ),
  same('map/empty', 'no items', ({ pool, tasks }) => outcome(() => pool.map(tasks.sqr, []))),
  same('map/empty-iterator', 'an iterator without items', ({ pool, tasks }) =>
    outcome(() => pool.map(tasks.sqr, [].values())),
  ),
  same('map/one', 'one item', ({ pool, tasks }) => outcome(() => pool.map(tasks.sqr, [12]))),
  same('map/generator', 'a generator', ({ pool, tasks }) => outcome(() => pool.map(tasks.sqr, range(6).values()))),
  same('map/set', 'a set', async ({ pool, tasks }) => ({
    value: (await pool.map(tasks.sqr, new Set([1, 2, 3]))).sort(numeric),
  })),
  same('map/text', 'a text', ({ pool, tasks }) => outcome(() => pool.map(tasks.identity, 'pool'))),
  same('map/not-iterable', 'a number for the items', async ({ pool, tasks }) => ({
    map: await refused(() => pool.map(tasks.sqr, 5 as never)),
    then: await outcome(() => pool.map(tasks.sqr, [5])),
  })),
  same('map/generator-read-in-call', 'how far the input is read when mapAsync returns', async ({ pool, tasks }) => {
    const taken: number[] = []
    function* source() {
      for (const n of range(50)) {
        taken.push(n)
        yield n
      }
    }
    const result = pool.mapAsync(tasks.sqr, source())
    const read = taken.length
    return { taken: read, values: (await result.get()).length }
  }),
  same('map/source-fails-first', 'an input that throws before its first item', async ({ pool, tasks }) => {
    const submit = () => pool.mapAsync(tasks.sqr, failingSource(1, -1), 1)
    return { first: thrown(submit), again: thrown(submit), then: await outcome(() => pool.map(tasks.sqr, [2])) }
  }),
  same('map/source-fails-midway', 'an input that throws after three items', async (context) => {
    const log = context.log()
    function* source() {
      for (const n of failingSource(10, 3)) yield [log.path, n, false] as const
    }
    return { map: thrown(() => context.pool.mapAsync(context.tasks.logged, source(), 1)), ran: log.numbers() }
  }),
  same('map/source-with-length-fails', 'an input with a length that throws', async ({ pool, tasks }) => {
    const source = { length: 1, [Symbol.iterator]: () => failingSource(1, -1) }
    return {
      map: await outcome(() => pool.map(tasks.sqr, source, 1)),
      then: await outcome(() => pool.map(tasks.sqr, [3])),
    }
  }),
  differs(
    'map/declared-too-long',
    deviation.badInput,
    'an input that declares ten items and has three',
    async ({ pool, tasks }) => ({ map: await outcome(() => pool.map(tasks.sqr, sized(10, [1, 2, 3]), 1)) }),
    { map: { value: [1, 4, 9] } },
  ),
  differs(
    'map/declared-too-short',
    deviation.badInput,
    'an input that declares two items and has four',
    async ({ pool, tasks }) => ({ map: await outcome(() => pool.map(tasks.sqr, sized(2, range(4)), 1)) }),
    { map: { value: [0, 1, 4, 9] } },
  ),
  same('map/task-reads-text', 'texts to read as numbers', async ({ pool, tasks }) => ({
    bad: await outcome(() => pool.map(tasks.wholeNumber, ['a'])),
    good: await outcome(() => pool.map(tasks.wholeNumber, ['1'])),
  })),
  same('map/large-items', 'items of 300 kB', async ({ pool, tasks }) => {
    const values = (await pool.map(tasks.identity, new Array<string>(8).fill('x'.repeat(300_000)))) as string[]
    return { lengths: values.map((text) => text.length) }
  }),

  same('starmap/ten', 'ten pairs', ({ pool, tasks }) => outcome(() => pool.starmap(tasks.mul, pairs(10)))),
  same('starmap/chunk-size', 'a chunk size', ({ pool, tasks }) =>
    outcome(() => pool.starmap(tasks.mul, pairs(100), 20)),
  ),
  same('starmap/async', 'starmapAsync and get', ({ pool, tasks }) =>
    outcome(() => pool.starmapAsync(tasks.mul, pairs(100)).get()),
  ),
  same('starmap/arities', 'argument lists of different lengths', ({ pool, tasks }) =>
    outcome(() => pool.starmap(tasks.total, [[], [1], [1, 2], [1, 2, 3]])),
  ),
  same('starmap/generator', 'a generator of pairs', ({ pool, tasks }) =>
    outcome(() =>
      pool.starmap(
        tasks.mul,
        range(5)
          .map((n) => [n, n + 1] as [number, number])
          .values(),
      ),
    ),
  ),
  same('starmap/empty', 'no pairs', ({ pool, tasks }) => outcome(() => pool.starmap(tasks.mul, []))),
  same('starmap/element-not-iterable', 'a number in place of a pair', async ({ pool, tasks }) => ({
    starmap: await outcome(() => pool.starmap(tasks.mul, [[1, 2], 5 as never])),
    then: await outcome(() => pool.starmap(tasks.mul, [[2, 3]])),
  })),
  same('starmap/error', 'a task that throws', ({ pool, tasks }) =>
    outcome(() => pool.starmap(tasks.fail, [['starred']])),
  ),
]
