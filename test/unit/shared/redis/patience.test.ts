// A time limit that is measured in the process's own time.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Patience } from '../../../../packages/shared/src/redis/patience.js'

vi.mock('node:timers', async () => (await import('../../../support/global-time.js')).timers)
vi.mock('node:perf_hooks', async () => (await import('../../../support/global-time.js')).perfHooks)

/** The clock as the process sees it: timers fire when `pass` lets them. */
let now = 0
beforeEach(() => {
  now = 0
  vi.useFakeTimers()
  vi.spyOn(performance, 'now').mockImplementation(() => now)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** Time in which the event loop turns as it should. */
async function pass(milliseconds: number): Promise<void> {
  for (let i = 0; i < milliseconds; i++) {
    now++
    await vi.advanceTimersByTimeAsync(1)
  }
}

/** Time in which the event loop stands still; the timer that was due then comes late. */
async function standStill(milliseconds: number): Promise<void> {
  now += milliseconds
  await vi.advanceTimersByTimeAsync(50)
}

test('is over after its time where nothing is in the way, and one look later', async () => {
  const over = vi.fn()
  const patience = new Patience(500)
  void patience.over.then(over)
  await pass(499)
  expect(patience.isOver).toBe(false)
  await pass(1)
  expect(patience.isOver).toBe(true)
  expect(over).not.toHaveBeenCalled()
  await pass(50)
  expect(over).toHaveBeenCalledOnce()
})

test.each([
  ['one pause of a minute', [60_000]],
  ['six pauses of a second', [1000, 1000, 1000, 1000, 1000, 1000]],
])('%s counts as hardly more than a look each', async (_what, pauses) => {
  const patience = new Patience(1000)
  for (const pause of pauses) await standStill(pause)
  expect(patience.isOver).toBe(false)
  await pass(1000)
  expect(patience.isOver).toBe(true)
})

test('one that is stopped is never over', async () => {
  const over = vi.fn()
  const patience = new Patience(100)
  void patience.over.then(over)
  patience.stop()
  await pass(1000)
  expect(over).not.toHaveBeenCalled()
})
