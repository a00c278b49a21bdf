/** imap and imapUnordered: order, exhaustion, next(timeout), how far the input is read. */
import { type Case, differs, ofType, same } from '../case.js'
import { deviation } from '../deviation.js'
import { eventually } from '../latch.js'
import { list, numeric, outcome, step, steps } from '../outcome.js'
import { range } from '../source.js'

function* tapped(taken: number[], items: Iterable<number>): Generator<number> {
  for (const item of items) {
    taken.push(item)
    yield item
  }
}

const sized = (length: number, items: readonly number[]) => ({ length, [Symbol.iterator]: () => items.values() })

function* naturals(): Generator<number> {
  for (let n = 0; ; n++) yield n
}

const methods = [
  ['ordered', 'imap'],
  ['unordered', 'imapUnordered'],
] as const

const ends = methods.flatMap(([name, method]) =>
  [1, 3].flatMap((chunkSize) => [
    same(`imap/empty-${name}-chunk-${chunkSize}`, `${method}, no items`, async ({ pool, tasks }) => ({
      value: await steps(pool[method](tasks.sqr, [], chunkSize), 2),
    })),
    same(`imap/exhausted-${name}-chunk-${chunkSize}`, `${method}, next after the end`, async ({ pool, tasks }) => ({
      value: await steps(pool[method](tasks.identity, ['x'], chunkSize), 4),
    })),
  ]),
)

