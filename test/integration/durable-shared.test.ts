// What a durable call holds beside its items: shared values and large arguments of its initializer. They are there as long as it runs, also when all
// who shared them are gone, and are let go of at its end.
import { Pool } from '@poolmq/client'
import { durableId } from '@poolmq/shared'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { RedisServer } from '../chaos/redis-server.js'
import { WorkerHost } from '../chaos/worker-host.js'
import { pattern } from '../fixtures/dist/large-tasks.js'
import { shared } from '../fixtures/dist/shared-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

const redisProgram = inject('redisProgram')
const bytes = pattern(3_000_000, 7)
const [minute, hour] = [60_000, 3_600_000]

describe.skipIf(redisProgram === '')('a durable call and what it shares', () => {
  let redis: RedisServer
  let name: string
  let key: string
  beforeAll(async () => {
    redis = await RedisServer.start(redisProgram)
  })
  afterAll(() => redis?.[Symbol.asyncDispose]())
  beforeEach(() => {
    ;[name, key] = [uniqueName('durable'), uniqueName('key')]
  })

  const open = (more = {}) => new Pool({ name, connection: redis.url, ...more })
  const start = () => WorkerHost.start({ pool: name, redis: redis.url, tasks: 'shared-tasks' })
  const leaveBehind = async (begin: (pool: Pool) => unknown, more = {}) => {
    const pool = open(more)
    await begin(pool)
    pool.close()
    await pool.join()
  }
  const record = (of = key) => `poolmq:{${name}}:durable:${durableId(of)}`
  /** The keys of values, and of who holds them, with the milliseconds that they live. */
  const held = async () =>
    Object.entries(await redis.lives()).filter(([one]) => one.startsWith(`poolmq:{${name}}:shared:`))
  const lives = async () => (await held()).map(([, life]) => life)
  const lose = async () => await redis.ask('DEL', ...(await held()).map(([one]) => one))
  /** Nobody has looked for long who has the items. */
  const forsaken = (of = key) => redis.ask('HSET', record(of), 'tended', 0)
  const initialized = (value: unknown) => ({ initializer: shared.keep, initArgs: [value] })

  test('the value outlives its producer, as long as the call runs, and is let go of at its end', async () => {
    await leaveBehind(async (pool) => {
      const model = await pool.share(bytes)
      void pool.starmapAsync(shared.byteAt, Array(6).fill([model, 5]), { durable: key, chunkSize: 2 })
    })
    const [value, sharers] = await lives()
    expect(Math.min(value ?? 0, sharers ?? 0)).toBeGreaterThan(hour)
    // Hosts renew it with the rest of the call.
    for (const [one] of await held()) await redis.ask('PEXPIRE', one, minute)
    await redis.ask('HSET', record(), 'renewed', 0)
    await using _host = await start()
    await until('it is renewed, or over', lives, ([life = 0]) => life > hour || life < 56_000)
    await using pool = open()
    const results = await pool.attach<{ byte: number }[]>(key)
    expect(results.map(({ byte }) => byte)).toEqual(Array(6).fill(bytes[5]))
    await until('it is let go of', lives, (all) => all.every((life) => life < minute))
    // And sent again by whoever runs it again.
    await lose()
    const model = await pool.share(bytes)
    const items = Array(6).fill([model, 5])
    const again = await pool.starmapAsync(shared.byteAt, items, { durable: key, ifDone: 'rerun' })
    expect(again.map(({ byte }) => byte)).toEqual(Array(6).fill(bytes[5]))
  })

  test('of two calls that hold it, one is forgotten', async () => {
    await leaveBehind(async (pool) => {
      const model = await pool.share(bytes)
      for (const one of [key, `${key}-2`]) void pool.mapAsync(shared.lengthOf, [model], { durable: one })
    })
    await using pool = open()
    expect(await pool.attach(key).forget()).toBe(true)
    expect(Math.min(...(await lives()))).toBeGreaterThan(hour)
    await using _host = await start()
    expect(await pool.attach(`${key}-2`)).toEqual([3_000_000])
    await until('both have let go', lives, (all) => all.every((life) => life < minute))
  })

  test('initArgs of any size', async () => {
    await leaveBehind(
      async (pool) => void pool.mapAsync(shared.keptLength as never, [1, 2, 3], { durable: key, chunkSize: 1 }),
      initialized('x'.repeat(700_000)),
    )
    expect(Math.min(...(await lives()))).toBeGreaterThan(hour)
    await using _host = await start()
    await using pool = open()
    const kept = await pool.attach<{ length: number }[]>(key)
    expect(kept.map(({ length }) => length)).toEqual([700_000, 700_000, 700_000])
  })

  test('a value that Redis has lost is told of, and sent again by whoever passes the items', async () => {
    await leaveBehind(async (pool) => {
      void pool.mapAsync(shared.lengthOf, [await pool.share(bytes), 'abc'], { durable: key, chunkSize: 1 })
    })
    expect(await lose()).toBe(2)
    await forsaken()
    await using _host = await start()
    await using pool = open()
    await expect(pool.attach(key).get()).rejects.toMatchObject({ code: 'ERR_POOL_DURABLE_LOST', items: [[0, 1]] })
    const model = await pool.share(bytes)
    expect(await pool.mapAsync(shared.lengthOf, [model, 'abc'], { durable: key })).toEqual([3_000_000, 3])
    await expect(pool.mapAsync(shared.lengthOf, [bytes, 'abc'], { durable: key }).get()).rejects.toMatchObject({
      code: 'ERR_POOL_DURABLE_CONFLICT',
      index: 0,
    })
  })

  test('what Redis has lost of an initializer’s arguments is told of, and sent again by a pool that has them', async () => {
    const args = initialized('x'.repeat(700_000))
    const begin = (pool: Pool) => pool.mapAsync(shared.keptLength as never, [1], { durable: key })
    await leaveBehind(async (pool) => void begin(pool), args)
    await lose()
    await forsaken()
    await using _host = await start()
    await using bare = open()
    await expect(bare.attach(key).get()).rejects.toMatchObject({ code: 'ERR_POOL_DURABLE_LOST', items: [[0, 1]] })
    await using other = open(initialized('another'))
    await expect(begin(other).get()).rejects.toThrow('the initArgs of this pool are others')
    await using pool = open(args)
    expect(await begin(pool)).toMatchObject([{ length: 700_000 }])
  })
})
