// A Redis of 48 MB, and more work than that: what a client has in Redis is bounded, the rest waits with it.
import { EncodingError, Pool } from '@poolmq/client'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { RedisServer } from '../chaos/redis-server.js'
import { large, pattern } from '../fixtures/dist/large-tasks.js'
import { Scratch } from '../support/latch.js'
import { until } from '../support/until.js'

const redisProgram = inject('redisProgram')
const megabyte = 1_000_000
const bytes = pattern(megabyte, 3)

describe.skipIf(redisProgram === '')('a Redis of 48 MB', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start(redisProgram, ['--maxmemory', '48mb', '--maxmemory-policy', 'noeviction'])
  })
  afterAll(async () => {
    await redis?.[Symbol.asyncDispose]()
  })

  const newPool = (options: { processes?: number; maxBytes?: number } = {}) =>
    new Pool({ processes: 2, connection: redis.url, ...options })
  const memory = async (figure: string) =>
    Number(new RegExp(`^${figure}:(\\d+)`, 'm').exec(String(await redis.ask('INFO', 'memory')))?.[1])
  const isChunk = (key: string) => /:chunks:[^:]+\.\d+\.\d+$/.test(key)
  const chunks = async () => (await redis.keys()).filter(isChunk)

  test('takes a map of 100 MB that nobody works at, and a small call beside it', async () => {
    using scratch = new Scratch()
    const go = scratch.latch('go')
    await using pool = newPool()
    const heard: number[] = []
    const lengths = pool.starmapAsync(large.lengthOnceOpen, Array(100).fill([bytes, go.path]), {
      chunkSize: 1,
      onProgress: ({ done, total }) => heard.push(done, total ?? -1),
    })
    // An eighth of the memory, and of that an eighth is for small calls.
    await until('as many as may wait', chunks, (keys) => keys.length === 5)
    const one = pool.applyAsync(large.lengthOf, ['abc'])
    await until('the small one waits in Redis', chunks, (keys) => keys.some((key) => key.endsWith('.1.0')))
    expect((await pool.calls()).map(({ pending, total }) => [pending, total])).toEqual([
      [100, 100],
      [1, 1],
    ])
    expect((await chunks()).length).toBe(6)
    expect(await memory('used_memory_peak')).toBeLessThan(48 * 2 ** 20)
    go.open()
    expect(await one).toBe(3)
    expect(await lengths).toEqual(Array(100).fill(megabyte))
    expect([...new Set(heard.filter((_, i) => i % 2 === 1)), heard.at(-2)]).toEqual([100, 100])
  })

  test('takes a map of 200 MB, both ways', async () => {
    await using pool = newPool()
    const back = await pool.map(large.identity, Array(200).fill(bytes), 1)
    expect(back.length).toBe(200)
    expect(back.every((one) => bytes.equals(one as Buffer))).toBe(true)
    expect(await memory('used_memory_peak')).toBeLessThan(48 * 2 ** 20)
  })

  test('what is small is seen as it was in the call, also behind 100 MB; what is large as it is when it is sent', async () => {
    using scratch = new Scratch()
    const go = scratch.latch('go')
    await using pool = newPool()
    const [early, late, small] = [[1], [1], [1]]
    const items = Array.from({ length: 100 }, (_, i) => [i === 0 ? early : i === 99 ? late : bytes, go.path] as const)
    const lengths = pool.starmapAsync(large.lengthOnceOpen, items, 1)
    const one = pool.applyAsync(large.lengthOf, [small])
    for (const list of [early, late, small]) list.push(2)
    items.length = 0
    go.open()
    expect(await one).toBe(1)
    const [first, ...others] = await lengths
    expect([first, others.at(0), others.at(-1), others.length]).toEqual([1, megabyte, 2, 99])
  })

  test('an item that cannot be encoded late fails its call as one does early', async () => {
    await using pool = newPool()
    const items: Buffer[] = Array(60).fill(bytes)
    items[55] = (() => 1) as never
    const failed = await pool.map(large.lengthOf, items, 1).catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(EncodingError)
    expect(failed).toMatchObject({ index: 55, message: expect.stringContaining('items[55]') })
    const all = Array(2000).fill([() => bytes, 'x'.repeat(100_000)]) as never[]
    await expect(pool.map(large.lengthOf, all, 1)).rejects.toThrow(EncodingError)
    expect(await pool.apply(large.lengthOf, ['abc'])).toBe(3)
  })

  test('a call that is cancelled leaves its room to others', async () => {
    using scratch = new Scratch()
    await using pool = newPool()
    const abort = new AbortController()
    const items = Array(100).fill([bytes, scratch.latch('never').path])
    const held = pool.starmapAsync(large.lengthOnceOpen, items, { chunkSize: 1, signal: abort.signal })
    await until('as many as may wait', chunks, (keys) => keys.length === 5)
    const next = pool.mapAsync(large.lengthOf, Array(10).fill(bytes), 1)
    abort.abort()
    await expect(held.get()).rejects.toThrow('cancelled')
    expect(await next).toEqual(Array(10).fill(megabyte))
  })

  test('close and join wait for what waits with the client; terminate does not', async () => {
    await using pool = newPool()
    const lengths = pool.mapAsync(large.lengthOf, Array(50).fill(bytes), 1)
    pool.close()
    await pool.join()
    expect(await lengths).toEqual(Array(50).fill(megabyte))

    const other = newPool()
    const ended = other.mapAsync(large.lengthOf, Array(100).fill(bytes), 1)
    const results = other.imap(large.lengthOf, Array(100).fill(bytes), { chunkSize: 1, bufferSize: 50 })
    expect(await results.next()).toEqual({ done: false, value: megabyte })
    await other.terminate()
    await expect(ended.get()).rejects.toThrow('terminated')
    expect((await redis.keys()).filter((key) => key.includes('private'))).toEqual([])
  })

  test('one value above the whole bound, among others', async () => {
    await using pool = newPool({ maxBytes: 2 ** 20 })
    const map = pool.mapAsync(large.lengthOf, Array(10).fill(bytes), 1)
    const one = pool.applyAsync(large.lengthOf, [pattern(5 * megabyte, 1)])
    const some = pool.imap(large.lengthOf, Array(10).fill(bytes), 1)
    expect(await one).toBe(5 * megabyte)
    expect(await map).toEqual(Array(10).fill(megabyte))
    const taken: number[] = []
    for await (const length of some) taken.push(length)
    expect(taken).toEqual(Array(10).fill(megabyte))
  })
})
