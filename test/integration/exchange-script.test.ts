// What our scripts do to the queue beside BullMQ's: add, and at a chunk's end outcome, completion and the next chunk as one.
import { formatChunkId, PoolKeys, RedisLink, randomId } from '@poolmq/shared'
import { ChunkStore, type NewChunk } from '@poolmq/worker'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { ChunkQueue } from '../../packages/worker/dist/queue/chunk-queue.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

const token = 'holder'
const client = randomId()
const id = (index: number) => formatChunkId(client, 0, index)
const outcomeOf = (jobId: string) => ['j', jobId, 'h', '{"v":1}', 'p', '[1]'] as const
const outcome = outcomeOf(id(0))

let link: RedisLink
let keys: PoolKeys
let queue: ChunkQueue
let store: ChunkStore
beforeEach(async () => {
  keys = new PoolKeys(uniqueName('complete'))
  link = await RedisLink.open(inject('redisUrl'))
  queue = new ChunkQueue(link, keys)
  store = new ChunkStore(link, keys)
  await link.client.xadd(keys.results(client), '*', 'open', '1')
})
afterEach(async () => {
  const left = await link.client.keys(`${keys.prefix}:*`)
  if (left.length > 0) await link.client.del(...left)
  await link.close()
})

const chunk = (index: number, priority = 0): NewChunk => ({
  jobId: id(index),
  taskId: 'ns.task',
  data: `data of ${index}`,
  priority,
})
const active = () => link.client.lrange(keys.chunk('active'), 0, -1)
const delivered = async () => (await link.client.xlen(keys.results(client))) - 1
/** Delivers an outcome of a chunk, and takes one more when it is wanted. */
async function complete(takeNext = true, index = 0) {
  const { delivered, taken } = await queue.exchange(token, [[id(index), outcome]], takeNext ? 1 : 0)
  return { delivered: delivered[0], next: taken[0] }
}

async function addAndTake(...chunks: NewChunk[]): Promise<void> {
  await store.add(chunks)
  expect((await queue.take(token))?.jobId).toBe(id(0))
}

describe('a chunk is added', () => {
  test('with a time to live, and so are the lists', async () => {
    await store.add([chunk(0), chunk(1, 5)])
    for (const suffix of [id(0), id(1), 'wait', 'prioritized', 'shares', 'marker']) {
      expect(await link.client.pttl(keys.chunk(suffix)), suffix).toBeGreaterThan(50_000)
    }
  })

  test('once, however often it is sent', async () => {
    await store.add([chunk(0), chunk(1, 5)])
    await store.add([chunk(0), chunk(1, 5), chunk(2)])
    expect(await link.client.lrange(keys.chunk('wait'), 0, -1)).toEqual([id(2), id(0)])
    expect(await link.client.zcard(keys.chunk('prioritized'))).toBe(1)
    expect(await link.client.hget(keys.chunk(id(0)), 'data')).toBe('data of 0')
  })

  test('behind those of the same priority', async () => {
    await store.add([chunk(0, 2), chunk(1, 1), chunk(2, 2), chunk(3, 1)])
    const taken = []
    for (let i = 0; i < 4; i++) taken.push((await queue.take(token))?.jobId)
    expect(taken).toEqual([id(1), id(3), id(0), id(2)])
  })
})

