// Whose chunk is next: what our scripts make of chunks of several producers, in which order they are taken, and what stays behind.
import { formatChunkId, PoolKeys, RedisLink, randomId } from '@poolmq/shared'
import { ChunkStore, knownCosts, type NewChunk, type Share, tellCosts } from '@poolmq/worker'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { ChunkQueue } from '../../packages/worker/dist/queue/chunk-queue.js'
import { swap } from '../../packages/worker/dist/queue/swap-scripts.js'
import { uniqueName } from '../support/pool-name.js'

const token = 'holder'
const [a, b, c] = [`a${randomId()}`, `b${randomId()}`, `c${randomId()}`]

let link: RedisLink
let keys: PoolKeys
let queue: ChunkQueue
let store: ChunkStore
let added: Map<string, number>
async function anew(): Promise<void> {
  keys = new PoolKeys(uniqueName('fair'))
  queue = new ChunkQueue(link, keys)
  store = new ChunkStore(link, keys)
  added = new Map()
}
const clear = async () => {
  const left = await link.client.keys(`${keys.prefix}:*`)
  if (left.length > 0) await link.client.del(...left)
}
beforeEach(async () => {
  link = await RedisLink.open(inject('redisUrl'))
  await anew()
})
afterEach(async () => {
  await clear()
  await link.close()
})

/** Adds so many chunks of a client, in batches as clients do. */
async function add(
  client: string,
  count: number,
  { step = 1, priority = 0, key = client, share = { key, step } as Share } = {},
): Promise<void> {
  const from = added.get(client) ?? 0
  added.set(client, from + count)
  const chunk = (_: unknown, i: number): NewChunk => ({
    jobId: formatChunkId(client, 0, from + i),
    taskId: 'ns.task',
    data: 'data',
    priority,
  })
  const chunks = Array.from({ length: count }, chunk)
  while (chunks.length > 0) await store.add(chunks.splice(0, 500), share)
}
const ids = async (count: number): Promise<string[]> => {
  const taken: string[] = []
  while (taken.length < count) {
    const found = (await queue.exchange(token, [], 1)).taken
    if (found.length === 0) break
    taken.push(...found.map(({ jobId }) => jobId))
  }
  return taken
}
/** Whose chunks are taken next, as letters. */
const turns = async (count: number) => (await ids(count)).map((id) => id[0]).join('')
const counted = (text: string) => [a, b, c].map((client) => text.split(client[0] as string).length - 1)
const meta = () => link.client.hmget(keys.chunk('meta'), 'list.owner', 'list.tag')

test('one who comes later has every other turn at once, however many wait', async () => {
  await add(a, 10_000)
  expect(await turns(100)).toBe('a'.repeat(100))
  await add(b, 2000)
  expect(await turns(200)).toBe('ab'.repeat(100))
  // No chunk of theirs has lost its place among their own.
  expect(await ids(4)).toEqual(
    [a, b, a, b].map((client, i) => formatChunkId(client, 0, (client === a ? 200 : 100) + (i >> 1))),
  )
})

test('what waits alone is in the list, in the order in which it was added, and nothing else is written', async () => {
  await add(a, 3)
  await add(a, 2)
  expect(await link.client.llen(keys.chunk('wait'))).toBe(5)
  expect(await link.client.exists(keys.chunk('prioritized'), keys.chunk('shares'))).toBe(0)
  expect(await meta()).toEqual([`- 1 ${a}`, null])
  expect(await turns(5)).toBe('aaaaa')
  // The list is free for whoever comes next.
  await add(b, 2, { step: 3 })
  expect(await link.client.llen(keys.chunk('wait'))).toBe(2)
  expect(await meta()).toEqual([`- 3 ${b}`, null])
})

test.each([0, 3])('weights are kept, in the list and beside it, with the priority %i', async (priority) => {
  for (const [client, step] of [
    [a, 1],
    [b, 1 / 2],
    [c, 1 / 4],
  ] as const)
    await add(client, 3000, { step, priority })
  expect(counted(await turns(700))).toEqual([100, 200, 400])
})

