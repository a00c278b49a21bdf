// Which item it was: the index in the call's input, whatever the chunks, in contexts, errors and their messages.
import { EncodingError, Pool, RemoteTraceback, ThreadPool, WorkerLostError } from '@poolmq/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { context } from '../fixtures/dist/context-tasks.js'

type Item = 'throw' | 'value' | 'exit' | 'late' | 'fine'
const at = (index: number, item: Item, length = 13) =>
  Array.from({ length }, (_, i): Item => (i === index ? item : 'fine'))
const failure = (promise: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(promise).then(
    () => expect.unreachable(),
    (error: unknown) => error,
  )
async function all<T>(results: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = []
  for await (const value of results) values.push(value)
  return values
}
const range = (length: number) => Array.from({ length }, (_, i) => i)

describe.each([
  ['Pool', () => new Pool(2)],
  ['ThreadPool', () => new ThreadPool(2)],
])('%s', (_name, make) => {
  let pool: Pool
  beforeAll(() => {
    pool = make()
  })
  afterAll(() => pool.terminate())

  /** The errors of an iteration, by the index of the result in whose place they came. */
  async function errors(results: AsyncIterator<unknown>): Promise<[number, unknown][]> {
    const found: [number, unknown][] = []
    for (let i = 0; ; i++) {
      try {
        if ((await results.next()).done === true) return found
      } catch (error) {
        found.push([i, error])
      }
    }
  }

  test('currentTask().index, in every kind of call', async () => {
    expect(await pool.map(context.index, range(13), 5)).toEqual(range(13))
    expect(
      await pool.starmap(
        context.index,
        range(13).map((i) => [i]),
        4,
      ),
    ).toEqual(range(13))
    for (const options of [1, 3, 'auto' as const]) {
      expect(await all(pool.imap(context.index, range(13), options))).toEqual(range(13))
    }
    const unordered = await all(
      pool.istarmapUnordered(
        context.index,
        range(13).map((i) => [i]),
        3,
      ),
    )
    expect(unordered.sort((a, b) => Number(a) - Number(b))).toEqual(range(13))
    expect(await pool.apply(context.index, [5])).toBe(0)
  })

  test('beside items that were never sent', async () => {
    const items = range(12).map((i) => (i === 2 || i === 3 || i === 7 ? () => i : i))
    const results = pool.imap(context.index, items, 6)
    const seen: unknown[] = []
    for (let i = 0; i < items.length; i++)
      seen.push(
        await results.next().then(
          (result) => result.value,
          (error: unknown) => error,
        ),
      )
    expect(seen.filter((value) => typeof value === 'number')).toEqual([0, 1, 4, 5, 6, 8, 9, 10, 11])
    const refused = seen.filter((value) => value instanceof EncodingError)
    expect(refused.map(({ index, place }) => [index, place])).toEqual([
      [2, 'items[2]'],
      [3, 'items[3]'],
      [7, 'items[7]'],
    ])
  })

  test.each([
    ['map', () => failure(pool.map(context.bad, at(8, 'value'), 3))],
    [
      'starmap',
      () =>
        failure(
          pool.starmap(
            context.bad,
            at(8, 'value').map((item): [Item] => [item]),
            3,
          ),
        ),
    ],
    ['imap', async () => (await errors(pool.imap(context.bad, at(8, 'value'), 3)))[0]?.[1]],
  ])('a result that cannot be encoded, of a %s', async (_method, run) => {
    const error = await run()
    expect(error).toBeInstanceOf(EncodingError)
    expect(error).toMatchObject({
      index: 8,
      place: 'results[8].f',
      message: expect.stringMatching(/^results\[8\]\.f /),
    })
  })

  test('an item that cannot be encoded', async () => {
    const items = range(13).map((i) => (i === 8 ? { f: () => 0 } : i))
    const error = await failure(pool.map(context.index, items, 3))
    expect(error).toMatchObject({ index: 8, place: 'items[8].f' })
  })

  test('an item of a starmap that is no list of arguments', async () => {
    const items = range(13).map((i) => (i === 8 ? 8 : [i])) as [number][]
    await expect(pool.starmap(context.index, items, 3)).rejects.toThrow('item 8 of a starmap must be an array')
  })

  test('what a task throws: the traceback knows', async () => {
    const error = await failure(pool.map(context.bad, at(8, 'throw'), 3))
    expect(RemoteTraceback.of(error)?.index).toBe(8)
    const [[place, each] = []] = await errors(pool.imap(context.bad, at(8, 'throw'), 5))
    expect([place, RemoteTraceback.of(each)?.index]).toEqual([8, 8])
    const applied = await failure(pool.apply(context.bad, ['throw']))
    expect(RemoteTraceback.of(applied)).toBeInstanceOf(RemoteTraceback)
    expect(RemoteTraceback.of(applied)?.index).toBeUndefined()
  })

  test('an item whose time is over', async () => {
    const error = await failure(pool.map(context.bad, at(8, 'late'), { chunkSize: 3, timeout: 100 }))
    expect(error).toMatchObject({
      name: 'TaskTimeoutError',
      index: 8,
      message: expect.stringContaining('(item 8 of its call)'),
    })
  })

  test('an item that ends its worker each time', async () => {
    const error = await failure(pool.map(context.bad, at(8, 'exit'), 3))
    expect(error).toBeInstanceOf(WorkerLostError)
    expect(error).toMatchObject({
      index: 8,
      starts: 3,
      message: expect.stringContaining('item 8 of its call was started 3 times'),
    })
  })
})
