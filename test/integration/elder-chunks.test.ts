// In a pool that is always busy with what is more urgent, a chunk that has waited for long has its turn all the same.
import { formatChunkId, PoolKeys, RedisLink, randomId } from '@poolmq/shared'
import { ChunkStore, type NewChunk } from '@poolmq/worker'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { ChunkQueue } from '../../packages/worker/dist/queue/chunk-queue.js'
import { elderPatience } from '../../packages/worker/dist/queue/elder-chunks.js'
import { uniqueName } from '../support/pool-name.js'

const token = 'holder'
const client = randomId()
const id = (index: number) => formatChunkId(client, 0, index)
const chunk = (index: number, priority: number): NewChunk => ({
  jobId: id(index),
  taskId: 'ns.task',
  data: 'data',
  priority,
})

let link: RedisLink
let keys: PoolKeys
let queue: ChunkQueue
let store: ChunkStore
beforeAll(async () => {
  link = await RedisLink.open(inject('redisUrl'))
})
beforeEach(() => {
  keys = new PoolKeys(uniqueName('elders'))
  queue = new ChunkQueue(link, keys)
  store = new ChunkStore(link, keys)
})
afterAll(() => link.close())

const elders = () => link.client.lrange(keys.chunk('elders'), 0, -1)
/** As if they had been added earlier. */
const age = async (milliseconds: number, ...indexes: number[]) => {
  for (const index of indexes) {
    const added = Number(await link.client.hget(keys.chunk(id(index)), 'timestamp'))
    await link.client.hset(keys.chunk(id(index)), 'timestamp', added - milliseconds)
  }
}

/** Two ways to take so many chunks; one in four may be an elder that has waited for more than a minute. */
const ways: Record<string, (count: number) => Promise<(string | undefined)[]>> = {
  'one by one': async (count) => {
    const taken = []
    for (let i = 0; i < count; i++) taken.push((await queue.take(token))?.jobId)
    return taken
  },
  'each with the end of the one before': async (count) => {
    const taken = [(await queue.take(token))?.jobId]
    for (let i = 1; i < count; i++) {
      const last = taken.at(-1) as string
      const ended = [last, ['j', last, 'h', '', 'p', '']] as const
      taken.push((await queue.exchange(token, [ended], 1)).taken[0]?.jobId)
    }
    return taken
  },
}

describe.each(Object.entries(ways))('chunks are taken %s:', (_way, take) => {
  test.each([21, 61])('the least urgent, when it has waited for %d s, before 300 others are over', async (seconds) => {
    await store.add([chunk(0, 9)])
    await age(seconds * 1000, 0)
    await store.add(Array.from({ length: 310 }, (_, i) => chunk(i + 1, i % 2)))
    expect(await take(300)).toContain(id(0))
  })

  test('one that has not waited for long keeps its place', async () => {
    await store.add([chunk(0, 9), ...Array.from({ length: 310 }, (_, i) => chunk(i + 1, i % 2))])
    expect(await take(300)).not.toContain(id(0))
  })

  test('of several the one that has waited longest, also when it was given back or put off meanwhile', async () => {
    await store.add([chunk(0, 9), chunk(1, 8), chunk(2, 7)])
    expect((await queue.take(token))?.jobId).toBe(id(2))
    expect((await queue.take(token))?.jobId).toBe(id(1))
    await store.putOff(id(1), token, 1)
    await store.giveBack(id(2), token)
    await age(61_000, 0, 1, 2)
    await store.add(Array.from({ length: 310 }, (_, i) => chunk(i + 3, 0)))
    expect(await take(300)).toEqual(expect.arrayContaining([id(0), id(1), id(2)]))
  })
})

test('those that are gone, in whatever way, are passed over and forgotten', async () => {
  await store.add(Array.from({ length: 50 }, (_, i) => chunk(i, 1)))
  await ways['one by one']?.(40)
  await store.dropWaiting(`${client}.`)
  await store.add([chunk(100, 1)])
  expect(await elders()).toEqual([id(100)])
})

test('the longer it has waited, the more takes are for it', () => {
  const patience = Array.from({ length: 1600 }, (_, i) => elderPatience(i / 1600))
  const forOne = (waited: number) => patience.filter((least) => least > 0 && waited >= least).length / 1600
  expect([19_000, 20_000, 60_000].map(forOne)).toEqual([0, 1 / 16, 1 / 4])
})

test('without priorities there is no list', async () => {
  await store.add([chunk(0, 0)])
  await queue.take(token)
  await store.giveBack(id(0), token)
  expect(await elders()).toEqual([])
})
