// The short way of a chunk to a worker process that has nothing to do, and what becomes of it when that process is none any more.

import { Pool } from '@poolmq/client'
import { formatChunkId, PoolKeys, RedisLink, randomId } from '@poolmq/shared'
import { ChunkStore, type NewChunk } from '@poolmq/worker'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { ChunkQueue } from '../../packages/worker/dist/queue/chunk-queue.js'
import { WorkerHost } from '../chaos/worker-host.js'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

const client = randomId()
const id = (index: number) => formatChunkId(client, 0, index)
const chunk = (index: number, data: NewChunk['data'] = `data of ${index}`, priority = 0): NewChunk => ({
  jobId: id(index),
  taskId: 'ns.task',
  data,
  priority,
})

describe('a chunk that is added', () => {
  let link: RedisLink
  let keys: PoolKeys
  let store: ChunkStore
  beforeEach(async () => {
    keys = new PoolKeys(uniqueName('handover'))
    link = await RedisLink.open(inject('redisUrl'))
    store = new ChunkStore(link, keys)
  })
  afterEach(async () => {
    const left = await link.client.keys(`${keys.prefix}:*`)
    if (left.length > 0) await link.client.del(...left)
    await link.close()
  })

  /** A process that has found nothing to do. */
  async function idle(token: string, lanes = 1): Promise<ChunkQueue> {
    const queue = new ChunkQueue(link, keys, { blocking: true, lanes })
    expect(await queue.exchange(token, [], lanes, true)).toMatchObject({ taken: [], rest: 'idle' })
    return queue
  }
  const list = (suffix: string) => link.client.lrange(keys.chunk(suffix), 0, -1)
  const exists = (suffix: string) => link.client.exists(keys.chunk(suffix))
  const holder = (index: number) => link.client.get(keys.chunk(`${id(index)}:lock`))

  test('is handed to a process that has nothing to do, as if it had been taken', async () => {
    const queue = await idle('a')
    const waits = queue.waitForChunk('a', 30)
    await store.add([chunk(0, Buffer.from([10, 0, 255]))])
    expect(await waits).toEqual({
      ...{ jobId: id(0), taskId: 'ns.task', data: Buffer.from([10, 0, 255]), fields: new Map(), waited: 0 },
    })
    expect(await list('active')).toEqual([id(0)])
    expect(await holder(0)).toBe('a')
    expect(await link.client.pttl(keys.chunk(`${id(0)}:lock`))).toBeGreaterThan(5000)
    expect(Number(await link.client.hget(keys.chunk(id(0)), 'processedOn'))).toBeGreaterThan(0)
    for (const suffix of ['wait', 'marker', 'idle', 'desk:a']) expect(await exists(suffix), suffix).toBe(0)
    expect(await queue.exchange('a', [[id(0), ['j', id(0), 'h', '', 'p', '']]], 1, true)).toMatchObject({
      rest: 'idle',
    })
    expect(await exists('active')).toBe(0)
  })

  test('with a priority is handed over as well, and stands in no list', async () => {
    await idle('a')
    await store.add([chunk(0, 'x', 5)])
    expect(await holder(0)).toBe('a')
    for (const suffix of ['prioritized', 'elders', 'marker']) expect(await exists(suffix), suffix).toBe(0)
  })

  test('beside others waits when there are not enough, and is told', async () => {
    await idle('a')
    await idle('b', 8)
    await store.add([0, 1, 2, 3].map((i) => chunk(i)))
    expect(new Set([await holder(0), await holder(1)])).toEqual(new Set(['a', 'b']))
    expect(await list('wait')).toEqual([id(3), id(2)])
    expect(await exists('marker')).toBe(1)
    const ofB = (await holder(0)) === 'b' ? 0 : 1
    expect(await link.client.hget(keys.chunk(id(ofB)), 'lanes')).toBe('8')
    expect(await link.client.hget(keys.chunk(id(1 - ofB)), 'lanes')).toBeNull()
  })

  test('is brought by what the process asks, where it has not waited for it', async () => {
    const queue = await idle('a', 2)
    await store.add([chunk(0), chunk(1), chunk(2)])
    const { taken } = await queue.exchange('a', [], 2, true)
    expect(taken.map(({ jobId }) => jobId)).toEqual([id(0), id(1)])
    expect(await exists('desk:a')).toBe(0)
    expect(await list('wait')).toEqual([id(2)])
  })

  test('waits when its process asks no more', async () => {
    const queue = await idle('a')
    await queue.exchange('a', [], 0)
    await store.add([chunk(0)])
    expect(await list('wait')).toEqual([id(0)])
    expect((await queue.exchange('a', [], 1)).taken).toHaveLength(1)
  })

  test.each<[string, () => Promise<unknown>]>([
    ['the queue is paused', () => link.client.hset(keys.chunk('meta'), 'paused', '1')],
    ['the queue is limited', () => link.client.hset(keys.chunk('meta'), 'concurrency', '1')],
    ['the process is gone', () => store.dismiss('a')],
    [
      'the process has said nothing for as long as a lock',
      () => link.client.hset(keys.chunk('idle'), 'a', `${1_000_000_000_000} 1 10000`),
    ],
    ['what was noted is not ours', () => link.client.hset(keys.chunk('idle'), 'a', 'for ever')],
  ])('waits when %s', async (_when, happens) => {
    await idle('a')
    await happens()
    await store.add([chunk(0)])
    expect(await list('wait')).toEqual([id(0)])
    expect(await exists(`${id(0)}:lock`)).toBe(0)
  })

  test('waits behind others, and one that is large is not passed by the next', async () => {
    await idle('a')
    await store.add([chunk(0, 'x'.repeat(600_000)), chunk(1)])
    expect(await list('wait')).toEqual([id(1), id(0)])
    await store.add([chunk(2)])
    expect(await list('wait')).toEqual([id(2), id(1), id(0)])
    expect(await exists('active')).toBe(0)
  })

  test('that nobody fetches from the desk of its process is given back, and that counts for no loss', async () => {
    await idle('a')
    await idle('b')
    await store.add([chunk(0)])
    const found = async () => {
      await link.client.del(keys.chunk('lapse-check'))
      return (await store.giveBackLapsed()).chunks
    }
    expect(await found()).toEqual([])
    const who = (await holder(0)) ?? ''
    expect(await exists(`desk:${who}`)).toBe(1)
    expect(await until('it is given back', found, (chunks) => chunks.length > 0)).toEqual([id(0)])
    for (const suffix of [`desk:${who}`, `${id(0)}:lock`, 'active', 'suspects'])
      expect(await exists(suffix), suffix).toBe(0)
    expect(await list('wait')).toEqual([id(0)])
    expect(await exists('marker')).toBe(1)
    expect(await link.client.hmget(keys.chunk(id(0)), 'stc', 'lost', 'shared')).toEqual([null, null, null])
  })

  test('that was fetched is not given back while its lock lasts', async () => {
    const queue = await idle('a')
    const waits = queue.waitForChunk('a', 30)
    await store.add([chunk(0)])
    expect((await waits)?.jobId).toBe(id(0))
    // What came later, and lies on a desk, is given back: so long ago was the first handed over.
    await idle('b')
    await store.add([chunk(1)])
    const given: string[] = []
    const found = async () => {
      await link.client.del(keys.chunk('lapse-check'))
      given.push(...(await store.giveBackLapsed()).chunks)
      return given
    }
    await until('the second is given back', found, (chunks) => chunks.length > 0)
    expect(given).toEqual([id(1)])
    expect(await list('active')).toEqual([id(0)])
  })

  test('is not handed twice, however often it is sent', async () => {
    await idle('a')
    await idle('b')
    for (let i = 0; i < 3; i++) await store.add([chunk(0)])
    expect(await list('active')).toEqual([id(0)])
    expect(await exists('wait')).toBe(0)
    expect(await link.client.hlen(keys.chunk('idle'))).toBe(1)
  })
})

