// maxMemoryPerChild, maxAgePerChild: a worker process is replaced by one that is ready, and no chunk is lost by it.
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from '@poolmq/client'
import { expect, test } from 'vitest'
import { math } from '../fixtures/dist/math-tasks.js'
import { optional } from '../fixtures/dist/option-tasks.js'

/** Runs chunks until they have run on more than one process. */
async function untilReplaced(pool: Pool): Promise<Set<number>> {
  const pids = new Set<number>()
  for (const end = Date.now() + 20_000; pids.size < 2; await sleep(20)) {
    if (Date.now() > end) throw new Error(`no process was replaced: ${[...pids]}`)
    for (const pid of await pool.map(math.pid, [0, 0, 0, 0], 1)) pids.add(pid)
  }
  return pids
}

test('by memory: a process that has grown', async () => {
  await using pool = new Pool({ processes: 1, maxMemoryPerChild: 250e6 })
  const pid = await pool.apply(math.pid)
  expect(await pool.apply(math.pid)).toBe(pid)
  await pool.apply(optional.grow, [300e6])
  expect(await untilReplaced(pool)).toContain(pid)
})

test('by memory: a process that does not come to look at itself', async () => {
  await using pool = new Pool({ processes: 1, maxMemoryPerChild: 250e6 })
  const pid = await pool.apply(math.pid)
  // The task keeps the event loop; its supervisor sees the process grow, and has a successor ready when it ends.
  await pool.apply(optional.grow, [300e6, 3000])
  expect(await pool.apply(math.pid)).not.toBe(pid)
})

test('by age', async () => {
  await using pool = new Pool({ processes: 1, maxAgePerChild: 500 })
  const pid = await pool.apply(math.pid)
  expect((await untilReplaced(pool)).size).toBeGreaterThan(1)
  expect(await pool.apply(math.pid)).not.toBe(pid)
})

test.each([{ maxMemoryPerChild: 0 }, { maxMemoryPerChild: 1.5 }, { maxAgePerChild: -1 }])(
  '%j is refused',
  (options) => {
    expect(() => new Pool({ processes: 1, ...options })).toThrow(RangeError)
  },
)
