// A chunk that its process cannot run goes to the front, and one of a client that it can run is taken instead.
import { formatChunkId, PoolKeys, RedisLink, randomId } from '@poolmq/shared'
import { ChunkStore, type NewChunk } from '@poolmq/worker'
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { ChunkQueue } from '../../packages/worker/dist/queue/chunk-queue.js'
import { swap } from '../../packages/worker/dist/queue/swap-scripts.js'
import { uniqueName } from '../support/pool-name.js'

const token = 'holder'
const ours = randomId()
const theirs = randomId()
const chunk = (client: string, index: number, priority: number): NewChunk => ({
  jobId: formatChunkId(client, 0, index),
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
  keys = new PoolKeys(uniqueName('swap'))
  queue = new ChunkQueue(link, keys)
  store = new ChunkStore(link, keys)
})
afterAll(() => link.close())

test.each([
  ['without priorities', 0, 0, 0],
  ['of the same priority', 3, 3, 1],
  ['of a less urgent one', 3, 9, 1],
  ['that has none, for one that has', 0, 9, undefined],
])('chunks %s', async (_what, misfit, other, expected) => {
  await store.add([chunk(theirs, 0, misfit), chunk(theirs, 1, misfit), chunk(ours, 2, other)])
  const { jobId } = (await queue.take(token)) ?? { jobId: '' }
  expect(jobId).toBe(formatChunkId(theirs, 0, 0))
  const [, taken] = await swap(link, keys, { jobId, token }, [ours], 10_000)
  if (expected === undefined) {
    expect(taken).toBeUndefined()
    expect(await link.client.get(keys.chunk(`${jobId}:lock`))).toBe(token)
    return
  }
  expect(String(taken)).toBe(formatChunkId(ours, 0, 2))
  expect(await link.client.lrange(keys.chunk('active'), 0, -1)).toEqual([formatChunkId(ours, 0, 2)])
  expect(await link.client.zscore(keys.chunk('prioritized'), String(taken))).toBeNull()
  // The misfit is next, for whoever can run it.
  expect((await queue.take('another'))?.jobId).toBe(jobId)
  expect(await link.client.zcard(keys.chunk('prioritized'))).toBe(expected)
})

test('what is given back is next, whatever its priority', async () => {
  await store.add([chunk(ours, 0, 9), chunk(ours, 1, 9)])
  const { jobId } = (await queue.take(token)) ?? { jobId: '' }
  await store.giveBack(jobId, token)
  await store.add([chunk(ours, 2, 1), chunk(ours, 3, 0)])
  expect((await queue.take(token))?.jobId).toBe(jobId)
})