test('it is run time that is shared: long chunks have fewer turns', async () => {
  await add(a, 100, { step: 0.01 })
  await add(b, 100, { step: 0.05 })
  expect(counted(await turns(60))).toEqual([50, 10, 0])
})

/** Items of one task, of which Redis knows what they take. */
const ofTask = (key: string, { items = 1, weight = 1, task = 'ns.task' } = {}) => ({
  share: { key, items, weight, task },
})
const tell = (task: string, seconds: number, chunks = 1) =>
  tellCosts(link, keys, [{ taskId: task, chunks, sum: seconds * chunks }])

test('what an item of a task takes is the same for all, by items and weight', async () => {
  await tell('ns.task', 0.01)
  await tell('long', 0.02)
  await add(a, 100, ofTask(a, { items: 10 }))
  await add(b, 100, ofTask(b, { items: 10, task: 'long' }))
  await add(c, 100, ofTask(c, { items: 20, weight: 4 }))
  expect(await meta()).toEqual([`10 1 ${a} ns.task`, expect.any(String)])
  expect(counted(await turns(70))).toEqual([20, 10, 40])
})

test('what a task takes that nobody knows is a millisecond, and what takes next to nothing has its way', async () => {
  await tell('tiny', 1e-7)
  await add(a, 1000, ofTask(a, { items: 50 }))
  await add(b, 1000, ofTask(b, { items: 50, task: 'tiny' }))
  expect(counted(await turns(110))).toEqual([10, 100, 0])
})

test('what is known when sharing begins counts, not what was when the list was filled', async () => {
  await add(a, 100, ofTask(a))
  await tell('ns.task', 0.05)
  await add(b, 100, ofTask(b))
  expect(counted(await turns(20))).toEqual([10, 10, 0])
})

test('the list costs what its owner adds to it while others wait as well', async () => {
  await tell('ns.task', 0.01)
  await tell('long', 0.05)
  await add(a, 10, ofTask(a))
  await add(b, 500, ofTask(b))
  await add(a, 100, ofTask(a, { task: 'long' }))
  // In their order: the chunks that went before are charged as the last ones are.
  expect(counted(await turns(60))).toEqual([10, 50, 0])
})

test('a producer that is alone asks nobody what its tasks take', async () => {
  // Whoever asks is refused.
  await link.client.set(keys.chunk('costs'), 'not a hash')
  await add(a, 500, ofTask(a))
  await add(a, 500, ofTask(a, { items: 7, task: 'other' }))
  await expect(add(b, 1, ofTask(b))).rejects.toThrow('WRONGTYPE')
})

test('what is charged for a task moves when it is wrong by a twentieth', async () => {
  expect(await tell('ns.task', 0.01)).toEqual(new Map([['ns.task', 0.01]]))
  expect(await tell('ns.task', 0.0108)).toEqual(new Map([['ns.task', 0.01]]))
  // The mean of all that was told by then.
  expect(await tell('ns.task', 0.013, 2)).toEqual(new Map([['ns.task', 0.0117]]))
  expect(await knownCosts(link, keys)).toEqual(new Map([['ns.task', 0.0117]]))
  // What was long ago does not count for ever.
  await tell('ns.task', 0.01, 100_000)
  for (let i = 0; i < 10; i++) await tell('ns.task', 0.1, 500)
  expect((await knownCosts(link, keys)).get('ns.task')).toBeGreaterThan(0.09)
})

test('what is known of tasks does not grow with those that have gone', async () => {
  const tasks = Array.from({ length: 1500 }, (_, i) => ({ taskId: `task ${i}`, chunks: 1, sum: 1 }))
  expect((await tellCosts(link, keys, tasks)).size).toBe(1500)
  expect((await knownCosts(link, keys)).size).toBe(1000)
})