test.each([1, 8])(
  'of a process with %i lanes that is killed before it has begun it, it runs elsewhere',
  async (lanes) => {
    const name = uniqueName('handed')
    const connection = inject('redisUrl')
    await using host = await WorkerHost.start({ pool: name, redis: connection, processes: 1, concurrency: lanes })
    await using pool = new Pool({ name, processes: 0, connection })
    await using link = await RedisLink.open(connection)
    const keys = new PoolKeys(name)
    const noted = () => link.client.hlen(keys.chunk('idle'))
    for (let times = 0; times < 3; times++) {
      expect(await pool.apply(chaos.length, ['ab'])).toBe(2)
      await until('it is noted', noted, (count) => count === 1)
      const [pid = 0] = host.workers
      process.kill(pid, 'SIGSTOP')
      const running = pool.applyAsync(chaos.length, ['abcd'])
      await until(
        'it is handed over',
        () => link.client.llen(keys.chunk('active')),
        (count) => count === 1,
      )
      process.kill(pid, 'SIGKILL')
      expect(await running.get(60_000)).toBe(4)
    }
  },
)

test('of a process that is drained as it comes, it runs elsewhere', async () => {
  const name = uniqueName('drained')
  const connection = inject('redisUrl')
  await using pool = new Pool({ name, processes: 0, connection })
  await using stays = await WorkerHost.start({ pool: name, redis: connection, processes: 1 })
  for (let times = 0; times < 5; times++) {
    await using leaves = await WorkerHost.start({ pool: name, redis: connection, processes: 2 })
    const results = pool.mapAsync(chaos.length, new Array<string>(20).fill('abc'), 1)
    leaves.signal('SIGTERM')
    for (let i = 0; i < 20; i++) expect(await pool.apply(chaos.length, ['abcd'])).toBe(4)
    expect(await results.get(60_000)).toEqual(new Array(20).fill(3))
    await leaves.exit()
  }
  expect(stays.workers).toHaveLength(1)
})
