/** imap and imapUnordered: failing items, failing inputs. */
import { RemoteTraceback } from '@poolmq/client'
import { type Case, differs, same } from '../case.js'
import { deviation } from '../deviation.js'
import { caught, drain, list, outcome, step, steps, tally } from '../outcome.js'
import { failingSource, range, SourceFailure } from '../source.js'

const items = (failing: readonly number[], count = 10) => range(count).map((n) => [n, failing.includes(n)] as const)

const itemError = (n: number) => ({ error: { type: 'TaskFailure', message: `item ${n}` } })
const value = (n: number) => ({ value: n })

export const imapErrors: readonly Case[] = [
  same('imap-errors/goes-on', 'items 3 and 7 of ten fail', async ({ pool, tasks }) => ({
    value: await drain(pool.imap(tasks.checked, items([3, 7]))),
  })),
  same('imap-errors/goes-on-unordered', 'items 3 and 7 of ten fail, any order', async ({ pool, tasks }) =>
    tally(await drain(pool.imapUnordered(tasks.checked, items([3, 7])))),
  ),
  same('imap-errors/first', 'the first item fails', async ({ pool, tasks }) => ({
    value: await steps(pool.imap(tasks.checked, items([0], 2)), 4),
  })),
  same('imap-errors/last', 'the last item fails', async ({ pool, tasks }) => ({
    value: await steps(pool.imap(tasks.checked, items([1], 2)), 4),
  })),
  same('imap-errors/all', 'all items fail', async ({ pool, tasks }) =>
    tally(await drain(pool.imap(tasks.checked, items(range(5), 5)))),
  ),
  differs(
    'imap-errors/chunked',
    deviation.perItem,
    'item 3 fails, chunks of two',
    async ({ pool, tasks }) => ({ value: await drain(pool.imap(tasks.checked, items([3]), 2)) }),
    { value: range(10).map((n) => (n === 3 ? itemError(3) : value(n))) },
  ),
  differs(
    'imap-errors/chunked-unordered',
    deviation.perItem,
    'item 3 fails, one chunk of ten, any order',
    async ({ pool, tasks }) => tally(await drain(pool.imapUnordered(tasks.checked, items([3]), 10))),
    { errors: ['item 3'], values: range(10).filter((n) => n !== 3) },
  ),
  differs(
    'imap-errors/chunked-twice',
    deviation.perItem,
    'two items of one chunk fail',
    async ({ pool, tasks }) => ({ value: await drain(pool.imap(tasks.checked, items([1, 2], 6), 3)) }),
    { value: [value(0), itemError(1), itemError(2), value(3), value(4), value(5)] },
  ),
  same('imap-errors/next-timeout', 'next(timeout) at a failing item', async ({ pool, tasks }) => {
    const iterator = pool.imap(tasks.checked, items([0], 2))
    return { value: [await step(iterator, 60_000), await step(iterator, 60_000), await step(iterator, 60_000)] }
  }),

  same('imap-errors/source-first', 'an input that throws before its first item', async ({ pool, tasks }) => ({
    value: [
      await steps(pool.imap(tasks.sqr, failingSource(1, -1)), 2),
      await steps(pool.imap(tasks.sqr, failingSource(1, -1)), 2),
    ],
  })),
  same('imap-errors/source-midway', 'an input that throws after three items', async ({ pool, tasks }) => ({
    value: await steps(pool.imap(tasks.sqr, failingSource(10, 3)), 5),
  })),
  same('imap-errors/source-chunk-2', 'an input that throws between two chunks', async ({ pool, tasks }) => ({
    value: await steps(pool.imap(tasks.sqr, failingSource(20, 6), 2), 8),
  })),
  differs(
    'imap-errors/source-within-chunk',
    deviation.perItem,
    'an input that throws within a chunk',
    async ({ pool, tasks }) => ({ value: await steps(pool.imap(tasks.sqr, failingSource(20, 7), 4), 9) }),
    {
      value: [
        ...range(7).map((n) => value(n * n)),
        { error: { type: 'SourceFailure', message: 'source' } },
        { done: true },
      ],
    },
  ),
  same('imap-errors/source-first-unordered', 'an input that throws first, any order', async ({ pool, tasks }) => ({
    value: [
      await steps(pool.imapUnordered(tasks.sqr, failingSource(1, -1)), 2),
      await steps(pool.imapUnordered(tasks.sqr, failingSource(1, -1)), 2),
    ],
  })),
  same('imap-errors/source-midway-unordered', 'an input that throws after three, any order', async ({ pool, tasks }) =>
    tally(await drain(pool.imapUnordered(tasks.sqr, failingSource(10, 3)))),
  ),
  same('imap-errors/source-chunk-2-unordered', 'an input that throws, chunks of two', async ({ pool, tasks }) => {
    const { errors, values } = tally(await drain(pool.imapUnordered(tasks.sqr, failingSource(20, 7), 2)))
    return { errors, valid: values.every((found) => range(7).some((n) => n * n === found)) }
  }),
  same('imap-errors/source-not-remote', 'the error of an input', async ({ pool, tasks }) => {
    const error = await caught(() => pool.imap(tasks.sqr, failingSource(1, -1)).next())
    const remote = RemoteTraceback.of(error) !== undefined || !(error instanceof SourceFailure)
    return { message: error.message, remote }
  }),
  same('imap-errors/not-iterable', 'a number for the items', async ({ pool, tasks }) => ({
    first: await outcome(() => pool.imap(tasks.sqr, 5 as never).next()),
    then: await outcome(() => list(pool.imap(tasks.sqr, [5]))),
  })),
  same('imap-errors/pool-goes-on', 'twenty iterators that fail', async ({ pool, tasks }) => {
    for (const _ of range(10)) {
      await drain(pool.imap(tasks.checked, items([2], 4)))
      await drain(pool.imapUnordered(tasks.sqr, failingSource(5, 2)))
    }
    return outcome(() => pool.map(tasks.sqr, range(5)))
  }),
]