describe('a chunk is completed', () => {
  test('and the next one is taken under the same token, with a lock that ends', async () => {
    await addAndTake(chunk(0), chunk(1), chunk(2))
    const { delivered: isDelivered, next } = await complete()
    expect(isDelivered).toBe(true)
    expect(next).toMatchObject({ jobId: id(1), taskId: 'ns.task', data: Buffer.from('data of 1') })
    expect(await active()).toEqual([id(1)])
    expect(await link.client.get(keys.chunk(`${id(1)}:lock`))).toBe(token)
    expect(await link.client.pttl(keys.chunk(`${id(1)}:lock`))).toBeGreaterThan(5000)
    expect(await link.client.pttl(keys.chunk('active'))).toBeGreaterThan(50_000)
    expect(await link.client.exists(keys.chunk(id(0)), keys.chunk(`${id(0)}:lock`))).toBe(0)
    expect(await link.client.pttl(keys.chunk('marker'))).toBeGreaterThan(50_000)
    expect(await delivered()).toBe(1)
  })

  test('and no other is taken when none is wanted', async () => {
    await addAndTake(chunk(0), chunk(1))
    expect((await complete(false)).next).toBeUndefined()
    expect(await active()).toEqual([])
    expect(await link.client.llen(keys.chunk('wait'))).toBe(1)
  })

  test('and nothing is left of the last one', async () => {
    await addAndTake(chunk(0))
    expect(await complete()).toEqual({ delivered: true, next: undefined })
    expect(await link.client.exists(keys.chunk('active'), keys.chunk(id(0)))).toBe(0)
  })

  test('and chunks with a priority follow, the most urgent first', async () => {
    await addAndTake(chunk(0), chunk(1, 7), chunk(2, 3))
    expect((await complete()).next?.jobId).toBe(id(2))
    expect((await complete(true, 2)).next?.jobId).toBe(id(1))
  })

  test('also when its lock has lapsed, and nobody else has taken it', async () => {
    await addAndTake(chunk(0))
    await link.client.del(keys.chunk(`${id(0)}:lock`))
    await complete()
    expect(await active()).toEqual([])
    expect(await link.client.exists(keys.chunk(id(0)))).toBe(0)
  })
})

describe('a chunk is delivered, and not completed,', () => {
  test('when another holds it', async () => {
    await addAndTake(chunk(0), chunk(1))
    await link.client.set(keys.chunk(`${id(0)}:lock`), 'another')
    expect((await complete()).next?.jobId).toBe(id(1))
    expect(await active()).toEqual([id(1), id(0)])
    expect(await link.client.get(keys.chunk(`${id(0)}:lock`))).toBe('another')
    expect(await delivered()).toBe(1)
  })

  test('when it was given back and waits again', async () => {
    await addAndTake(chunk(0))
    await link.client.del(keys.chunk(`${id(0)}:lock`))
    await link.client.rpoplpush(keys.chunk('active'), keys.chunk('wait'))
    const { next } = await complete()
    expect(next).toMatchObject({ jobId: id(0), data: Buffer.from('data of 0') })
  })
})

test('nobody to deliver to: it is said, and the chunk is completed', async () => {
  await addAndTake(chunk(0))
  await link.client.del(keys.results(client))
  expect(await complete()).toEqual({ delivered: false, next: undefined })
  expect(await link.client.exists(keys.results(client), keys.chunk(id(0)))).toBe(0)
})

describe('what is not plain is left to BullMQ:', () => {
  test.each([
    ['paused', '1'],
    ['concurrency', '1'],
    ['max', '10'],
  ])('a queue with %s', async (field, value) => {
    await addAndTake(chunk(0), chunk(1))
    await link.client.hset(keys.chunk('meta'), field, value)
    expect((await complete()).next).toBeUndefined()
    expect(await active()).toEqual([])
    await link.client.hdel(keys.chunk('meta'), field)
    expect((await queue.take(token))?.jobId).toBe(id(1))
  })

  test('a chunk that was put off and is due', async () => {
    await addAndTake(chunk(0), chunk(1))
    await store.putOff(id(0), token, 60_000)
    expect((await queue.take(token))?.jobId).toBe(id(1))
    await link.client.zadd(keys.chunk('delayed'), 'XX', 1, id(0))
    expect((await complete(true, 1)).next).toBeUndefined()
    expect((await queue.take(token))?.jobId).toBe(id(0))
  })
})

test('one that is put off for long does not keep the others back', async () => {
  await addAndTake(chunk(0), chunk(1), chunk(2))
  await store.putOff(id(0), token, 60_000)
  await queue.take(token)
  expect((await complete(true, 1)).next?.jobId).toBe(id(2))
})

