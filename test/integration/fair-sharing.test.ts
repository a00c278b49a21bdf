// Producers of one named pool take turns, whoever came first and however much one has sent.
import { Pool, type PoolOptions } from '@poolmq/client'
import { PoolKeys, RedisLink } from '@poolmq/shared'
import { knownCosts, PoolView } from '@poolmq/worker'
import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from 'vitest'
import { FairShare } from '../../packages/client/dist/session/fair-share.js'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

let link: RedisLink
beforeAll(async () => {
  link = await RedisLink.open(inject('redisUrl'))
})
afterAll(() => link.close())
afterEach(() => vi.restoreAllMocks())

/** A pool with one worker process, which is busy until a latch is opened. */
async function busyPool(scratch: Scratch, options: PoolOptions = {}) {
  const name = uniqueName('fair')
  const join = (more: PoolOptions) => new Pool({ name, connection: inject('redisUrl'), ...more })
  const pool = join({ processes: 1, ...options })
  const [started, go] = [scratch.latch('started'), scratch.latch('go')]
  const busy = pool.applyAsync(latches.hold, [{ started: started.path, go: go.path, value: 0 }])
  await started.opened()
  const log = scratch.log('log')
  /** So many single chunks that note whose they are. */
  const send = (of: Pool, value: number, count: number, priority = 0) => {
    const item = { log: log.path, go: go.path, value }
    return of.mapAsync(latches.noteAndHold, Array(count).fill(item), { chunkSize: 1, priority })
  }
  const view = new PoolView(link, new PoolKeys(name))
  const waits = (count: number) =>
    until(
      `${count} wait`,
      async () => (await view.stats()).waiting,
      (n) => n === count,
    )
  return { pool, join, send, waits, go, log, busy, name, view }
}
const turns = (lines: readonly string[]) => [1, 2, 4].map((one) => lines.filter((line) => line === String(one)).length)

test('who comes later has its turn at once, and what it has beyond the other’s is its own', async () => {
  using scratch = new Scratch()
  const { pool, join, send, waits, go, log, busy } = await busyPool(scratch)
  await using first = pool
  await using second = join({})
  const all = [busy, send(first, 1, 300)]
  await waits(300)
  all.push(send(second, 2, 20))
  await waits(320)
  const single = second.applyAsync(latches.noteAndHold, [{ log: log.path, go: go.path, value: 4 }])
  await waits(321)
  go.open()
  await single.get()
  await Promise.all(all.map((call) => call.get()))
  const lines = log.lines
  expect(lines.slice(0, 40)).toEqual(Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? '1' : '2')))
  // Its own calls come in their order.
  expect(lines.indexOf('4')).toBe(41)
})

test.each([0, 2])('weights say how many turns each has, with the priority %i', async (priority) => {
  using scratch = new Scratch()
  const { pool, join, send, waits, go, log, busy } = await busyPool(scratch, { share: { weight: 1 } })
  await using first = pool
  await using second = join({ share: { weight: 2 } })
  await using third = join({ share: { weight: 4 } })
  const all = [busy, send(first, 1, 100, priority)]
  await waits(100)
  all.push(send(second, 2, 100, priority))
  await waits(200)
  all.push(send(third, 4, 100, priority))
  await waits(300)
  go.open()
  await Promise.all(all.map((call) => call.get()))
  expect(turns(log.lines.slice(0, 140))).toEqual([20, 40, 80])
})