test('one who was away has no credit, and no debt', async () => {
  await add(a, 1000)
  await add(b, 100)
  expect(counted(await turns(100))).toEqual([50, 50, 0])
  await add(c, 20)
  // It has its third from now on, not what it did not ask for before.
  expect(counted(await turns(30))).toEqual([10, 10, 10])
  await turns(100)
  expect(counted(await turns(30))).toEqual([30, 0, 0])
  await add(b, 20)
  expect(await turns(20)).toMatch(/^(ab){10}$|^(ba){10}$/)
})

test('with nobody else left, and nothing owed, it is as if there had been nobody', async () => {
  await add(a, 20, { step: 1 })
  await add(b, 1, { step: 5 })
  expect(await turns(2)).toBe('ab')
  // What it has had beyond its turn is known until the other has had as much.
  await add(b, 1, { step: 5 })
  expect(await turns(6)).toBe('aaaaab')
  expect((await meta())[1]).not.toBeNull()
  await turns(12)
  expect((await meta())[1]).toBeNull()
})

test('nobody starves beside fifty that keep sending', async () => {
  const others = Array.from({ length: 50 }, (_, i) => `o${i}${randomId()}`)
  for (const other of others) await add(other, 2)
  await add(a, 1)
  const seen: string[] = []
  while (!seen.some((id) => id.startsWith(a)) && seen.length < 500) {
    const [id = ''] = await ids(1)
    seen.push(id)
    await add(id.split('.')[0] as string, 1)
  }
  // Each of the others has had a turn at most before, and one more who was at it.
  expect(seen.length).toBeLessThanOrEqual(102)
})

test.each([0, 4])('what is given back is next, of the priority %i', async (priority) => {
  await add(a, 50)
  await add(b, 50, { priority })
  const taken = priority === 0 ? await ids(2) : await ids(51)
  const last = taken.at(-1) ?? ''
  expect(last[0]).toBe('b')
  await store.giveBack(last, token)
  if (priority > 0) await add(a, 5)
  expect(await ids(1)).toEqual([last])
  // It had its turn before, and costs none.
  if (priority === 0) expect(await turns(4)).toBe('abab')
})

test('those who have one key share one part', async () => {
  await add(a, 100)
  await add(b, 100, { key: 'team' })
  await add(c, 100, { key: 'team' })
  expect(counted(await turns(100))).toEqual([50, 50, 0])
})

test('a priority is stronger than a turn', async () => {
  await add(a, 10, { priority: 2 })
  await add(b, 10, { priority: 1 })
  await add(c, 3)
  expect(await turns(23)).toBe(`ccc${'b'.repeat(10)}${'a'.repeat(10)}`)
})

test('with a priority one keeps the order of its chunks, however short they are and high it is', async () => {
  for (const priority of [1, 1000, 2_097_151]) {
    await add(a, 300, { priority, step: 1e-6 })
    const expected = Array.from({ length: 300 }, (_, i) => formatChunkId(a, 0, (added.get(a) ?? 0) - 300 + i))
    expect(await ids(400)).toEqual(expected)
  }
})

test('what was withdrawn is no debt', async () => {
  await add(a, 1000)
  await add(b, 500)
  expect(await turns(10)).toBe('ababababab')
  const waiting = Array.from({ length: 495 }, (_, i) => formatChunkId(b, 0, 5 + i))
  await store.drop(waiting, false, b)
  await add(b, 10)
  expect(await turns(10)).toMatch(/^(ab){5}$|^(ba){5}$/)
})

test('a chunk that cannot run is exchanged for one that waits beside the list', async () => {
  await add(a, 300)
  await add(b, 2)
  const [misfit = ''] = await ids(1)
  const [, found] = await swap(link, keys, { jobId: misfit, token }, [b], 10_000)
  expect(String(found)).toBe(formatChunkId(b, 0, 0))
  expect(await ids(1)).toEqual([misfit])
})

