// Values that are sent once and stand in arguments: to each host once, to each process one object, gone with those who share them.
import { readdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EncodingError, Pool, PoolStateError, ThreadPool } from '@poolmq/client'
import { InlinePool } from '@poolmq/client/testing'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { RedisServer } from '../chaos/redis-server.js'
import { WorkerHost } from '../chaos/worker-host.js'
import { pattern } from '../fixtures/dist/large-tasks.js'
import { shared } from '../fixtures/dist/shared-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun } from '../support/program-run.js'
import { until } from '../support/until.js'

const redisProgram = inject('redisProgram')
const narrow = ['--proto-max-bulk-len', '1048576', '--client-output-buffer-limit', 'normal', '64mb', '64mb', '0']
const bytes = pattern(3_000_000, 7)
const larger = pattern(8_000_000, 9)

/** The directories of shared values that hosts have here: all, or that of one supervisor. */
const directories = (pid?: number) =>
  readdirSync(tmpdir())
    .filter((name) => name.startsWith('poolmq-shared-') && (pid === undefined || name.includes(`-${pid}-`)))
    .map((name) => join(tmpdir(), name))

describe.skipIf(redisProgram === '')('shared values', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start(redisProgram, narrow)
  })
  afterAll(async () => {
    await redis?.[Symbol.asyncDispose]()
  })
  const hostOf = (pool: string, processes = 2) =>
    WorkerHost.start({ pool, redis: redis.url, processes, lease: 3000, tasks: 'shared-tasks' })
  const keysOf = async (pool: string) => (await redis.keys()).filter((key) => key.includes(`{${pool}}:shared:`))
  const lifeOf = async (pool: string) => {
    const [key = ''] = await keysOf(pool)
    return Number(await redis.ask('PTTL', key))
  }
  const traffic = async (way: 'input' | 'output') =>
    Number(new RegExp(`total_net_${way}_bytes:(\\d+)`).exec(String(await redis.ask('INFO', 'stats')))?.[1])

  test('stand anywhere in arguments, and are one object in each process', async () => {
    await using pool = new Pool({ processes: 2, connection: redis.url })
    const [model, table] = await Promise.all([pool.share(bytes), pool.share(new Map([['k', [1, undefined, 3n]]]))])
    expect(String(model)).toBe(`<SharedValue ${model.hash} size=${model.size}>`)
    expect(model.size).toBeGreaterThan(3_000_000)
    const items = Array.from({ length: 60 }, (_, i) => [model, i * 4093] as const)
    const results = await pool.starmap(shared.byteAt, items, 3)
    expect(results.map(({ byte }) => byte)).toEqual(items.map(([, at]) => bytes[at]))
    expect(results.every(({ isSame }) => isSame)).toBe(true)
    const places = await pool.map(shared.places, [{ a: table, list: [table, table], map: new Map([['a', table]]) }])
    expect(places).toEqual([{ areSame: true, value: new Map([['k', [1, undefined, 3n]]]) }])
    expect(await pool.apply(shared.both, [model, await pool.share('ü'.repeat(2_000_000))])).toEqual([3e6, 2e6])
    const lengths: number[] = []
    for await (const length of pool.imap(shared.lengthOf, [model, 'ab', model])) lengths.push(length)
    expect(lengths).toEqual([3e6, 2, 3e6])
  })

  test('on threads', async () => {
    await using pool = new ThreadPool({ processes: 4, threads: 2, connection: redis.url })
    const model = await pool.share(bytes)
    const results = await pool.starmap(shared.byteAt, Array(40).fill([model, 0]), 1)
    expect(results.every(({ byte, isSame }) => byte === bytes[0] && isSame)).toBe(true)
  })

  test('in the test kit', async () => {
    await using pool = new InlinePool()
    const model = await pool.share({ text: 'x'.repeat(300_000) })
    const places = await pool.map(shared.places, [{ a: model, list: [model], map: new Map([['a', model]]) }])
    expect(places).toEqual([{ areSame: true, value: { text: 'x'.repeat(300_000) } }])
    await using other = new InlinePool({ initializer: shared.keep, initArgs: ['y'.repeat(500_000)] })
    expect((await other.apply(shared.keptLength)).length).toBe(500_000)
  })

  test('go to each of two hosts once, however many items and processes use them, and are sent once', async () => {
    const name = uniqueName('shared')
    await using pool = new Pool({ name, connection: redis.url })
    await using _one = await hostOf(name)
    await using _other = await hostOf(name)
    const sentBefore = await traffic('input')
    const model = await pool.share(larger)
    const again = await pool.share(Buffer.from(larger))
    await using second = new Pool({ name, connection: redis.url })
    expect([again.hash, (await second.share(larger)).hash]).toEqual([model.hash, model.hash])
    expect((await traffic('input')) - sentBefore).toBeLessThan(1.2 * larger.length)
    using scratch = new Scratch()
    const [log, go] = [scratch.log('runs'), scratch.latch('go')]
    const before = await traffic('output')
    const held = pool.starmapAsync(shared.hold, Array(4).fill([model, log.path, go.path]), 1)
    await until(
      'each process has it',
      () => new Set(log.lines).size,
      (count) => count === 4,
    )
    go.open()
    await held
    await pool.starmap(shared.byteAt, Array(200).fill([model, 0]), 2)
    const fetched = (await traffic('output')) - before
    expect(fetched).toBeGreaterThan(2 * larger.length)
    expect(fetched).toBeLessThan(2.2 * larger.length)
  })

  test.concurrent('one that Redis has lost is sent again, with the chunks that hold it', async () => {
    const name = uniqueName('shared')
    await using pool = new Pool({ name, connection: redis.url })
    const model = await pool.share(bytes)
    const lengths = pool.mapAsync(shared.lengthOf, [model, model], 1)
    await until(
      'they wait',
      async () => (await pool.stats()).waiting,
      (waiting) => waiting === 2,
    )
    expect(await redis.ask('DEL', ...(await keysOf(name)))).toBe(1)
    await using host = await hostOf(name)
    expect(await lengths.get(60_000)).toEqual([3e6, 3e6])
    expect(host.complaints).toMatch(
      new RegExp(`the shared value ${model.hash}, of ${model.size} bytes, is not in Redis`),
    )
  })

  test.concurrent('a Redis that loses everything in the middle of a call', async () => {
    await using own = await RedisServer.start(redisProgram)
    using scratch = new Scratch()
    const [log, go] = [scratch.log('runs'), scratch.latch('go')]
    const name = uniqueName('shared')
    await using pool = new Pool({ name, connection: own.url })
    const options = { pool: name, redis: own.url, processes: 1, lease: 3000, tasks: 'shared-tasks' }
    const first = await WorkerHost.start(options)
    const model = await pool.share(bytes)
    const lengths = pool.starmapAsync(shared.hold, Array(3).fill([model, log.path, go.path]), 1)
    await until(
      'one runs',
      () => log.lines,
      (lines) => lines.length === 1,
    )
    first.kill()
    await first[Symbol.asyncDispose]()
    await own.kill()
    await own.start()
    await using _second = await WorkerHost.start(options)
    go.open()
    expect(await lengths.get(60_000)).toEqual([3e6, 3e6, 3e6])
  })

  test.concurrent('are renewed while somebody shares them, and by nobody when all are gone or have released them', async () => {
    const name = uniqueName('shared')
    const run = new ProgramRun([fixture('sharing-program'), name, redis.url])
    await run.says('shared')
    await using pool = new Pool({ name, connection: redis.url })
    const value = await pool.share(Buffer.alloc(2_000_000, 7))
    expect(run.stdout).toContain(value.hash)
    process.kill(run.pid, 'SIGKILL')
    await run.exit()
    await until(
      'it has waited to be renewed',
      () => lifeOf(name),
      (life) => life < 52_000,
    )
    await until(
      'it is renewed',
      () => lifeOf(name),
      (life) => life > 54_000,
    )
    value.release()
    await until(
      'nobody renews it',
      () => lifeOf(name),
      (life) => life < 46_000,
    )
    expect(await keysOf(name)).toHaveLength(1)
    // Used all the same, it is there.
    const call = pool.applyAsync(shared.lengthOf, [value])
    await until(
      'an open call keeps it',
      () => lifeOf(name),
      (life) => life > 53_000,
    )
    await using _host = await hostOf(name, 1)
    expect(await call).toBe(2_000_000)
  })

  test('of a private pool go with it', async () => {
    const pool = new Pool({ processes: 1, connection: redis.url })
    await pool.share(bytes)
    const mine = async () => (await redis.keys()).filter((key) => key.includes('private-') && key.includes(':shared:'))
    expect(await mine()).toHaveLength(1)
    await pool.terminate()
    expect(await mine()).toEqual([])
  })

  describe('initArgs', () => {
    test('of any size', async () => {
      await using pool = new Pool({
        processes: 2,
        connection: redis.url,
        initializer: shared.keep,
        initArgs: ['é'.repeat(40_000_000)],
      })
      expect((await pool.apply(shared.keptLength)).length).toBe(40_000_000)
    })

    test('on hosts; and with a value that another client shares', async () => {
      const name = uniqueName('shared')
      await using pool = new Pool({ name, connection: redis.url })
      const model = await pool.share(bytes)
      await using _host = await hostOf(name)
      await using second = new Pool({ name, connection: redis.url, initializer: shared.keep, initArgs: [model] })
      expect((await second.apply(shared.keptLength)).length).toBe(3_000_000)
      const both = [[model, 'z'.repeat(2_000_000)]] as const
      await using third = new Pool({ name, connection: redis.url, initializer: shared.keep, initArgs: both })
      expect((await third.apply(shared.keptLength)).length).toBe(2)
    })
  })

  test('their files are for this user alone; they go with the host, and with the next one when it was killed', async () => {
    const name = uniqueName('shared')
    await using pool = new Pool({ name, connection: redis.url })
    const model = await pool.share(bytes)
    const host = await hostOf(name)
    expect(directories(host.pid)).toEqual([])
    expect(await pool.apply(shared.lengthOf, [model])).toBe(3e6)
    const [directory = ''] = directories(host.pid)
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    const file = join(directory, model.hash)
    await until(
      'the lock is gone',
      () => readdirSync(directory),
      (names) => names.join() === model.hash,
    )
    expect([statSync(file).mode & 0o777, statSync(file).size > 3e6]).toEqual([0o600, true])
    const killed = host.pid
    host.kill()
    await host[Symbol.asyncDispose]()
    expect(directories(killed)).toHaveLength(1)
    const next = await hostOf(name)
    await until(
      'what was left is removed',
      () => directories(killed),
      (left) => left.length === 0,
    )
    expect(await pool.apply(shared.lengthOf, [model])).toBe(3e6)
    expect(directories(next.pid)).toHaveLength(1)
    const { pid } = next
    next.signal('SIGTERM')
    await next.exit()
    expect(directories(pid)).toEqual([])
    await next[Symbol.asyncDispose]()
  })

  test('a large value that is sent with many chunks is told of once', async () => {
    const told: string[] = []
    const note = (_: object, message: string) => void told.push(message)
    const logger = { debug: () => undefined, info: () => undefined, warn: note, error: note }
    await using pool = new Pool({ processes: 2, connection: redis.url, logger })
    const large = pattern(1_200_000, 5)
    await pool.starmap(
      shared.byteAt,
      Array.from({ length: 7 }, (_, i) => [large, i] as const),
      1,
    )
    await pool.map(
      shared.lengthOf,
      Array.from({ length: 12 }, (_, i) => pattern(1_200_000, i)),
      1,
    )
    const model = await pool.share(large)
    await pool.starmap(
      shared.byteAt,
      Array.from({ length: 20 }, (_, i) => [model, i] as const),
      1,
    )
    expect(told).toEqual([])
    for (let i = 0; i < 10; i++) await pool.apply(shared.byteAt, [large, i])
    expect(told).toEqual([expect.stringContaining('pool.share(value)')])
  })

  test('one that Redis has no memory for is refused with its reason, and leaves nothing', async () => {
    await using own = await RedisServer.start(redisProgram, ['--maxmemory', '16mb'])
    const name = uniqueName('shared')
    await using pool = new Pool({ name, connection: own.url })
    await expect(pool.share(pattern(30_000_000, 1))).rejects.toThrow(/Redis did not take the shared value: OOM/)
    expect((await own.keys()).filter((key) => key.includes(':shared:'))).toEqual([])
    expect((await pool.share(pattern(2_000_000, 1))).size).toBeGreaterThan(2_000_000)
  })

  test('what cannot be shared says so', async () => {
    const name = uniqueName('shared')
    const pool = new Pool({ name, connection: redis.url })
    const failed = await pool.share({ deep: [() => 1] }).catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(EncodingError)
    expect((failed as Error).message).toContain('value.deep[0] is a function')
    await pool.terminate()
    await expect(pool.share(1)).rejects.toThrow(PoolStateError)
  })
})
