// Durable calls: they go on when their producer ends, are found again by their key, and are never run twice.
import { CancelledError, DurableConflictError, NoDurableCallError, Pool, taskRefs } from '@poolmq/client'
import { durableId } from '@poolmq/shared'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { RedisServer } from '../chaos/redis-server.js'
import { WorkerHost } from '../chaos/worker-host.js'
import { durables } from '../fixtures/dist/durable-tasks.js'
import { type Latch, type Log, Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

const redisProgram = inject('redisProgram')

describe.skipIf(redisProgram === '')('durable calls', () => {
  let redis: RedisServer
  let host: WorkerHost
  let scratch: Scratch
  let log: Log
  let go: Latch
  let bad: Latch
  let pool: Pool
  const name = uniqueName('durable')
  beforeAll(async () => {
    redis = await RedisServer.start(redisProgram)
    host = await WorkerHost.start({ pool: name, redis: redis.url, tasks: 'durable-tasks' })
  })
  afterAll(async () => {
    await host?.[Symbol.asyncDispose]()
    await redis?.[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    scratch = new Scratch()
    ;[log, go, bad] = [scratch.log('log'), scratch.latch('go'), scratch.latch('bad')]
    pool = open()
  })
  afterEach(async () => {
    go.open()
    await pool.terminate()
    scratch[Symbol.dispose]()
  })

  const open = () => new Pool({ name, connection: redis.url })
  const noted = (count: number, more: { go?: string; bad?: string } = {}) =>
    Array.from({ length: count }, (_, value) => ({ log: log.path, value, ...more }))
  const doubles = (count: number) => Array.from({ length: count }, (_, i) => i * 2)
  const keysOf = async (key: string) => (await redis.keys()).filter((one) => one.includes(durableId(key)))

  test('results are kept, and given to whoever passes the same items again', async () => {
    const key = uniqueName('kept')
    expect(await pool.mapAsync(durables.double, noted(20), { durable: key, chunkSize: 3 })).toEqual(doubles(20))
    await using other = open()
    expect(await other.mapAsync(durables.double, noted(20), { durable: key })).toEqual(doubles(20))
    expect(await other.attach<number[]>(key)).toEqual(doubles(20))
    expect(log.lines).toHaveLength(20)
    expect(await other.attach(key).info()).toMatchObject({ key, task: 'durables.double', state: 'done', items: 20 })
  })

  test('starmapAsync, applyAsync, an empty input', async () => {
    const of = uniqueName('forms')
    const sums = pool.starmapAsync(
      durables.add,
      [
        [1, 2],
        [3, 4],
      ],
      { durable: `${of}-s` },
    )
    expect(await sums).toEqual([3, 7])
    expect(await pool.applyAsync(durables.add, [4, 5], undefined, { durable: `${of}-a` })).toBe(9)
    expect(await pool.attach<number>(`${of}-a`)).toBe(9)
    expect(await pool.mapAsync(durables.double, [], { durable: `${of}-e` })).toEqual([])
    expect(await pool.attach(`${of}-e`)).toEqual([])
  })

  test('what cannot be durable is refused, and says why', async () => {
    const key = uniqueName('refused')
    const items = noted(2)
    await using own = new Pool({ processes: 1, connection: redis.url })
    expect(() => own.mapAsync(durables.double, items, { durable: key })).toThrow('needs a pool with a name')
    expect(() => own.attach(key)).toThrow('needs a pool with a name')
    expect(() => Reflect.apply(pool.attach, pool, [key, { timeout: 1 }])).toThrow('attach takes a key and nothing else')
    const given = (options: object) => () => pool.mapAsync(durables.double, items, options)
    expect(given({ durable: '' })).toThrow('1 to 200 characters')
    expect(given({ durable: 5 })).toThrow(TypeError)
    expect(given({ durable: key, keep: 0 })).toThrow(RangeError)
    expect(given({ durable: key, keep: Number.POSITIVE_INFINITY })).toThrow(RangeError)
    expect(given({ durable: key, ifDone: 'again' })).toThrow("'return', 'rerun-failed' or 'rerun'")
    expect(given({ keep: 5 })).toThrow('give durable')
    await expect(pool.map(durables.double, items, { durable: key } as object)).rejects.toThrow('use mapAsync')
    expect(() => pool.imap(durables.double, items, { durable: key } as object)).toThrow('cannot be durable')
    expect(() => pool.attach(key).from(-1)).toThrow(RangeError)
    const odd = pool.mapAsync(durables.who, [1, (() => 5) as never], { durable: key })
    await expect(odd.get()).rejects.toMatchObject({ code: 'ERR_POOL_ENCODING', index: 1 })
    await expect(pool.attach(key).get()).rejects.toBeInstanceOf(NoDurableCallError)
  })

  test('callbacks and progress; a signal cancels; a pool that is joined or terminated leaves it', async () => {
    const key = uniqueName('told')
    const told: unknown[] = []
    const call = pool.mapAsync(durables.double, noted(4), {
      durable: key,
      chunkSize: 2,
      callback: (values) => told.push(values),
      onProgress: ({ done, total }) => told.push(`${done}/${total}`),
    })
    await call
    expect(told).toEqual(['2/4', '4/4', doubles(4)])
    const abort = new AbortController()
    const held = noted(3, { go: go.path })
    const stopped = pool.mapAsync(durables.double, held, { durable: `${key}-a`, signal: abort.signal })
    await stopped.info()
    abort.abort('enough')
    await expect(stopped.get()).rejects.toMatchObject({ code: 'ERR_POOL_CANCELLED', cause: 'enough' })
    await until(
      'it is cancelled',
      () => pool.attach(`${key}-a`).info(),
      ({ state }) => state === 'cancelled',
    )
    const leaving = open()
    const left = leaving.mapAsync(durables.double, held, { durable: `${key}-b` })
    leaving.close()
    await leaving.join()
    await expect(left.get()).rejects.toMatchObject({ code: 'ERR_POOL_STATE' })
    const ending = open()
    const ended = ending.attach(`${key}-b`)
    await ended.info()
    await ending.terminate()
    await expect(ended.get()).rejects.toMatchObject({ code: 'ERR_POOL_TERMINATED' })
    go.open()
    expect(await pool.attach(`${key}-b`)).toEqual(doubles(3))
    const waited = open()
    const last = waited.attach<number[]>(`${key}-b`).get()
    waited.close()
    await waited.join()
    expect(await last).toEqual(doubles(3))
  })

  test('a running call is joined, by its key or by its items', async () => {
    const key = uniqueName('joined')
    const first = pool.mapAsync(durables.double, noted(6, { go: go.path }), { durable: key, chunkSize: 1 })
    await until(
      'it runs',
      () => log.lines.length,
      (lines) => lines > 0,
    )
    await using other = open()
    const second = other.mapAsync(durables.double, noted(6, { go: go.path }), { durable: key })
    const third = other.attach<number[]>(key)
    expect((await third.info()).state).toBe('open')
    expect(third.progress).toMatchObject({ done: 0 })
    go.open()
    expect(await Promise.all([first, second, third])).toEqual([doubles(6), doubles(6), doubles(6)])
    expect(log.lines).toHaveLength(6)
    expect(third.progress).toEqual({ done: 6, total: 6 })
  })

  test('another task, form or item under the same key: refused, with the first item that differs', async () => {
    const key = uniqueName('conflict')
    const items = noted(10)
    await pool.mapAsync(durables.double, items, { durable: key, chunkSize: 4 })
    const refusal = (again: Promise<unknown>) => again.catch((error: unknown) => error)
    const changed = items.with(6, { log: log.path, value: 7 })
    const other = await refusal(pool.mapAsync(durables.double, changed, { durable: key }).get())
    expect(other).toBeInstanceOf(DurableConflictError)
    expect(other).toMatchObject({ code: 'ERR_POOL_DURABLE_CONFLICT', key, what: 'items', index: 6 })
    const fewer = pool.mapAsync(durables.double, items.slice(0, 9), { durable: key, chunkSize: 4 })
    expect(await refusal(fewer.get())).toMatchObject({ what: 'items', index: 9 })
    const size = pool.mapAsync(durables.double, items, { durable: key, chunkSize: 5 })
    expect(await refusal(size.get())).toMatchObject({ what: 'chunkSize' })
    const task = pool.mapAsync(durables.who, [1, 2], { durable: key })
    expect(await refusal(task.get())).toMatchObject({ what: 'task' })
    const newer = taskRefs<typeof durables>('durables', { version: '2' })
    const version = pool.mapAsync(newer.double, items, { durable: key })
    expect(await refusal(version.get())).toMatchObject({ what: 'version' })
    expect(log.lines).toHaveLength(10)
  })

  test('a failing item: its error, and the results of all others; only it runs again', async () => {
    const key = uniqueName('failing')
    bad.open()
    const items = noted(6).map((item) => (item.value % 3 === 1 ? { ...item, bad: bad.path } : item))
    const first = pool.mapAsync(durables.double, items, { durable: key, chunkSize: 3 })
    await expect(first.get()).rejects.toThrow('1 is bad')
    const seen: unknown[] = []
    const results = first.from(1)
    for (let i = 0; i < 5; i++)
      seen.push(
        await results.next().then(
          ({ value }) => value,
          (error: Error) => error.message,
        ),
      )
    expect(seen).toEqual(['1 is bad', 4, 6, '4 is bad', 10])
    expect(await results.next()).toEqual({ done: true, value: undefined })
    scratch.remove('bad')
    await using other = open()
    await expect(other.mapAsync(durables.double, items, { durable: key }).get()).rejects.toThrow('1 is bad')
    const again = other.mapAsync(durables.double, items, { durable: key, ifDone: 'rerun-failed' })
    expect(await again).toEqual(doubles(6))
    expect([...log.lines].sort()).toEqual(['0', '1', '1', '2', '3', '4', '4', '5'])
    expect(await pool.attach(key)).toEqual(doubles(6))
    expect(await other.mapAsync(durables.double, items, { durable: key, ifDone: 'rerun' })).toEqual(doubles(6))
    expect(log.lines).toHaveLength(14)
    expect(await pool.attach(key)).toEqual(doubles(6))
  })

  test('cancelled for everybody; what never ran is run again when it is asked for', async () => {
    const key = uniqueName('cancelled')
    const items = noted(8).map((item) => (item.value < 2 ? item : { ...item, go: go.path }))
    const first = pool.mapAsync(durables.double, items, { durable: key, chunkSize: 1 })
    expect(await first.from(1).next()).toEqual({ done: false, value: 2 })
    await using other = open()
    const second = other.attach(key)
    expect(await second.cancel()).toBe(true)
    await expect(first.get()).rejects.toBeInstanceOf(CancelledError)
    await expect(second.get()).rejects.toBeInstanceOf(CancelledError)
    expect(await second.cancel()).toBe(false)
    expect(await second.from(0).next()).toEqual({ done: false, value: 0 })
    await expect(second.from(7).next()).rejects.toBeInstanceOf(CancelledError)
    await expect(other.attach(key).get()).rejects.toBeInstanceOf(CancelledError)
    const ran = log.lines.length
    go.open()
    const again = other.mapAsync(durables.double, items, { durable: key, ifDone: 'rerun-failed' })
    expect(await again).toEqual(doubles(8))
    expect(log.lines.length - ran).toBe(6)
  })

  test('forgotten, nothing is left, and the key is free', async () => {
    const key = uniqueName('forgotten')
    const first = pool.mapAsync(durables.double, noted(4), { durable: key })
    await first
    expect(await pool.attach(key).forget()).toBe(true)
    expect(await keysOf(key)).toEqual([])
    await expect(pool.attach(key).get()).rejects.toBeInstanceOf(NoDurableCallError)
    expect(await pool.attach(key).forget()).toBe(false)
    expect(await pool.mapAsync(durables.double, noted(5), { durable: key, keep: 1000 })).toEqual(doubles(5))
    await until(
      'its time is over',
      () => keysOf(key),
      (keys) => keys.length === 0,
    )
  })
})
