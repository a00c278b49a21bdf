/** Chunk sizes: the default, explicit ones, invalid ones. */
import { type Case, differs, ofType, same } from '../case.js'
import type { AnyPool, Context } from '../context.js'
import { deviation } from '../deviation.js'
import { list, numeric, outcome, refused, thrown } from '../outcome.js'
import { range } from '../source.js'

/** The first item of each chunk: when every item fails, it is the only one of its chunk that runs. */
async function chunkStarts(context: Context, pool: AnyPool, items: number, chunkSize?: number) {
  const log = context.log()
  const input = range(items).map((n) => [log.path, n, true] as const)
  const failed = await outcome(() => pool.map(context.tasks.logged, input, chunkSize))
  return { failed: 'error' in failed, starts: log.numbers() }
}

const defaults = [1, 10, 16, 17, 100].map((items) =>
  same(`chunking/default-${items}-of-4`, `${items} items, four workers`, (context) =>
    chunkStarts(context, context.kind === 'Pool with lanes' ? context.atATime(4) : context.pool, items),
  ),
)
const ofOwnPools = [
  [100, 3],
  [1000, 2],
].map(([items = 0, workers = 0]) =>
  same(`chunking/default-${items}-of-${workers}`, `${items} items, ${workers} workers`, (context) =>
    chunkStarts(context, context.atATime(workers), items),
  ),
)

const invalidSizes = { zero: 0, negative: -3, text: '2', fraction: 1.5 }
const ofIterators = (['imap', 'imapUnordered'] as const).flatMap((method) =>
  Object.entries(invalidSizes).map(([kind, size]) =>
    same(
      `chunking/${method === 'imap' ? 'imap' : 'imap-unordered'}-${kind}`,
      `${method} with chunk size ${JSON.stringify(size)}`,
      async ({ pool, tasks }) => ({
        first: thrown(() => pool[method](tasks.sqr, [1, 2, 3], size as never)),
        then: { value: (await list(pool[method](tasks.sqr, [1, 2], 2))).sort(numeric) },
      }),
    ),
  ),
)

const { chunkSize } = deviation

export const chunking: readonly Case[] = [
  ...defaults,
  ...ofOwnPools,
  same('chunking/explicit', 'twelve items, chunks of five', (context) => chunkStarts(context, context.pool, 12, 5)),
  same('chunking/larger-than-input', 'a chunk size above the number of items', (context) =>
    chunkStarts(context, context.pool, 6, 1000),
  ),
  same('chunking/one', 'chunks of one', (context) => chunkStarts(context, context.pool, 6, 1)),
  same('chunking/one-worker-each', 'which worker runs an item', async ({ pool, tasks }) => {
    const workers = await pool.map(tasks.workerOf, range(40), 5)
    return { value: range(8).map((chunk) => new Set(workers.slice(chunk * 5, chunk * 5 + 5)).size) }
  }),
  same('chunking/empty-does-not-stall', 'no items and a chunk size', ({ pool, tasks }) =>
    outcome(() => pool.mapAsync(tasks.sqr, [], 1).get(60_000)),
  ),
  differs(
    'chunking/empty-and-invalid',
    chunkSize,
    'no items and an invalid chunk size',
    ({ pool, tasks }) => refused(() => pool.map(tasks.sqr, [], 'a' as never)),
    ofType('TypeError'),
  ),
  differs(
    'chunking/map-zero',
    chunkSize,
    'map with chunk size 0',
    async ({ pool, tasks }) => ({
      map: await refused(() => pool.map(tasks.sqr, [1, 2, 3], 0)),
      then: await outcome(() => pool.map(tasks.sqr, [4])),
    }),
    { map: ofType('RangeError'), then: { value: [16] } },
  ),
  differs(
    'chunking/map-negative',
    chunkSize,
    'map with a negative chunk size',
    ({ pool, tasks }) => refused(() => pool.map(tasks.sqr, [1, 2, 3], -1)),
    ofType('RangeError'),
  ),
  differs(
    'chunking/starmap-zero',
    chunkSize,
    'starmap with chunk size 0',
    ({ pool, tasks }) =>
      refused(() =>
        pool.starmap(
          tasks.mul,
          [
            [1, 2],
            [3, 4],
          ],
          0,
        ),
      ),
    ofType('RangeError'),
  ),
  differs(
    'chunking/zero-in-options',
    chunkSize,
    'chunk size 0 among the options, and of the methods that do not wait',
    async ({ pool, tasks }) => ({
      imap: thrown(() => pool.imap(tasks.sqr, [1, 2, 3], { chunkSize: 0 })),
      map: await refused(() => pool.map(tasks.sqr, [1, 2, 3], { chunkSize: 0 })),
      mapAsync: thrown(() => pool.mapAsync(tasks.sqr, [1, 2, 3], { chunkSize: 0 })),
      starmapAsync: thrown(() => pool.starmapAsync(tasks.mul, [[1, 2]], { chunkSize: 0 })),
      then: await outcome(() => pool.map(tasks.sqr, [4], { chunkSize: 1 })),
    }),
    {
      imap: ofType('RangeError'),
      map: ofType('RangeError'),
      mapAsync: ofType('RangeError'),
      starmapAsync: ofType('RangeError'),
      then: { value: [16] },
    },
  ),
  differs(
    'chunking/map-fraction',
    chunkSize,
    'map with chunk size 1.5',
    ({ pool, tasks }) => refused(() => pool.map(tasks.sqr, [1, 2, 3], 1.5)),
    ofType('RangeError'),
  ),
  same('chunking/map-text', 'map with a text for the chunk size', ({ pool, tasks }) =>
    refused(() => pool.map(tasks.sqr, [1, 2, 3], '2' as never)),
  ),
  differs(
    'chunking/map-text-then-join',
    chunkSize,
    'close and join after an invalid chunk size',
    async (context) => {
      const pool = context.makePool(2)
      const map = await refused(() => pool.map(context.tasks.sqr, [1, 2, 3], '2' as never))
      pool.close()
      return { join: await outcome(() => pool.join()), refused: map }
    },
    { join: { value: null }, refused: ofType('TypeError') },
  ),
  ...ofIterators,
]