export const imap: readonly Case[] = [
  ...ends,
  same('imap/ten', 'ten numbers', async ({ pool, tasks }) => ({ value: await list(pool.imap(tasks.sqr, range(10))) })),
  same('imap/one-by-one', 'next by next', async ({ pool, tasks }) => ({
    value: await steps(pool.imap(tasks.sqr, range(4)), 5),
  })),
  same('imap/chunk-size', 'a thousand items, chunks of a hundred', async ({ pool, tasks }) => {
    const values = await list(pool.imap(tasks.sqr, range(1000), 100))
    const ordered = values.every((value, n) => n === 0 || (values[n - 1] ?? 0) <= value)
    return { ordered, last: values.at(-1), length: values.length }
  }),
  same('imap/chunk-size-uneven', 'ten items, chunks of four', async ({ pool, tasks }) => ({
    value: await list(pool.imap(tasks.sqr, range(10), 4)),
  })),
  same('imap/unordered', 'ten numbers, any order', async ({ pool, tasks }) => ({
    value: (await list(pool.imapUnordered(tasks.sqr, range(10)))).sort(numeric),
  })),
  same('imap/unordered-chunk-size', 'a thousand items, chunks of a hundred, any order', async ({ pool, tasks }) => {
    const values = (await list(pool.imapUnordered(tasks.sqr, range(1000), 100))).sort(numeric)
    return { last: values.at(-1), length: values.length, sum: values.reduce((sum, value) => sum + value, 0) }
  }),
  same('imap/is-its-iterator', 'the iterator of the iterator', async ({ pool, tasks }) => {
    const iterator = pool.imap(tasks.sqr, [1])
    return { same: Object.is(iterator[Symbol.asyncIterator](), iterator), value: await list(iterator) }
  }),
  same('imap/text', 'a text', async ({ pool, tasks }) => ({ value: await list(pool.imap(tasks.identity, 'abc')) })),
  same('imap/no-results', 'a task that returns nothing', async ({ pool, tasks }) =>
    outcome(() => list(pool.imap(tasks.nothing as never, range(3)))),
  ),
  same('imap/ordered-waits-for-first', 'a first item that ends last', async (context) => {
    const { pool, tasks, directory } = context
    const go = context.latch()
    const items = [[go.path, 'first'] as const, [directory, 'second'] as const, [directory, 'third'] as const]
    const iterator = pool.imap(tasks.awaitLatch, items)
    const early = await step(iterator, 200)
    go.open()
    return { early, late: await list(iterator) }
  }),
  same('imap/unordered-by-completion', 'a first item that ends last, any order', async (context) => {
    const { pool, tasks, directory } = context
    const go = context.latch()
    const iterator = pool.imapUnordered(tasks.awaitLatch, [[go.path, 'held'] as const, [directory, 'quick'] as const])
    const first = (await iterator.next()).value
    go.open()
    return { first, rest: await list(iterator) }
  }),
  same('imap/next-timeout', 'three nexts that run out of time', async (context) => {
    const go = context.latch()
    const iterator = context.pool.imap(
      context.tasks.awaitLatch,
      range(3).map((n) => [go.path, n] as const),
    )
    const early = [await step(iterator, 50), await step(iterator, 50), await step(iterator, 50)]
    go.open()
    return { early, late: await list(iterator) }
  }),
  same('imap/next-timeout-unordered', 'a next that runs out of time, any order', async (context) => {
    const go = context.latch()
    const iterator = context.pool.imapUnordered(
      context.tasks.awaitLatch,
      range(3).map((n) => [go.path, n] as const),
    )
    const early = await step(iterator, 50)
    go.open()
    return { early, late: ((await list(iterator)) as number[]).sort(numeric) }
  }),
  same('imap/next-timeout-in-time', 'a next that has its value in time', async ({ pool, tasks }) => {
    const iterator = pool.imap(tasks.sqr, [5])
    return { after: await step(iterator, 60_000), end: await step(iterator, 60_000) }
  }),
  differs(
    'imap/next-timeout-chunked',
    deviation.nextTimeout,
    'a next that runs out of time, chunks of two',
    async (context) => {
      const go = context.latch()
      const iterator = context.pool.imap(
        context.tasks.awaitLatch,
        range(4).map((n) => [go.path, n] as const),
        2,
      )
      const early = await step(iterator, 50)
      go.open()
      return { early, late: await list(iterator) }
    },
    { early: ofType('TimeoutError'), late: [0, 1, 2, 3] },
  ),
  differs(
    'imap/default-bound',
    deviation.bounded,
    'how far the input is read while one result is taken',
    async (context) => {
      const [pool, taken] = [context.makePool(2), [] as number[]]
      const iterator = pool.imap(context.tasks.sqr, tapped(taken, range(1000)))
      await iterator.next()
      // What is bounded stays bounded: work that goes on meanwhile would have read the input to its end.
      await pool.map(context.tasks.sqr, range(200), 1)
      return { all: taken.length === 1000 }
    },
    { all: false },
  ),
  same('imap/unbounded', 'bufferSize Infinity, and no result taken', async (context) => {
    const [pool, taken] = [context.makePool(2), [] as number[]]
    const options = { bufferSize: Number.POSITIVE_INFINITY }
    const iterator = pool.imap(context.tasks.sqr, tapped(taken, range(1000)), options)
    const all = await eventually(() => taken.length === 1000, 60_000)
    return { all, length: (await list(iterator)).length }
  }),
  same('imap/declared-length-wrong', 'inputs of three and of four items that declare ten and two', async (context) => {
    const { pool, tasks } = context
    return {
      long: await list(pool.imap(tasks.sqr, sized(10, range(3)))),
      short: await list(pool.imap(tasks.sqr, sized(2, range(4)))),
    }
  }),
  same('imap/infinite-input', 'an input without end', async (context) => {
    const iterator = context.makePool(2).imap(context.tasks.sqr, naturals())
    const value: unknown[] = []
    while (value.length < 5) value.push((await iterator.next()).value)
    return { value }
  }),
  same('imap/abandoned', 'an iterator that is left', async ({ pool, tasks }) => {
    let first: number | undefined
    for await (const value of pool.imap(tasks.sqr, range(50))) {
      first = value
      break
    }
    return { first, then: await outcome(() => pool.map(tasks.sqr, range(3))) }
  }),
  same('imap/two-at-once', 'two iterators in turn', async ({ pool, tasks }) => {
    const [first, second] = [pool.imap(tasks.sqr, range(5)), pool.imap(tasks.sqr, range(5, 5))]
    const value: unknown[] = []
    while (value.length < 5) value.push([(await first.next()).value, (await second.next()).value])
    return { value }
  }),
  same('imap/keeps-its-pool', 'an iterator whose pool nobody holds', async (context) => ({
    value: await list(context.makePool(2).imap(context.tasks.sqr, range(5))),
  })),
  same('imap/drained-after-join', 'close and join before the first next', async (context) => {
    const pool = context.makePool(2)
    const ordered = pool.imap(context.tasks.sqr, range(20), 3)
    const unordered = pool.imapUnordered(context.tasks.sqr, range(20))
    pool.close()
    await pool.join()
    return { ordered: await list(ordered), unordered: (await list(unordered)).sort(numeric) }
  }),
]
