// Whatever touched a pool's keys last, none of them is there for ever: all that would renew or remove it may die at that
// very moment. Each script, and each command of BullMQ's that we use, runs on keys that it has to make anew.
import { encodeValues, formatChunkId, inBlobs, PoolKeys, RedisLink, randomId, sharedContent } from '@poolmq/shared'
import { ChunkStore, type NewChunk, orderStop, renewLease, sweepPool } from '@poolmq/worker'
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { PoolView } from '../../packages/worker/dist/monitor/pool-view.js'
import * as viewScripts from '../../packages/worker/dist/monitor/view-scripts.js'
import { ChunkQueue } from '../../packages/worker/dist/queue/chunk-queue.js'
import * as chunkScripts from '../../packages/worker/dist/queue/chunk-scripts.js'
import { tellCosts } from '../../packages/worker/dist/queue/cost-script.js'
import * as dropScripts from '../../packages/worker/dist/queue/drop-scripts.js'
import * as durableScripts from '../../packages/worker/dist/queue/durable-scripts.js'
import { DurableStore } from '../../packages/worker/dist/queue/durable-store.js'
import { dismiss } from '../../packages/worker/dist/queue/handover-scripts.js'
import { PieceStore } from '../../packages/worker/dist/queue/piece-store.js'
import * as poolScripts from '../../packages/worker/dist/queue/pool-scripts.js'
import { liveHosts, showHost } from '../../packages/worker/dist/queue/presence.js'
import { swap, takeOver } from '../../packages/worker/dist/queue/swap-scripts.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

const token = 'holder'
const client = randomId()
const other = randomId()
const id = (index: number, of = client) => formatChunkId(of, 0, index)
const chunk = (index: number, priority = 0, of = client): NewChunk => ({
  jobId: id(index, of),
  taskId: 'ns.task',
  data: `data of ${index}`,
  priority,
})
const outcome = ['j', id(0), 'h', '{"v":1}', 'p', '[1]'] as const

let link: RedisLink
let keys: PoolKeys
let queue: ChunkQueue
let store: ChunkStore
beforeAll(async () => {
  link = await RedisLink.open(inject('redisUrl'))
})
beforeEach(() => {
  keys = new PoolKeys(uniqueName('lives'))
  queue = new ChunkQueue(link, keys, { blocking: true })
  store = new ChunkStore(link, keys)
})
afterAll(() => link.close())

/** The keys that BullMQ, or a script, makes anew whenever they are missing. */
const remade = ['marker', 'events', 'meta', 'pc', 'id', 'suspects', 'elders']
const gone = (...suffixes: string[]) => link.client.del(...suffixes.map((suffix) => keys.chunk(suffix)))
const lapsed = (index: number) => gone(`${id(index)}:lock`)

interface Step {
  /** Brings the pool to where the step begins. */
  readonly given?: () => Promise<unknown>
  readonly run: () => Promise<unknown>
  /** Scripts that it runs. */
  readonly scripts: readonly string[]
  /** Keys that are there afterwards, among others. */
  readonly leaves: readonly string[]
  /** Milliseconds that a key lives at most. @defaultValue a minute */
  readonly life?: number
}

const held = async (...chunks: NewChunk[]) => {
  await link.client.set(keys.results(client), 'stands for the stream', 'PX', 1000)
  await store.add(chunks)
  expect((await queue.take(token))?.jobId).toBe(chunks[0]?.jobId)
}
const delivering = async (...chunks: NewChunk[]) => {
  await held(...chunks)
  await link.client.del(keys.results(client))
  await renewLease(link.client, [keys.results(client), keys.clients, keys.spec(client)], [client, 10_000, '1', ''])
}
const due = () => link.client.zadd(keys.chunk('delayed'), 'XX', 1, id(0))
const lease = (create: '0' | '1', spec: string) =>
  renewLease(link.client, [keys.results(client), keys.clients, keys.spec(client)], [client, 10_000, create, spec])

/** A day, for which a durable call is kept. */
const keep = 86_400_000
const head = (items: number) =>
  ({ key: 'k', form: 'map', task: 'ns.task', items, chunkSize: 1, digest: 'd', host: 'h', pid: 1 }) as const