test('a next chunk whose hash is gone is none: the one after it is taken', async () => {
  await addAndTake(chunk(0), chunk(1), chunk(2))
  await link.client.del(keys.chunk(id(1)))
  expect((await complete()).next).toMatchObject({ jobId: id(2) })
  expect(await active()).toEqual([id(2)])
  expect(await link.client.exists(keys.chunk(id(1)), keys.chunk(`${id(1)}:lock`), keys.chunk('wait'))).toBe(0)
})

test('a next chunk whose hash is of another type is taken, and empty', async () => {
  await addAndTake(chunk(0), chunk(1))
  await link.client.set(keys.chunk(id(1)), 'x')
  const { next } = await complete()
  expect(next).toMatchObject({ jobId: id(1), taskId: '', data: undefined })
  await complete(true, 1)
  expect(await link.client.exists(keys.chunk(id(1)), keys.chunk('active'))).toBe(0)
})

test('a lock, or a hash, of another type holds up no other chunk', async () => {
  await store.add([chunk(0), chunk(1), chunk(2)])
  for (let i = 0; i < 3; i++) await queue.take(token)
  const lockOf = (index: number) => keys.chunk(`${id(index)}:lock`)
  await link.client.del(lockOf(0))
  await link.client.lpush(lockOf(0), 'x')
  await link.client.pexpire(lockOf(1), 1000)
  expect(await store.renew([0, 1].map((i) => [id(i), token] as const))).toEqual([])
  expect(await link.client.pttl(lockOf(1))).toBeGreaterThan(5000)
  await link.client.del(lockOf(1), lockOf(2))
  await link.client.set(keys.chunk(id(1)), 'x')
  // Of no duration: a lock that is missing twice has lapsed.
  const impatient = new ChunkStore(link, keys, 0)
  const found = new Set<string>()
  const look = async () => {
    for (const one of (await impatient.giveBackLapsed()).chunks) found.add(one)
    return [...found].sort()
  }
  expect(await until('they are given back', look, (ids) => ids.length === 2)).toEqual([id(1), id(2)])
})

test('a refused outcome changes nothing', async () => {
  await addAndTake(chunk(0), chunk(1))
  await link.client.set(keys.results(client), 'not a stream')
  await expect(complete()).rejects.toThrow('WRONGTYPE')
  expect(await active()).toEqual([id(0)])
  expect(await link.client.get(keys.chunk(`${id(0)}:lock`))).toBe(token)
})

