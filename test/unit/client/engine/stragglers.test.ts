// When a chunk gets a second copy: what is asked of Redis, and when nothing is.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Call, type PendingChunk } from '../../../../packages/client/src/calls/call.js'
import { Stopwatch, Stragglers } from '../../../../packages/client/src/engine/stragglers.js'

vi.mock('node:timers', async () => (await import('../../../support/global-time.js')).timers)
vi.mock('node:perf_hooks', async () => (await import('../../../support/global-time.js')).perfHooks)

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const result = (duration: number) => ({ values: [1], failures: new Map(), duration, characters: 1 })

function watched(durations: readonly number[], chunks: number) {
  /** What Redis tells, by index; undefined: others wait. */
  const redis = { running: chunks, times: new Map<number, number>(), waits: false, asked: 0, refuses: false }
  const added: string[] = []
  const withdrawn: string[] = []
  const state = { lanes: 4, underWay: chunks }
  const stragglers = new Stragglers({
    clientId: 'client00',
    lanes: () => state.lanes,
    underWay: () => state.underWay,
    look: async (ids) => {
      redis.asked++
      const times = ids.map((id) => redis.times.get(Number(id.split('.')[2])) ?? -1)
      return redis.waits ? undefined : { running: redis.running, times }
    },
    add: async ({ jobId }) => {
      if (redis.refuses) throw new Error('OOM command not allowed')
      added.push(jobId)
    },
    withdraw: (jobId) => withdrawn.push(jobId),
  })
  const stopwatch = stragglers.stopwatch({ take: () => undefined, fail: () => undefined })
  const header = { mode: 'first', spread: false, spec: false, timeout: 0 } as const
  const call = new Call({}, 3, 'map', 'ns.task', header, 0, stopwatch)
  for (let index = 0; index < chunks; index++) {
    const chunk = { index, call, copy: 0, sent: true, arriving: false, jobId: `client00.3.${index}`, backup: undefined }
    call.pending.set(index, chunk as unknown as PendingChunk)
  }
  for (const duration of durations) stopwatch.take(0, result(duration))
  stragglers.watch(call, stopwatch)
  return { redis, added, withdrawn, state, call }
}

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)

test('one that has run for more than twice the median gets one copy', async () => {
  const { redis, added, call } = watched([900, 1000, 60_000], 3)
  redis.times.set(0, 1999).set(1, 2001)
  await pass(1900)
  expect(redis.asked).toBe(0) // none of its chunks can have run for so long
  await pass(700)
  expect(added).toEqual(['client00.3.1.1'])
  expect(call.backups).toBe(1)
  expect(call.pending.get(1)?.backup).toMatchObject({ jobId: 'client00.3.1.1', copy: 1, sent: true, index: 1 })
  await pass(5000)
  expect(added).toHaveLength(1)
})

test('for a second at least', async () => {
  const { redis, added } = watched([1], 2)
  redis.times.set(0, 999).set(1, 1001)
  await pass(2000)
  expect(added).toEqual(['client00.3.1.1'])
})

test('no more than worker processes are idle, those that are latest first', async () => {
  const { redis, added, state } = watched([1], 3)
  redis.times.set(0, 5000).set(1, 9000).set(2, 7000)
  state.lanes = 5
  await pass(1500)
  expect(added).toEqual(['client00.3.1.1', 'client00.3.2.1'])
})

test('nothing is asked while more is under way than can run, while nothing has ended, and after the call', async () => {
  const busy = watched([1], 3)
  busy.state.underWay = 4
  await pass(3000)
  expect(busy.redis.asked).toBe(0)
  const begun = watched([], 3)
  await pass(3000)
  expect(begun.redis.asked).toBe(0)
  const over = watched([1], 3)
  for (const act of over.call.atEnd) act()
  await pass(3000)
  expect(over.redis.asked).toBe(0)
  expect(vi.getTimerCount()).toBe(2)
})

test('no copy while others wait, of what does not run, or of what is idle in name only', async () => {
  const { redis, added, state } = watched([1], 3)
  redis.times.set(0, 5000)
  redis.waits = true
  await pass(2000)
  redis.waits = false
  redis.running = state.lanes
  await pass(2000)
  redis.running = 0
  redis.times.clear()
  await pass(2000)
  expect([added, redis.asked > 3]).toEqual([[], true])
})

test('Redis refuses the copy: the chunk goes on alone', async () => {
  const { redis, call, withdrawn } = watched([1], 1)
  redis.times.set(0, 5000)
  redis.refuses = true
  await pass(3000)
  expect(call.pending.get(0)?.backup).toBeUndefined()
  expect([call.backups, withdrawn]).toEqual([0, ['client00.3.0.1']])
})

test('the median of what is kept is that of all, whatever their number and order', () => {
  const stopwatch = new Stopwatch({ take: () => undefined, fail: () => undefined })
  for (let i = 0; i < 50_000; i++) stopwatch.take(i, result(1 + (i % 1001)))
  expect(stopwatch.median).toBeGreaterThan(400)
  expect(stopwatch.median).toBeLessThan(600)
  stopwatch.take(0, { ...result(5), failures: new Map([[0, new Error('failed')]]) })
})