const durableOf = (run: number, index: number, priority = 0) => ({
  ...chunk(0, priority),
  jobId: `${durable().id}.${run}.${index}`,
})
const content = sharedContent(inBlobs(encodeValues(['x'.repeat(2_000_000)], 'value')))
const durable = () => DurableStore.ofKey(link, keys, 'k')
/** A durable call with a chunk for each of these priorities. */
const begun = async (...priorities: number[]) => {
  const run = (await durable().open(head(priorities.length), priorities.length, keep)) ?? 0
  await durable().notePrints(run, [Buffer.from('print')])
  await durable().begin(run, { maxTasksPerChild: 5 })
  await durable().submit(
    run,
    priorities.map((priority, i) => durableOf(run, i, priority)),
  )
  return run
}

const steps: Record<string, Step> = {
  'preparing the queue': { run: () => store.prepare(), scripts: ['noteMeta', 'expireKeys'], leaves: ['meta'] },
  'adding chunks': {
    run: () => store.add([chunk(0), chunk(1, 5)]),
    scripts: ['addChunks'],
    leaves: ['wait', 'prioritized', 'shares', 'marker', 'elders', id(0), id(1)],
  },
  'adding chunks beside another’s': {
    given: () => store.add([chunk(0)]),
    run: () => store.add([chunk(1, 0, other), chunk(2, 5, other)]),
    scripts: ['addChunks'],
    leaves: ['wait', 'prioritized', 'shares', 'meta', 'elders', id(0), id(1, other)],
  },
  'claiming the list that another has left, and taking turns': {
    run: async () => {
      await store.add([chunk(0)])
      await store.add([chunk(1, 0, other), chunk(2, 0, other), chunk(5, 0, other)])
      await queue.exchange(token, [], 1)
      await gone('shares')
      await store.add([chunk(3)])
      await queue.exchange(token, [], 2)
      await store.add([chunk(4, 0, other)])
    },
    scripts: ['addChunks'],
    leaves: ['wait', 'active', 'shares', 'meta', id(4, other)],
  },
  'telling what chunks took': {
    run: () => tellCosts(link, keys, [{ taskId: 'ns.task', chunks: 1, sum: 1 }]),
    scripts: ['tellCosts'],
    leaves: ['costs'],
  },
  'dropping what waits beside another’s': {
    given: async () => {
      await store.add([chunk(0)])
      await store.add([chunk(1, 0, other), chunk(2, 0, other)])
    },
    run: () => store.drop([id(2, other)], false, other),
    scripts: ['dropChunks'],
    leaves: ['wait', 'prioritized', 'shares', id(0)],
  },
  'taking a chunk': {
    given: () => store.add([chunk(0), chunk(1)]),
    run: () => queue.take(token),
    scripts: ['take'],
    leaves: ['active', 'wait', 'events', 'marker', id(0), `${id(0)}:lock`],
  },
  'taking one with a priority': {
    given: () => store.add([chunk(0, 1), chunk(1, 2)]),
    run: () => queue.take(token),
    scripts: ['take'],
    leaves: ['active', 'prioritized', 'events', 'marker'],
  },
  'taking one whose hash is gone': {
    given: async () => {
      await store.add([chunk(0)])
      await gone(id(0))
    },
    run: () => queue.take(token),
    scripts: ['take'],
    leaves: [],
  },
  'taking one that was put off': {
    given: async () => {
      await held(chunk(0, 3))
      await store.putOff(id(0), token, 60_000)
      await due()
    },
    run: () => queue.take(token),
    scripts: ['take'],
    leaves: ['active', 'pc', 'events', 'marker', id(0)],
  },
  'looking at a paused queue, where one that was put off is due': {
    given: async () => {
      await held(chunk(0))
      await store.putOff(id(0), token, 60_000)
      await due()
      await link.client.hset(keys.chunk('meta'), 'paused', '1')
    },
    run: async () => {
      await link.client.hset(keys.chunk('meta'), 'paused', '1')
      expect(await queue.take(token)).toBeUndefined()
    },
    scripts: ['take'],
    leaves: ['wait', 'events', 'meta', id(0)],
  },
  'waiting for a chunk': {
    given: async () => {
      await store.add([chunk(0)])
      await link.client.zadd(keys.chunk('marker'), 0, '0', 5, '1')
      await link.client.pexpire(keys.chunk('marker'), 10_000)
    },
    run: () => queue.waitForChunk(token, 0.05),
    scripts: [],
    leaves: ['wait', id(0)],
  },
  'noting that a process has nothing to do': {
    run: () => queue.exchange(token, [], 1, true),
    scripts: [],
    leaves: ['idle'],
  },
  'adding chunks while processes have nothing to do': {
    given: async () => {
      await queue.exchange('another', [], 1, true)
      await queue.exchange(token, [], 1, true)
    },
    run: () => store.add([chunk(0), chunk(1, 5), chunk(2)]),
    scripts: ['addChunks'],
    leaves: ['active', 'wait', 'marker', id(0), id(1), `${id(0)}:lock`, `desk:${token}`],
  },
  'handing nothing more to a process that is gone': {
    given: async () => {
      await queue.exchange('another', [], 1, true)
      await queue.exchange(token, [], 1, true)
    },
    run: () => store.dismiss(token),
    scripts: ['dismiss'],
    leaves: ['idle'],
  },
  'completing a chunk, and taking the next': {
    given: () => delivering(chunk(0), chunk(1), chunk(2)),
    run: () => queue.exchange(token, [[id(0), outcome]], 1),
    scripts: [],
    leaves: ['active', 'wait', 'marker', id(1), `${id(1)}:lock`],
  },
  'completing a chunk, and taking one with a priority': {
    given: () => delivering(chunk(0), chunk(1, 7), chunk(2, 8)),
    run: () => queue.exchange(token, [[id(0), outcome]], 1),
    scripts: [],
    leaves: ['active', 'prioritized', 'marker', id(1)],
  },
  'completing a chunk, and taking one whose hash is gone': {
    given: async () => {
      await delivering(chunk(0), chunk(1))
      await gone(id(1))
    },
    run: () => queue.exchange(token, [[id(0), outcome]], 1),
    scripts: [],
    leaves: [],
  },
  'taking several chunks at once': {
    given: () => store.add([chunk(0), chunk(1), chunk(2, 7), chunk(3)]),
    run: () => queue.exchange(token, [], 3),
    scripts: [],
    leaves: ['active', 'prioritized', 'marker', id(0), id(1), id(3), `${id(3)}:lock`],
  },
  'waking another': {
    given: () => store.add([chunk(0)]),
    run: () => store.wakeAnother(),
    scripts: ['wake'],
    leaves: ['marker', 'wait', id(0)],
  },
  'putting a chunk off': {
    given: () => held(chunk(0)),
    run: () => store.putOff(id(0), token, 60_000),
    scripts: ['putOff'],
    leaves: ['delayed', 'marker', id(0)],
  },
  'putting one with a priority off': {
    given: () => held(chunk(0, 2)),
    run: () => store.putOff(id(0), token, 60_000),
    scripts: ['putOff'],
    leaves: ['delayed', 'marker', 'elders', id(0)],
  },
  'giving a chunk back': {
    given: () => held(chunk(0)),
    run: () => store.giveBack(id(0), token),
    scripts: ['giveBack'],
    leaves: ['wait', 'marker', id(0)],
  },
  'giving one with a priority back': {
    given: () => held(chunk(0, 4)),
    run: () => store.giveBack(id(0), token),
    scripts: ['giveBack'],
    leaves: ['wait', 'marker', id(0)],
  },
  'suspecting that a holder is lost': {
    given: async () => {
      await held(chunk(0))
      await lapsed(0)
    },
    run: () => store.giveBackLapsed(),
    scripts: ['giveBackLapsed'],
    leaves: ['active', 'suspects', 'lapse-check'],
  },
  'giving back what a lost holder had': {
    given: async () => {
      await held(chunk(0, 4))
      await lapsed(0)
    },
    run: async () => {
      await link.client.hset(keys.chunk('suspects'), id(0), 1)
      expect((await store.giveBackLapsed()).chunks).toEqual([id(0)])
    },
    scripts: ['giveBackLapsed'],
    leaves: ['marker', id(0)],
  },
  'taking a lapsed lock anew': {
    given: async () => {
      await held(chunk(0))
      await lapsed(0)
    },
    run: () => store.renew([[id(0), token]]),
    scripts: ['renewLocks'],
    leaves: ['active', `${id(0)}:lock`],
  },
  'noting a loss, and fields': {
    given: () => held(chunk(0)),
    run: async () => {
      await store.noteLoss(id(0), token, 'lost:3', '{}')
      await store.noteFields(id(0), new Map([['at', '1']]))
      await store.noteFields(id(7), new Map([['at', '1']]))
    },
    scripts: ['noteLoss', 'noteFields'],
    leaves: [id(0)],
  },
  'asking how long chunks have been running': {
    given: () => held(chunk(0)),
    run: async () => {
      const found = await store.runTimes([id(0), id(1)])
      expect(found).toEqual({ running: 1, times: [expect.any(Number), -1] })
      expect(found?.times[0]).toBeGreaterThanOrEqual(0)
      await store.add([chunk(1, 5)])
      expect(await store.runTimes([id(0)])).toBeUndefined()
    },
    scripts: ['runTimes'],
    leaves: [id(0)],
  },
  'dropping one’s waiting chunks from among others': {
    given: async () => {
      await held(chunk(0), chunk(1))
      await store.putOff(id(0), token, 60_000)
      await store.add([chunk(2), chunk(3, 1), chunk(0, 0, other), chunk(1, 1, other)])
    },
    run: () => store.dropWaiting(`${client}.`),
    scripts: ['dropSlice'],
    leaves: ['wait', 'prioritized', id(0, other), id(1, other)],
  },
  'dropping all of one’s chunks from among others': {
    given: async () => {
      await held(chunk(0), chunk(0, 0, other), chunk(1, 0, other))
      await queue.take('another')
    },
    run: () => store.dropAll(`${client}.`),
    scripts: ['dropSlice'],
    leaves: ['active', 'wait'],
  },
  'dropping most chunks of a long list': {
    given: async () => {
      for (let i = 0; i < 5; i++) await store.add(Array.from({ length: 600 }, (_, k) => chunk(600 * i + k)))
    },
    run: () => store.drop(Array.from({ length: 2999 }, (_, i) => id(i)).filter((_, i) => i % 1000 !== 0)),
    scripts: ['dropChunks', 'thin'],
    leaves: ['wait', id(0), id(1000)],
  },
  'exchanging a chunk in hand, and handing it over': {
    given: () => held(chunk(0), chunk(1, 0, other)),
    run: async () => {
      const [, next] = await swap(link, keys, { jobId: id(0), token }, [other], 10_000)
      expect(String(next)).toBe(id(1, other))
      // Since when it runs is known of it as of any other.
      expect(await link.client.hexists(keys.chunk(id(1, other)), 'processedOn')).toBe(1)
      const [, same] = await takeOver(link, keys, { jobId: id(1, other), token }, 'another', 10_000)
      expect(String(same)).toBe(id(1, other))
    },
    scripts: [],
    leaves: ['wait', 'active', 'marker', id(0), id(1, other)],
  },
  'storing what is large, of a chunk and of an outcome': {
    given: () => lease('1', ''),
    run: async () => {
      const pieces = new PieceStore(link, keys)
      const payload = inBlobs(encodeValues(['x'.repeat(600_000)], 'values'))
      await pieces.putPayload(id(0), payload)
      const name = await pieces.putOutcome(id(0), payload)
      await pieces.renewOutcomes(client, () => true)
      expect(await pieces.getOutcome(id(0), name ?? '')).toBeDefined()
    },
    scripts: [],
    leaves: [`${id(0)}:parts`],
  },
  'pausing a queue, looking at it, and letting it go on': {
    given: () => store.add([chunk(0)]),
    run: async () => {
      const view = new PoolView(link, keys)
      await view.pause()
      await view.stats()
      await view.resume()
      await view.pause()
    },
    scripts: ['pauseQueue', 'resumeQueue', 'oldestWaiting'],
    leaves: ['meta', 'wait'],
  },
  'asking hosts for reports': {
    run: () => new PoolView(link, keys).watchHosts(),
    scripts: ['askForReports', 'presences'],
    leaves: [],
  },
  'asking a host to drain': {
    given: () => showHost(link, keys, 'a', { host: 'h', pid: 1, processes: 1, tasks: [] } as never, 1000),
    run: async () => {
      await new PoolView(link, keys).drain('h')
      await poolScripts.takeOrders(link.client, [keys.orders], ['another'])
    },
    scripts: ['takeOrders'],
    leaves: [],
  },
  'dropping a chunk in hand': {
    given: () => held(chunk(0), chunk(1)),
    run: () => store.dropHeld(id(0), token),
    scripts: ['dropHeld'],
    leaves: ['wait'],
  },
  'showing presence': {
    run: async () => {
      await showHost(link, keys, 'a', { host: 'h', pid: 1, processes: 1, lanes: 1, tasks: [] }, 1000)
      expect(await liveHosts(link, keys)).toHaveLength(1)
    },
    scripts: ['showPresence', 'presences'],
    leaves: [],
  },
  'taking a lease': { run: () => lease('1', '{}'), scripts: ['renewLease'], leaves: [] },
  'renewing a lease that has lapsed': { run: () => lease('0', '{}'), scripts: ['renewLease'], leaves: [] },
  'ordering a call to be stopped': {
    run: () => orderStop(link.client, [keys.stops], [`${client}.0`]),
    scripts: ['orderStop'],
    leaves: [],
  },
  'sweeping a pool that is in use': {
    given: () => lease('1', ''),
    run: async () => {
      const its = ['wait', 'active', 'prioritized', 'delayed'].map((suffix) => keys.chunk(suffix))
      await sweepPool(link.client, [keys.hosts, keys.clients, ...its], [])
    },
    scripts: ['sweepPool'],
    leaves: [],
  },
}