test('what is remembered of producers does not grow with those that have gone', async () => {
  await add(a, 5000)
  for (let i = 0; i < 600; i++) {
    await add(`x${i}`, 1)
    await turns(2)
  }
  expect(await link.client.hlen(keys.chunk('shares'))).toBeLessThan(150)
})

test('a list whose owner is not known any more holds nobody up', async () => {
  await add(a, 100)
  await link.client.del(keys.chunk('meta'))
  await add(a, 100)
  await add(b, 10, { step: 0.001 })
  expect(counted(await turns(30))[1]).toBeGreaterThanOrEqual(9)
})

test('BullMQ’s own take finds all chunks, whatever waits where', async () => {
  await add(a, 3)
  await add(b, 3)
  await add(c, 3, { priority: 7 })
  const taken: string[] = []
  for (let one = await queue.take(token); one !== undefined; one = await queue.take(token)) taken.push(one.jobId)
  expect(counted(taken.map((id) => id[0]).join(''))).toEqual([3, 3, 3])
})

type Deed = { readonly add: number; readonly count: number } | { readonly take: number } | { readonly back: number }

// Goyal, Vin, Cheng, theorem 1: as long as two have chunks waiting, what they have had differs by a step of each at most.
test('over any adds and takes nobody gets more than a turn ahead of anybody who waits', {
  timeout: 120_000,
}, async () => {
  const client = (i: number) => `c${i}`
  const deed = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ add: fc.integer({ min: 0, max: 3 }), count: fc.integer({ min: 1, max: 12 }) }),
    },
    { weight: 4, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 9 }) }) },
    { weight: 1, arbitrary: fc.record({ back: fc.nat(5) }) },
  )
  const steps = fc.array(fc.constantFrom(0.001, 0.0025, 0.01, 0.5, 1, 3), { minLength: 4, maxLength: 4 })
  const property = fc.asyncProperty(
    steps,
    fc.constantFrom(0, 2),
    fc.array(deed, { maxLength: 40 }),
    async (step, priority, deeds: Deed[]) => {
      await anew()
      const waiting = step.map(() => [] as number[])
      /** Virtual time that each pair of those has had since both wait. */
      const had = step.map(() => step.map(() => 0))
      const returned: string[] = []
      const hand: string[] = []
      try {
        for (const one of deeds) {
          if ('add' in one) {
            const i = one.add
            if (waiting[i]?.length === 0)
              for (const j of step.keys()) (had[i] as number[])[j] = (had[j] as number[])[i] = 0
            for (let k = 0; k < one.count; k++) waiting[i]?.push((added.get(client(i)) ?? 0) + k)
            await add(client(i), one.count, { step: step[i] as number, priority })
          } else if ('back' in one) {
            const jobId = hand.splice(one.back, 1)[0]
            if (jobId !== undefined && (await store.giveBack(jobId, token))) returned.push(jobId)
          } else {
            const { taken } = await queue.exchange(token, [], one.take)
            const left = waiting.reduce((sum, { length }) => sum + length, 0) + returned.length
            expect(taken).toHaveLength(Math.min(one.take, left))
            for (const { jobId } of taken) {
              const last = returned.pop()
              if (last !== undefined) {
                expect(jobId).toBe(last)
                continue
              }
              hand.push(jobId)
              const i = Number(jobId.slice(1, jobId.indexOf('.')))
              expect(jobId).toBe(formatChunkId(client(i), 0, waiting[i]?.shift() ?? -1))
              for (const j of step.keys()) (had[i] as number[])[j] = (had[i]?.[j] ?? 0) + (step[i] as number)
              for (const j of step.keys()) {
                if (j === i || waiting[j]?.length === 0) continue
                const ahead = (had[i]?.[j] ?? 0) - (had[j]?.[i] ?? 0)
                expect(ahead).toBeLessThanOrEqual((step[i] as number) + (step[j] as number) + 1e-4)
              }
            }
          }
        }
      } finally {
        await clear()
      }
    },
  )
  await fc.assert(property, { numRuns: 300 })
})
