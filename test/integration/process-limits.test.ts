// maxMemoryPerChild, maxAgePerChild: a worker process is replaced by one that is ready, and no chunk is lost by it.
import { Pool } from '@poolmq/client'
import { expect, test } from 'vitest'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { optional } from '../fixtures/dist/option-tasks.js'
import { Scratch } from '../support/latch.js'
import { until } from '../support/until.js'

/** Runs chunks until one has run on another process than this. */
async function untilReplaced(pool: Pool, pid: number): Promise<void> {
  const run = () => pool.map(math.pid, [0, 0, 0, 0], 1)
  await until(`process ${pid} is replaced`, run, (pids) => pids.some((one) => one !== pid), 60_000)
}

test('by memory: a process that has grown', async () => {
  await using pool = new Pool({ processes: 1, maxMemoryPerChild: 250e6 })
  const pid = await pool.apply(math.pid)
  expect(await pool.apply(math.pid)).toBe(pid)
  await pool.apply(optional.grow, [300e6])
  await untilReplaced(pool, pid)
})

test('by memory: a process that does not come to look at itself', async () => {
  using scratch = new Scratch()
  const log = scratch.log('initialized').path
  await using pool = new Pool({
    ...{ processes: 1, maxMemoryPerChild: 250e6 },
    ...{ initializer: latches.notePid, initArgs: [log] },
  })
  const pid = await pool.apply(math.pid)
  // The task keeps the event loop; its supervisor sees the process grow, and starts a successor meanwhile.
  expect(await pool.apply(optional.growUntilRelieved, [300e6, log])).toBe(true)
  await untilReplaced(pool, pid)
})

test('by age', async () => {
  await using pool = new Pool({ processes: 1, maxAgePerChild: 500 })
  const pid = await pool.apply(math.pid)
  await untilReplaced(pool, pid)
  expect(await pool.apply(math.pid)).not.toBe(pid)
})

test.each([{ maxMemoryPerChild: 0 }, { maxMemoryPerChild: 1.5 }, { maxAgePerChild: -1 }])(
  '%j is refused',
  (options) => {
    expect(() => new Pool({ processes: 1, ...options })).toThrow(RangeError)
  },
)