const durableSteps: Record<string, Step> = {
  'beginning a durable call, and adding its chunks': {
    run: () => begun(0, 5),
    scripts: ['openDurable', 'tendOpening', 'beginDurable', 'submitDurable'],
    leaves: ['wait', 'prioritized', 'shares', 'marker', 'elders'],
    life: keep,
  },
  'an outcome of a durable call, and one beside it': {
    run: async () => {
      const run = await begun(0, 0, 0)
      const taken = await queue.take(token)
      const jobId = `${durable().id}.${run}.0`
      expect(taken?.jobId).toBe(jobId)
      const pieces = new PieceStore(link, keys)
      const payload = inBlobs(encodeValues(['x'.repeat(600_000)], 'values'))
      await pieces.putPayload(`${durable().id}.${run}.1`, payload, keep)
      const name = await pieces.putOutcome(jobId, payload)
      await queue.exchange(token, [[jobId, ['j', jobId, 'h', `{"v":1,"e":"a","k":"${name}"}`, 'p', '']]], 0)
      expect((await durable().look())?.done).toBe(1)
      expect(await durable().lost(3)).toEqual([])
      await link.client.hset(keys.durable(durable().id), 'renewed', 0)
      await durable().look(true)
      await gone('wait')
      expect(await durable().place([`${durable().id}.${run}.1`, `${durable().id}.${run}.9`])).toHaveLength(1)
    },
    scripts: ['lookDurable', 'lostOfDurable', 'renewDurable', 'placeDurable'],
    leaves: ['wait'],
    life: keep,
  },
  'holding a shared value for a durable call, which its client renews as well': {
    run: async () => {
      const pieces = new PieceStore(link, keys)
      await pieces.putShared(content)
      const run = await begun(0)
      const { life = 0, missing } = (await durable().prepare(run, [content.hash, 'x'])) ?? {}
      expect([life > keep / 2, missing]).toEqual([true, ['x']])
      expect(await durable().prepare(run + 1, [content.hash])).toBeUndefined()
      expect(await pieces.renewShared([content.hash, 'x'])).toEqual(['x'])
      expect(await link.client.pttl(keys.shared(content.hash))).toBeGreaterThan(keep / 2)
      // One that Redis has lost, and that somebody sends again, is held as before.
      await link.client.del(keys.shared(content.hash))
      await pieces.putShared(content)
      expect(await link.client.pttl(keys.shared(content.hash))).toBeGreaterThan(keep / 2)
    },
    scripts: ['prepareDurable'],
    leaves: ['wait'],
    life: keep,
  },
  'the end of a durable call that has held a shared value': {
    run: async () => {
      const pieces = new PieceStore(link, keys)
      await pieces.putShared(content)
      const run = await begun(0)
      await durable().prepare(run, [content.hash])
      const second = DurableStore.ofKey(link, keys, 'second')
      const other = (await second.open(head(1), 1, keep)) ?? 0
      await second.begin(other, undefined)
      await second.prepare(other, [content.hash])
      await second.forget()
      expect(await link.client.pttl(keys.shared(content.hash))).toBeGreaterThan(keep / 2)
      await durable().cancel()
      expect(await link.client.pttl(keys.shared(content.hash))).toBeLessThan(60_000)
      expect(await link.client.exists(keys.sharers(content.hash))).toBe(0)
    },
    scripts: [],
    leaves: [],
    life: keep,
  },
  'cancelling a durable call, and running it again': {
    run: async () => {
      const run = await begun(0, 3)
      expect(await durable().cancel()).toBe(true)
      const next = (await durable().rerun(run, 'all', [0, 1], keep)) ?? 0
      expect(next).toBeGreaterThan(run)
      expect(await durable().rerun(next, 'lost', [0], keep)).toBe(next)
      await durable().submit(next, [durableOf(next, 0)])
    },
    scripts: ['cancelDurable', 'rerunDurable'],
    leaves: ['wait'],
    life: keep,
  },
  'forgetting a durable call': {
    run: async () => {
      await begun(0, 3)
      expect(await durable().forget()).toBe(true)
      expect((await link.client.keys('*')).filter((name) => name.includes(durable().id))).toEqual([])
    },
    scripts: ['forgetDurable'],
    leaves: [],
  },
}

