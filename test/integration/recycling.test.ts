// maxTasksPerChild: the chunk is what counts, and a new process begins with the initializer.
import { Pool } from '@poolmq/client'
import { expect, test } from 'vitest'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { Scratch } from '../support/latch.js'

const times = <T>(list: readonly T[]): Map<T, number> => {
  const counted = new Map<T, number>()
  for (const one of list) counted.set(one, (counted.get(one) ?? 0) + 1)
  return counted
}

test('24 chunks run on at least 12 processes, at most two in each, the initializer once in each', async () => {
  using scratch = new Scratch()
  const log = scratch.log('initialized')
  await using pool = new Pool({
    processes: 3,
    maxTasksPerChild: 2,
    initializer: latches.notePid,
    initArgs: [log.path],
  })
  const chunks = times(await pool.map(math.pid, new Array(24).fill(0), 1))
  pool.close()
  await pool.join()
  expect(chunks.size).toBeGreaterThanOrEqual(12)
  expect(Math.max(...chunks.values())).toBe(2)
  const initialized = times(log.lines.map(Number))
  expect([...initialized.values()].every((count) => count === 1)).toBe(true)
  for (const pid of chunks.keys()) expect([...initialized.keys()]).toContain(pid)
  expect([...initialized.keys()]).not.toContain(process.pid)
})

test('a chunk counts once, however many items it has', async () => {
  await using pool = new Pool({ processes: 1, maxTasksPerChild: 1 })
  const pids = await pool.map(math.pid, new Array(8).fill(0), 4)
  expect(times(pids.slice(0, 4)).size).toBe(1)
  expect(times(pids.slice(4)).size).toBe(1)
  expect(times(pids).size).toBe(2)
})

test('a chunk that fails counts as well', async () => {
  await using pool = new Pool({ processes: 1, maxTasksPerChild: 2 })
  const first = await pool.apply(math.pid)
  await expect(pool.apply(math.failOn, [{ value: 1, bad: [1] }])).rejects.toThrow('bad 1')
  expect(await pool.apply(math.pid)).not.toBe(first)
})

test('without it, processes stay', async () => {
  await using pool = new Pool(2)
  expect(times(await pool.map(math.pid, new Array(24).fill(0), 1)).size).toBeLessThanOrEqual(2)
})
