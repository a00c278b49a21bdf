// Calls that nobody waits for any more cost what is removed, and not what waits beside it; nothing of them is left, and
// nobody else's chunks lose their order.
import { getEventListeners } from 'node:events'
import { Pool } from '@poolmq/client'
import { formatChunkId, PoolKeys, RedisLink, randomId } from '@poolmq/shared'
import { ChunkStore } from '@poolmq/worker'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { ChunkQueue } from '../../packages/worker/dist/queue/chunk-queue.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { RedisDatabase } from '../support/redis-database.js'
import { freePorts, RedisProcess, TemporaryDirectory } from '../support/redis-process.js'
import { until } from '../support/until.js'

let link: RedisLink
let keys: PoolKeys
let store: ChunkStore
let queue: ChunkQueue
beforeAll(async () => {
  link = await RedisLink.open(inject('redisUrl'))
})
beforeEach(() => {
  keys = new PoolKeys(uniqueName('withdrawal'))
  store = new ChunkStore(link, keys)
  queue = new ChunkQueue(link, keys, { blocking: true })
})
afterAll(() => link.close())

const mine = randomId()
const others = randomId()
const ids = (client: string, count: number, call = 0) =>
  Array.from({ length: count }, (_, index) => formatChunkId(client, call, index))

async function add(jobIds: readonly string[], priority = 0): Promise<void> {
  for (let i = 0; i < jobIds.length; i += 1000) {
    await store.add(jobIds.slice(i, i + 1000).map((jobId) => ({ jobId, taskId: 'ns.task', data: 'data', priority })))
  }
}

/** The ids that wait, the next one first. */
const waiting = async (list = 'wait') => (await link.client.lrange(keys.chunk(list), 0, -1)).reverse()
const hashes = (jobIds: readonly string[]) => link.client.exists(...jobIds.map((jobId) => keys.chunk(jobId)))

/** How often the server has run each of these commands meanwhile, in scripts too. */
async function commands(names: readonly string[], action: () => Promise<unknown>): Promise<Record<string, number>> {
  const count = async () => {
    const stats = await link.client.info('commandstats')
    return names.map((name) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0))
  }
  const before = await count()
  await action()
  const after = await count()
  return Object.fromEntries(names.map((name, i) => [name, (after[i] ?? 0) - (before[i] ?? 0)]))
}

describe('dropping chunks', () => {
  test('at the ends of the list: the list is as if they had never been there', async () => {
    await add([...ids(mine, 20), ...ids(others, 5), ...ids(mine, 20, 1)])
    expect(await store.drop([...ids(mine, 20), ...ids(mine, 20, 1)])).toEqual([])
    expect(await waiting()).toEqual(ids(others, 5))
    expect(await hashes([...ids(mine, 20), ...ids(mine, 20, 1)])).toBe(0)
    await store.drop(ids(others, 5))
    expect(await link.client.exists(keys.chunk('wait'))).toBe(0)
  })

  test('between those of others: they are passed over, whoever takes the next', async () => {
    await add([...ids(others, 1), ...ids(mine, 800), ...ids(others, 1, 1), ...ids(mine, 3, 1), ...ids(others, 2, 2)])
    await store.drop([...ids(mine, 800), ...ids(mine, 3, 1)])
    const token = 'holder'
    const taken: string[] = []
    await link.client.xadd(keys.results(others), '*', 'client', others)
    let chunk = await queue.take(token)
    while (chunk !== undefined) {
      taken.push(chunk.jobId)
      const outcome = ['j', chunk.jobId, 'h', '{"v":1}', 'p', '[1]'] as const
      chunk = (await queue.exchange(token, [[chunk.jobId, outcome]], 1)).taken[0] ?? (await queue.take(token))
    }
    expect(taken).toEqual([...ids(others, 1), ...ids(others, 1, 1), ...ids(others, 2, 2)])
    expect(await waiting()).toEqual([])
    expect(await waiting('active')).toEqual([])
  })

  test('most of a long list: it is thinned, and keeps its order', async () => {
    const all = Array.from({ length: 600 }, (_, call) => [...ids(others, 1, call), ...ids(mine, 4, call)]).flat()
    await add([...all, ...ids(others, 1, 600)])
    await store.drop(all.filter((jobId) => jobId.startsWith(mine)))
    expect(await waiting()).toEqual(Array.from({ length: 601 }, (_, call) => ids(others, 1, call)).flat())
  })

  test('with priorities, put off, in a paused queue; what runs is left, unless it is to go too', async () => {
    await add(ids(mine, 3))
    expect((await queue.take('a'))?.jobId).toBe(ids(mine, 1)[0])
    expect((await queue.take('b'))?.jobId).toBe(ids(mine, 2)[1])
    await store.putOff(ids(mine, 2)[1] as string, 'b', 60_000)
    await add(ids(mine, 2, 1), 7)
    await link.client.rename(keys.chunk('wait'), keys.chunk('paused'))
    const first = ids(mine, 1)[0] as string
    const all = [...ids(mine, 3), ...ids(mine, 2, 1)]
    expect(await store.drop(all)).toEqual([first])
    const left = ['wait', 'paused', 'prioritized', 'delayed', 'elders'].map((suffix) => keys.chunk(suffix))
    expect(await link.client.exists(...left)).toBe(0)
    expect(await waiting('active')).toEqual([first])
    expect(await hashes(all)).toBe(1)
    await store.drop(all, true)
    expect(await hashes([...all, `${first}:lock`, 'active'])).toBe(0)
  })

  test('by what their ids begin with, in a list of any length', async () => {
    await add(Array.from({ length: 1300 }, (_, call) => [...ids(others, 1, call), ...ids(mine, 1, call)]).flat())
    await add(
      Array.from({ length: 700 }, (_, call) => [...ids(others, 1, 2000 + call), ...ids(mine, 1, 2000 + call)]).flat(),
      5,
    )
    await store.dropWaiting(`${mine}.`)
    const left = [...(await waiting()), ...(await link.client.zrange(keys.chunk('prioritized'), '0', '-1'))]
    expect(left.filter((jobId) => jobId.startsWith(others))).toHaveLength(2000)
    const its = Array.from({ length: 2700 }, (_, call) => ids(mine, 1, call)).flat()
    expect(await hashes(its)).toBe(0)
    expect(await link.client.zcard(keys.chunk('prioritized'))).toBe(700)
  })

  // Commands are counted: on a server that nobody else uses.
  test.skipIf(inject('redisProgram') === '')(
    'takes as much work as chunks are dropped, however many wait',
    async () => {
      using directory = new TemporaryDirectory('withdrawal')
      const [port = 0] = await freePorts(1)
      const place = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', directory.path]
      await using _server = await RedisProcess.start(inject('redisProgram'), place, directory.path)
      const shared = link
      link = await RedisLink.open(`redis://127.0.0.1:${port}`)
      const names = ['lrem', 'lrange', 'rpush', 'lset', 'unlink', 'lindex', 'exists']
      const work = async (waits: number) => {
        keys = new PoolKeys(uniqueName('withdrawal'))
        store = new ChunkStore(link, keys)
        await add([...ids(others, waits), ...ids(mine, 100), ...ids(others, 5, 1)])
        // The link itself pings now and then.
        const runs: Record<string, number>[] = []
        for (let i = 0; i < 5; i++)
          runs.push(await commands(names, () => store.drop(ids(mine, 100).slice(20 * i, 20 * i + 20))))
        return Object.fromEntries(names.map((name) => [name, Math.min(...runs.map((run) => run[name] ?? 0))]))
      }
      const few = await work(5000)
      expect(few).toMatchObject({ lrem: 0, lrange: 0, rpush: 0, lset: 0, unlink: 20 })
      expect(await work(40_000)).toEqual(few)
      await link.close()
      link = shared
    },
  )
})