const allSteps = { ...steps, ...durableSteps }

test.each(Object.entries(allSteps))(
  '%s leaves no key for ever',
  async (_what, { given, run, leaves, life: most = 60_000 }) => {
    await given?.()
    await gone(...remade)
    await run()
    const names = await link.client.keys(`${keys.prefix}:*`)
    const lives = await Promise.all(names.map(async (name) => [name, await link.client.pttl(name)] as const))
    for (const suffix of leaves) expect(names).toContain(keys.chunk(suffix))
    // One may have ended since it was named.
    expect(lives.filter(([, life]) => life === -1 || life > most)).toEqual([])
    if (names.length > 0) await link.client.del(...names)
  },
)

test('and that is all of them', () => {
  const scripts = Object.entries({
    ...chunkScripts,
    ...dropScripts,
    ...durableScripts,
    dismiss,
    tellCosts,
    ...poolScripts,
    ...viewScripts,
  }).flatMap(([name, value]) => (typeof value === 'function' && !['script', 'sweptKeys'].includes(name) ? [name] : []))
  const run = new Set(Object.values(allSteps).flatMap((step) => step.scripts))
  expect(scripts.filter((name) => !run.has(name))).toEqual([])
})

test('the events that BullMQ writes, and nobody reads, do not pile up', async () => {
  for (let i = 0; i < 400; i++) {
    await held(chunk(0))
    await store.dropHeld(id(0), token)
  }
  expect(await link.client.xlen(keys.chunk('events'))).toBeLessThan(250)
})

test('clients whose lease has ended are forgotten as another renews its own: a pool that is never idle meets many', async () => {
  const renew = (clientId: string, life: number) =>
    renewLease(link.client, [keys.results(clientId), keys.clients, keys.spec(clientId)], [clientId, life, '0', ''])
  for (let i = 0; i < 50; i++) await renew(`short-${i}`, 1)
  const known = async () => {
    await renew(client, 10_000)
    return await link.client.zrangebyscore(keys.clients, '-inf', '+inf')
  }
  await until('only one is left', known, (clients) => clients.length === 1)
  expect(await known()).toEqual([client])
})