test('producers that measure differently what both run have equal parts', async () => {
  // What one hears is what the other does, and more than twice that: its chunks come to a slower host, or it is busy itself.
  const heard = FairShare.prototype.heard
  vi.spyOn(FairShare.prototype, 'heard').mockImplementation(function (this: FairShare, task, items) {
    heard.call(this, task, items, this.key === 'slow' ? 230 : 100)
  })
  using scratch = new Scratch()
  const { pool, join, send, waits, go, log, busy, name } = await busyPool(scratch, { share: { key: 'fast' } })
  await using first = pool
  await using second = join({ share: { key: 'slow' } })
  go.open()
  await busy
  await Promise.all([send(first, 4, 40).get(), send(second, 4, 40).get()])
  const keys = new PoolKeys(name)
  const of = async () => Number((await link.client.hget(keys.chunk('costs'), 'latches.noteAndHold'))?.split(' ')[2])
  await until('both have told of all', of, (chunks) => chunks === 80)
  const [started, on] = [scratch.latch('started-again'), scratch.latch('on')]
  const all: { get(): Promise<unknown> }[] = [
    first.applyAsync(latches.hold, [{ started: started.path, go: on.path, value: 0 }]),
  ]
  await started.opened()
  all.push(send(first, 1, 200))
  await waits(200)
  all.push(send(second, 2, 200))
  await waits(400)
  const before = log.lines.length
  on.open()
  await Promise.all(all.map((call) => call.get()))
  expect(turns(log.lines.slice(before, before + 100))).toEqual([50, 50, 0])
  // Who joins knows what both do, before it has run anything.
  expect((await knownCosts(link, keys)).get('latches.noteAndHold')).toBeCloseTo(0.165, 1)
})

test('producers of one key have one part together', async () => {
  using scratch = new Scratch()
  const { pool, join, send, waits, go, log, busy } = await busyPool(scratch)
  await using first = pool
  await using second = join({ share: { key: 'team' } })
  await using third = join({ share: { key: 'team' } })
  const all = [busy, send(first, 1, 60)]
  await waits(60)
  all.push(send(second, 2, 60))
  await waits(120)
  all.push(send(third, 4, 60))
  await waits(180)
  go.open()
  await Promise.all(all.map((call) => call.get()))
  expect(turns(log.lines.slice(0, 100))).toEqual([50, 50, 0])
})

test('a call that is cancelled leaves no debt to the next', async () => {
  using scratch = new Scratch()
  const { pool, join, send, waits, go, log, busy } = await busyPool(scratch)
  await using first = pool
  await using second = join({})
  const all = [busy, send(first, 1, 200)]
  await waits(200)
  const control = new AbortController()
  const item = { log: log.path, go: go.path, value: 2 }
  const cancelled = second.map(latches.noteAndHold, Array(150).fill(item), { chunkSize: 1, signal: control.signal })
  await waits(350)
  control.abort()
  await expect(cancelled).rejects.toThrow('cancelled')
  await waits(200)
  all.push(send(second, 4, 10))
  await waits(210)
  go.open()
  await Promise.all(all.map((call) => call.get()))
  expect(turns(log.lines.slice(0, 20))).toEqual([10, 0, 10])
})

test('a pool that is paused keeps the turns, and who looks on sees who waits longest', async () => {
  using scratch = new Scratch()
  const { pool, join, send, waits, go, log, busy, view } = await busyPool(scratch)
  await using first = pool
  await using second = join({})
  await view.pause()
  const all = [busy, send(first, 1, 20)]
  await waits(20)
  all.push(send(second, 2, 20))
  await waits(40)
  expect((await view.stats()).oldestWaiting).toBeGreaterThanOrEqual(0)
  go.open()
  await busy.get()
  await view.resume()
  await Promise.all(all.map((call) => call.get()))
  // The first one is taken by BullMQ's script, which looks into the list alone.
  expect(turns(log.lines.slice(0, 20))[1]).toBeGreaterThanOrEqual(8)
})

test('a durable call is a producer of its own', async () => {
  using scratch = new Scratch()
  const { pool, send, waits, go, log, busy } = await busyPool(scratch)
  await using first = pool
  const all = [busy, send(first, 1, 100)]
  await waits(100)
  const item = { log: log.path, go: go.path, value: 2 }
  const durable = first.mapAsync(latches.noteAndHold, Array(20).fill(item), {
    chunkSize: 1,
    durable: 'fair',
    keep: 60_000,
  })
  await waits(120)
  go.open()
  await Promise.all([...all, durable].map((call) => call.get()))
  expect(turns(log.lines.slice(0, 40))).toEqual([20, 20, 0])
  await durable.forget()
})