describe('several chunks at once', () => {
  const ids = async (want: number, from = queue) =>
    (await from.exchange(token, [], want)).taken.map(({ jobId }) => jobId)

  test('are taken in order, as many as are wanted and there', async () => {
    await store.add([chunk(0), chunk(1), chunk(2, 5), chunk(3)])
    expect(await ids(2)).toEqual([id(0), id(1)])
    expect(await queue.exchange(token, [], 5)).toMatchObject({
      rest: 'none',
      taken: [{ jobId: id(3) }, { jobId: id(2) }],
    })
    expect(await active()).toEqual([id(2), id(3), id(1), id(0)])
    expect(await link.client.exists(...[0, 1, 2, 3].map((i) => keys.chunk(`${id(i)}:lock`)))).toBe(4)
  })

  test('are left to others in part, where others are, and they are told', async () => {
    await store.add([0, 1, 2, 3, 4, 5].map((i) => chunk(i)))
    await link.client.del(keys.chunk('marker'))
    const sharing = new ChunkQueue(link, keys, { lanes: 8, sharers: 3 })
    expect(await sharing.exchange(token, [], 8)).toMatchObject({
      rest: 'more',
      taken: [{ jobId: id(0) }, { jobId: id(1) }],
    })
    expect(await link.client.exists(keys.chunk('marker'))).toBe(1)
    // The last one is not left by all.
    for (const want of [2, 1, 1]) expect(await ids(8, sharing)).toHaveLength(want)
  })

  test('are delivered at once: one whose client is gone harms no other', async () => {
    await store.add([chunk(0), chunk(1), chunk(2)])
    await ids(3)
    const other = formatChunkId('gone', 0, 0)
    const { delivered: were } = await queue.exchange(
      token,
      [id(0), other, id(2)].map((jobId) => [jobId, outcomeOf(jobId)]),
      0,
    )
    expect(were).toEqual([true, false, true])
    expect(await delivered()).toBe(2)
    expect(await active()).toEqual([id(1)])
  })

  test('of one client are delivered in one entry, when they are short and their client reads them so', async () => {
    const another = randomId()
    await link.client.xadd(keys.results(another), '*', 'open', '1')
    const all = [0, 1, 2, 3, 4, 5].map(id)
    await store.add(all.map((jobId) => ({ ...chunk(0), jobId })))
    await ids(6)
    const bytes = ['j', id(3), 'h', '{"v":1,"e":"n1","d":1}', 'p', Buffer.from('12345678')] as const
    const long = ['j', id(4), 'h', '{"v":1}', 'p', 'x'.repeat(64 * 1024)] as const
    const theirs = formatChunkId(another, 0, 0)
    const { delivered: were } = await queue.exchange(
      token,
      [
        [id(0), outcomeOf(id(0)), true],
        [id(1), outcomeOf(id(1)), true],
        [theirs, outcomeOf(theirs), true],
        [id(2), outcomeOf(id(2)), true],
        [id(3), bytes, true],
        [id(4), long, true],
        [id(5), outcomeOf(id(5)), false],
      ],
      0,
    )
    expect(were).toEqual(new Array(6).fill(true))
    const entries = await link.client.xrange(keys.results(client), '(0', '+')
    const heard = entries.slice(1).map(([, fields]) => fields)
    expect(heard.map((fields) => fields[1])).toEqual([`${id(0)} ${id(1)}`, id(2), id(3), id(4), id(5)])
    expect(heard[0]).toEqual(['j', `${id(0)} ${id(1)}`, 'h', '{"v":1}\n{"v":1}', 'p', '[1]\n[1]'])
    expect(await delivered()).toBe(5)
    expect(await active()).toEqual([])
    expect(await link.client.exists(...all.flatMap((jobId) => [keys.chunk(jobId), keys.chunk(`${jobId}:lock`)]))).toBe(
      0,
    )
  })

  test('are not more than a reply should hold', async () => {
    const large = 'x'.repeat(256 * 1024)
    await store.add(Array.from({ length: 100 }, (_, i) => ({ ...chunk(i), data: large })))
    const { taken, rest } = await queue.exchange(token, [], 100)
    expect(rest).toBe('more')
    expect(taken.length).toBeGreaterThan(32)
    expect(taken.length).toBeLessThan(60)
    expect(await ids(100)).toHaveLength(taken.length)
  })

  test('come with what they were sent as, and what a name holds that is none', async () => {
    await store.add([
      { jobId: id(0), taskId: 'ns.täsk', data: 'a\nb\n\n', priority: 0 },
      { jobId: id(1), taskId: 'two\nlines', data: Buffer.from([10, 0, 255]), priority: 0 },
      { jobId: id(2), taskId: 'ns.task', data: '', priority: 3 },
    ])
    const { taken } = await queue.exchange(token, [], 3)
    expect(taken.map(({ jobId, taskId, data }) => [jobId, taskId, data?.toString('latin1')])).toEqual([
      [id(0), 'ns.täsk', 'a\nb\n\n'],
      [id(1), 'two\nlines', '\n\0\xff'],
      [id(2), 'ns.task', ''],
    ])
    expect(taken[0]?.fields.size).toBe(0)
    expect(taken[0]?.waited).toBeGreaterThanOrEqual(0)
  })

  test('say beside how many they may run, for the case that their host is lost', async () => {
    await store.add([chunk(0), chunk(1)])
    await ids(1)
    await ids(1, new ChunkQueue(link, keys, { lanes: 8 }))
    expect(await link.client.hget(keys.chunk(id(0)), 'lanes')).toBeNull()
    expect(await link.client.hget(keys.chunk(id(1)), 'lanes')).toBe('8')
  })
})