describe('aborted calls', () => {
  test('thousands with one signal: one listener, some scripts, and nothing of them is left', async () => {
    await using database = await RedisDatabase.open(14)
    await using pool = new Pool({ processes: 1, connection: database.url })
    expect(await pool.apply(math.square, [2])).toBe(4)
    const controller = new AbortController()
    const { signal } = controller
    const calls = Array.from({ length: 5000 }, () => pool.applyAsync(math.sleep, [1], undefined, { signal }))
    const many = pool.mapAsync(math.sleep, Array(3000).fill(1), { chunkSize: 1, signal })
    const rest = pool.imap(math.sleep, Array(3000).fill(1), { chunkSize: 1, bufferSize: 3000, signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    expect(await calls[10]?.get()).toBe(1)
    controller.abort(new Error('enough'))
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    expect(await pool.apply(math.square, [3])).toBe(9)
    await expect(many.get()).rejects.toMatchObject({ code: 'ERR_POOL_CANCELLED', cause: { message: 'enough' } })
    await expect(rest.next()).rejects.toMatchObject({ code: 'ERR_POOL_CANCELLED' })
    await expect(calls.at(-1)).rejects.toMatchObject({ code: 'ERR_POOL_CANCELLED' })
    const chunks = async () => (await database.keys()).filter((key) => /:chunks:\w+\.\d+\.\d+$/.test(key))
    await until('no chunk is left', chunks, (left) => left.length === 0)
    expect((await database.keys()).filter((key) => /:(wait|active|prioritized|delayed)$/.test(key))).toEqual([])
  })

  test('a signal that outlives its calls keeps no listener of theirs', async () => {
    await using pool = new Pool({ name: uniqueName('withdrawal'), processes: 1, connection: inject('redisUrl') })
    const { signal } = new AbortController()
    await Promise.all([pool.map(math.square, [1, 2], { signal }), pool.apply(math.square, [1], undefined, { signal })])
    for await (const _value of pool.imap(math.square, [1, 2], { signal })) break
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('a pool that is terminated with much to do leaves nothing, and what others have in its queue', async () => {
    await using other = new Pool({ name: keys.pool, connection: inject('redisUrl') })
    const waits = other.mapAsync(math.square, [1, 2, 3], 1)
    await using pool = new Pool({ name: keys.pool, connection: inject('redisUrl') })
    const calls = [
      pool.mapAsync(math.square, Array(3000).fill(1), 1),
      pool.mapAsync(math.square, Array(3000).fill(1), { chunkSize: 1, priority: 3 }),
    ]
    const counts = async () => [
      await link.client.llen(keys.chunk('wait')),
      await link.client.zcard(keys.chunk('prioritized')),
    ]
    await until('all wait', counts, ([wait = 0, prioritized = 0]) => wait + prioritized === 6003)
    await pool.terminate()
    expect(calls.every((call) => call.ready())).toBe(true)
    // In the list, or beside it where the other's chunks came first.
    expect((await counts()).toSorted()).toEqual([0, 3])
    expect(
      (await link.client.keys(`${keys.prefix}:chunks:*.*.*`)).filter((key) => !key.endsWith(':lock')),
    ).toHaveLength(3)
    expect(waits.ready()).toBe(false)
  })
})
