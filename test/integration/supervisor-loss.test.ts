// A pool's own supervisor is killed: another is started, and what was in hand is run again when its lease has ended.
import { readdirSync, readFileSync } from 'node:fs'
import { Pool, ThreadPool, WorkerLostError } from '@poolmq/client'
import { expect, test } from 'vitest'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { Scratch } from '../support/latch.js'
import { until } from '../support/until.js'

/** The supervisors that this process has started. */
function supervisors(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
        return parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('local-supervisor')
      } catch {
        return false // it has ended meanwhile
      }
    })
}

async function killSupervisor(): Promise<void> {
  const [pid] = await until('a supervisor', supervisors, (found) => found.length === 1)
  process.kill(pid as number, 'SIGKILL')
  await until('its end', supervisors, (found) => !found.includes(pid as number))
}

test('the work is done all the same', { timeout: 150_000 }, async () => {
  await using pool = new Pool(2)
  using scratch = new Scratch()
  const [started, go] = [scratch.latch('started'), scratch.latch('go')]
  const items = [0, 1, 2, 3].map((value) => ({ started: started.path, go: go.path, value }))
  const held = pool.mapAsync(latches.hold, items, 1)
  await started.opened()
  await killSupervisor()
  go.open()
  expect(await held.get(60_000)).toEqual([0, 1, 2, 3])
})

test('a supervisor that is killed again and again is an error at last', async () => {
  const pool = new Pool(1)
  expect(await pool.apply(math.square, [2])).toBe(4)
  for (let i = 0; i < 4; i++) await killSupervisor()
  await expect(pool.apply(math.square, [2])).rejects.toBeInstanceOf(WorkerLostError)
  await pool.terminate()
})

test.each([
  ['Pool', Pool],
  ['ThreadPool', ThreadPool],
] as const)(
  'supervisors of a %s that are lost with work in between are not lost one after the other',
  async (_name, Kind) => {
    await using pool = new Kind(1)
    for (let i = 0; i < 4; i++) {
      expect(await pool.apply(math.square, [i])).toBe(i * i)
      const before = new Set((await pool.hosts()).map(({ pid }) => pid))
      await killSupervisor()
      // What Redis hands to a process of which it does not know yet that it is gone waits for a lease to end.
      await until(
        'another serves',
        () => pool.hosts(),
        (hosts) => hosts.some(({ pid }) => !before.has(pid)),
      )
    }
    expect(await pool.apply(math.square, [9])).toBe(81)
  },
)
