// What a durable call survives: the end of its producer and of its hosts, lists that have expired, and losses in Redis, which
// are named, and made good by whoever passes the items again.
import { CancelledError, DurableLostError, Monitor, NoDurableCallError, Pool, taskRefs } from '@poolmq/client'
import { durableId } from '@poolmq/shared'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { RedisServer } from '../chaos/redis-server.js'
import { WorkerHost } from '../chaos/worker-host.js'
import { durables } from '../fixtures/dist/durable-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun } from '../support/program-run.js'
import { until } from '../support/until.js'

const redisProgram = inject('redisProgram')
const doubles = (count: number) => Array.from({ length: count }, (_, i) => i * 2)

describe.skipIf(redisProgram === '')('a durable call', () => {
  let redis: RedisServer
  let scratch: Scratch
  let name: string
  let key: string
  beforeAll(async () => {
    redis = await RedisServer.start(redisProgram)
  })
  afterAll(() => redis?.[Symbol.asyncDispose]())
  beforeEach(() => {
    scratch = new Scratch()
    ;[name, key] = [uniqueName('durable'), uniqueName('key')]
  })
  afterEach(() => scratch[Symbol.dispose]())

  const open = (more = {}) => new Pool({ name, connection: redis.url, ...more })
  const start = () => WorkerHost.start({ pool: name, redis: redis.url, tasks: 'durable-tasks' })
  const noted = (count: number) =>
    Array.from({ length: count }, (_, value) => ({ log: scratch.log('log').path, value }))
  const its = async () => (await redis.keys()).filter((one) => one.includes(durableId(key)))
  const record = () => `poolmq:{${name}}:durable:${durableId(key)}`
  /** Nobody has looked for long who has the items. */
  const forsaken = () => redis.ask('HSET', record(), 'tended', 0)
  /** Begins it, and leaves. */
  const leaveBehind = async (begin: (pool: Pool) => unknown, more = {}) => {
    const pool = open(more)
    begin(pool)
    pool.close()
    await pool.join()
  }
  const chunkKeys = async () => (await its()).filter((one) => /:chunks:[^:]*$/.test(one)).sort()

  test('10,000 items: the producer is killed after a third, the hosts meanwhile; each item is run once, but for those in hand', async () => {
    const [items, free, chunkSize] = [10_000, 3400, 10]
    const [log, go] = [scratch.log('log'), scratch.latch('go')]
    const facts = JSON.stringify({ key, log: log.path, go: go.path, items, free, chunkSize, keep: 5000 })
    await using host = await start()
    await using second = await start()
    await using producer = new ProgramRun([fixture('durable-producer'), redis.url, name, facts])
    await producer.says('SENT')
    await until(
      'a third has run',
      () => log.lines.length,
      (lines) => lines >= free,
      90_000,
    )
    producer.kill('SIGKILL')
    expect(await producer.exit()).toBe('SIGKILL')
    for (const one of [host, second]) {
      one.kill()
      await one.exit()
      await one.restart()
    }
    await using pool = open()
    await using other = open()
    const first = pool.attach<number[]>(key)
    expect(await first.info()).toMatchObject({ state: 'open', items, chunkSize, pid: producer.pid })
    go.open()
    const attached = other.attach<number[]>(key)
    expect(await Promise.all([first, attached])).toEqual([doubles(items), doubles(items)])
    const seen: number[] = []
    for await (const value of attached.from(9990)) seen.push(value)
    expect(seen).toEqual(doubles(items).slice(9990))
    const times = new Map<string, number>()
    for (const line of log.lines) times.set(line, (times.get(line) ?? 0) + 1)
    expect(times.size).toBe(items)
    const again = [...times.values()].filter((count) => count > 1)
    expect(again.every((count) => count === 2)).toBe(true)
    // Two hosts with two worker processes, each with one chunk in hand.
    expect(again.length).toBeLessThanOrEqual(4 * chunkSize)
    await until('its time is over', its, (keys) => keys.length === 0)
    await expect(pool.attach(key).get()).rejects.toBeInstanceOf(NoDurableCallError)
  }, 240_000)

  test('nobody is there for so long that the queue forgets it: the next host finds it', async () => {
    await leaveBehind((pool) => pool.mapAsync(durables.double, noted(30), { durable: key, chunkSize: 1 }))
    const urgent = `${key}-2`
    await leaveBehind((pool) =>
      pool.mapAsync(durables.double, noted(5), { durable: urgent, chunkSize: 2, priority: 7 }),
    )
    const queue = (await redis.keys()).filter(
      (one) => one.startsWith(`poolmq:{${name}}:chunks:`) && !one.includes(':chunks:durable'),
    )
    expect(queue.length).toBeGreaterThan(0)
    await redis.ask('DEL', ...queue)
    await using _host = await start()
    await using pool = open()
    expect(await pool.attach(key)).toEqual(doubles(30))
    expect(await pool.attach(urgent)).toEqual(doubles(5))
    expect(scratch.log('log').lines).toHaveLength(35)
  })

  test('a producer that waits for nothing ends when all is in Redis', async () => {
    const facts = { key, log: scratch.log('log').path, items: 3000, free: 3000, chunkSize: 1, ends: true }
    await using producer = new ProgramRun([fixture('durable-producer'), redis.url, name, JSON.stringify(facts)])
    expect(await producer.exit(), producer.stderr).toBe(0)
    await using _host = await start()
    await using pool = open()
    expect(await pool.attach(key)).toEqual(doubles(3000))
  })

  test('it ends with nobody attached, and is kept from then on', async () => {
    await using _host = await start()
    await leaveBehind((pool) => pool.mapAsync(durables.double, noted(10), { durable: key, keep: 60_000 }))
    await until(
      'it has ended',
      () => redis.ask('HGET', record(), 'state'),
      (state) => state === 'done',
    )
    const lives = Object.entries(await redis.lives()).filter(([one]) => one.includes(durableId(key)))
    expect(lives.length).toBeGreaterThan(3)
    expect(lives.filter(([, life]) => life < 0 || life > 60_000)).toEqual([])
    expect(await chunkKeys()).toEqual([])
    expect(await redis.ask('EXISTS', `poolmq:{${name}}:durables`)).toBe(0)
  })

  test('inputs that Redis has lost are named, and run when they are passed again', async () => {
    await leaveBehind((pool) => pool.mapAsync(durables.double, noted(20), { durable: key, chunkSize: 2 }))
    const chunks = await chunkKeys()
    expect(chunks).toHaveLength(10)
    const lost = chunks.filter((one) => /\.(1|2|7)$/.test(one))
    await redis.ask('DEL', ...lost)
    await forsaken()
    await using _host = await start()
    await using pool = open()
    const attached = pool.attach<number[]>(key)
    const error: unknown = await attached.get().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(DurableLostError)
    const items = [
      [2, 6],
      [14, 16],
    ]
    expect(error).toMatchObject({ code: 'ERR_POOL_DURABLE_LOST', key, items })
    expect((error as Error).message).toContain('2 to 5, 14 to 15')
    expect(attached.lost).toEqual(items)
    expect(await pool.mapAsync(durables.double, noted(20), { durable: key })).toEqual(doubles(20))
    expect(scratch.log('log').lines).toHaveLength(20)
  })

  test('a producer that lives gives again what Redis has lost, and so does another, once', async () => {
    await using pool = open()
    const call = pool.mapAsync(durables.double, noted(4), { durable: key, chunkSize: 1 })
    await using second = open()
    const same = second.mapAsync(durables.double, noted(4), { durable: key })
    await same.info()
    await until('its chunks are there', chunkKeys, (keys) => keys.length === 4)
    await redis.ask('DEL', ...(await chunkKeys()))
    await using _host = await start()
    expect(await Promise.all([call, same])).toEqual([doubles(4), doubles(4)])
    expect(scratch.log('log').lines).toHaveLength(4)
  })

  test('large values both ways, and one that Redis has lost', async () => {
    const items = [0, 1, 2].map((i) => ({ length: 300_000 + i, text: 'x'.repeat(400_000) }))
    await leaveBehind((pool) => pool.mapAsync(durables.text, items, { durable: key, chunkSize: 1 }))
    await using _host = await start()
    await using pool = open()
    const lengths = (texts: string[]) => texts.map((text) => text.length)
    expect(lengths(await pool.attach<string[]>(key))).toEqual([300_000, 300_001, 300_002])
    // Whoever reads takes nothing away.
    expect(lengths(await pool.attach<string[]>(key))).toEqual([300_000, 300_001, 300_002])
    const pieces = (await its()).filter((one) => one.includes(':outcome:'))
    expect(pieces).toHaveLength(3)
    expect((await its()).filter((one) => one.endsWith(':parts'))).toEqual([])
    await redis.ask('DEL', pieces.find((one) => one.includes('.1:')) ?? '')
    const error: unknown = await pool
      .attach(key)
      .get()
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_POOL_DURABLE_LOST', items: [[1, 2]] })
    const again = pool.mapAsync(durables.text, items, { durable: key })
    expect(lengths(await again)).toEqual([300_000, 300_001, 300_002])
    expect(await pool.attach(key).forget()).toBe(true)
    expect(await its()).toEqual([])
  })

  test('onlookers see it with nobody attached, and can cancel it', async () => {
    await leaveBehind((pool) => pool.mapAsync(durables.double, noted(10), { durable: key, chunkSize: 3 }))
    await using monitor = new Monitor({ name, connection: redis.url })
    const seen = await monitor.calls()
    expect(seen).toMatchObject([
      { durable: key, task: 'durables.double', method: 'mapAsync', done: 0, total: 10, pending: 4, pid: process.pid },
    ])
    expect(await monitor.cancel(seen[0]?.id ?? '')).toBe(true)
    expect(await monitor.calls()).toEqual([])
    expect(await chunkKeys()).toEqual([])
    await using pool = open()
    await expect(pool.attach(key).get()).rejects.toBeInstanceOf(CancelledError)
  })

  test('one that does not fit is refused before anything is sent; one that turns out not to is ended, and leaves Redis to others', async () => {
    await using small = await RedisServer.start(redisProgram, ['--maxmemory', '16mb'])
    const items = Array.from({ length: 75 }, (_, length) => ({ length, text: 'x'.repeat(400_000) }))
    await using pool = new Pool({ name, connection: small.url })
    const begin = (more = {}) => pool.mapAsync(durables.text, items, { durable: key, chunkSize: 1, ...more })
    const refusal = begin().get()
    await expect(refusal).rejects.toMatchObject({ name: 'ConnectionError', code: 'ERR_POOL_CONNECTION' })
    await expect(refusal).rejects.toThrow(
      /no room for the durable call .*: its items take 28.* MiB, and 1\d.* MiB of maxmemory/,
    )
    await expect(pool.attach(key).get()).rejects.toBeInstanceOf(NoDurableCallError)
    await small.ask('CONFIG', 'SET', 'maxmemory', '0')
    await using _host = await WorkerHost.start({ pool: name, redis: small.url, tasks: 'durable-tasks' })
    const lengths = items.map(({ length }) => length)
    expect((await begin().get(60_000)).map((text) => text.length)).toEqual(lengths)
    // Now it may not be asked, as it is known to be there.
    await small.ask('CONFIG', 'SET', 'maxmemory', '4mb')
    await expect(begin({ ifDone: 'rerun' }).get()).rejects.toThrow(
      /refused what is asked for the durable call .*: OOM .*rerun-failed.*forget/,
    )
    expect(await pool.attach(key).info()).toMatchObject({ state: 'cancelled', items: 75 })
    expect((await small.keys()).filter((one) => /:chunks:durable/.test(one))).toEqual([])
    expect(await pool.apply(durables.add, [1, 2])).toBe(3)
    await small.ask('CONFIG', 'SET', 'maxmemory', '0')
    const again = await begin({ ifDone: 'rerun-failed' }).get(60_000)
    expect(again.map((text) => text.length)).toEqual(lengths)
  })

  test('what Redis has lost, and has no room for now, is told of', async () => {
    await using small = await RedisServer.start(redisProgram)
    const items = Array.from({ length: 20 }, (_, length) => ({ length, text: 'x'.repeat(400_000) }))
    await using pool = new Pool({ name, connection: small.url })
    const call = pool.mapAsync(durables.text, items, { durable: key, chunkSize: 1 })
    const chunks = async () => (await small.keys()).filter((one) => /:chunks:durable/.test(one))
    await until('all of it is there', chunks, (keys) => keys.length === 40)
    await small.ask('DEL', ...(await chunks()))
    await small.ask('CONFIG', 'SET', 'maxmemory', '4mb')
    await expect(call.get()).rejects.toThrow(/refused what is asked for the durable call .*: OOM/)
    expect(await chunks()).toEqual([])
    await small.ask('CONFIG', 'SET', 'maxmemory', '0')
    await using _host = await WorkerHost.start({ pool: name, redis: small.url, tasks: 'durable-tasks' })
    const again = await pool.mapAsync(durables.text, items, { durable: key, chunkSize: 1 }).get(60_000)
    expect(again.map((text) => text.length)).toEqual(items.map(({ length }) => length))
  })

  test('onlookers see what has failed of it, by the name of the error, each item once', async () => {
    const [go, bad] = [scratch.latch('go'), scratch.latch('bad')]
    bad.open()
    const facts = noted(8)
    const items = facts.map((item, i) => ({
      ...item,
      ...(i < 5 && { bad: bad.path }),
      ...(i === 7 && { go: go.path }),
    }))
    // A whole chunk that no worker knows how to run.
    const unknown = `${key}-2`
    await using _host = await start()
    await using pool = open()
    const call = pool.mapAsync(durables.double, items, { durable: key, chunkSize: 2 })
    const absent = taskRefs<{ none: (x: number) => number }>('durables').none
    const other = pool.mapAsync(absent, [1, 2, 3, 4, 5], { durable: unknown, chunkSize: 3 })
    await using monitor = new Monitor({ name, connection: redis.url })
    const seen = await until(
      'all but one have ended',
      async () => (await monitor.calls()).find(({ durable }) => durable === key),
      (one) => one?.done === 6,
    )
    expect(seen?.failures).toEqual({ RangeError: 5 })
    await other.wait()
    const counted = await redis.ask('HGET', record().replace(durableId(key), durableId(unknown)), 'failures')
    expect(JSON.parse(String(counted))).toEqual({ UnknownTaskError: 5 })
    go.open()
    await call.wait()
  })

  test('a record of a newer version is left alone, and told of', async () => {
    await leaveBehind((pool) => pool.mapAsync(durables.double, noted(4), { durable: key }))
    const head = String(await redis.ask('HGET', record(), 'head'))
    await redis.ask('HSET', record(), 'head', head.replace('"v":1', '"v":99'))
    await using host = await start()
    await using pool = open()
    await expect(pool.attach(key).get()).rejects.toThrow('update its PoolMQ')
    await until(
      'the host says so',
      () => host.complaints,
      (text) => text.includes('a durable call cannot be looked after'),
    )
    // Others are looked after.
    const other = `${key}-2`
    expect(await pool.mapAsync(durables.double, noted(4), { durable: other })).toEqual(doubles(4))
    await redis.ask('HSET', record(), 'head', head)
    expect(await pool.attach(key)).toEqual(doubles(4))
  })

  test('its initializer runs where it runs, also when its producer has gone', async () => {
    await leaveBehind((pool) => pool.mapAsync(durables.who, [1, 2, 3], { durable: key, chunkSize: 1 }), {
      initializer: durables.become,
      initArgs: ['somebody'],
    })
    await using _host = await start()
    await using pool = open()
    expect(await pool.attach(key)).toEqual(['somebody 1', 'somebody 2', 'somebody 3'])
    await using other = open({ initializer: durables.become, initArgs: ['another'] })
    const again = other.mapAsync(durables.who, [1, 2, 3], { durable: key, ifDone: 'rerun' })
    expect(await again).toEqual(['another 1', 'another 2', 'another 3'])
    await redis.ask('HSET', record(), 'state', 'open')
    await redis.ask('SADD', `poolmq:{${name}}:durables`, durableId(key))
    await redis.ask('DEL', ...(await its()).filter((one) => one.includes(':spec:')))
    await until('what Redis has lost of it is written again', its, (keys) => keys.some((one) => one.includes(':spec:')))
  })

  test('forgotten, or cancelled, while it waits and runs: nothing runs on', async () => {
    const go = scratch.latch('go')
    const held = noted(8).map((item) => ({ ...item, go: go.path }))
    await using _host = await start()
    await using pool = open()
    const call = pool.mapAsync(durables.double, held, { durable: key, chunkSize: 1 })
    const log = scratch.log('log')
    await until(
      'two run',
      () => log.lines.length,
      (lines) => lines === 2,
    )
    expect(await pool.attach(key).forget()).toBe(true)
    await expect(call.get()).rejects.toBeInstanceOf(NoDurableCallError)
    await until('what runs is stopped', its, (keys) => keys.length === 0)
    const next = pool.mapAsync(durables.double, noted(3), { durable: key })
    expect(await next).toEqual(doubles(3))
    expect(log.lines).toHaveLength(5)
    go.open()
  })
})
