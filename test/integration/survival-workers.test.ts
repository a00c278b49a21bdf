// Worker processes that die, and one that is busy for longer than its lease: nothing is lost, nothing comes twice, and no
// item is blamed for what its neighbour did.
import { Pool, WorkerLostError } from '@poolmq/client'
import { expect, inject, test } from 'vitest'
import { runRound } from '../chaos/chaos-round.js'
import { FaultDeck } from '../chaos/faults.js'
import { Fleet, lanes } from '../chaos/fleet.js'
import { Random } from '../chaos/random.js'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { Scratch } from '../support/latch.js'

const redisProgram = inject('redisProgram')

test.skipIf(redisProgram === '').each(lanes)(
  'a worker process of $concurrency lanes killed three times a second: every result is right, and there once',
  async ({ concurrency }) => {
    await using fleet = await Fleet.start({ redisProgram, concurrency })
    await using pool = new Pool({ name: fleet.pool, connection: fleet.redis.url })
    const random = new Random(300)
    const round = {
      pool,
      fleet,
      random,
      faults: new FaultDeck(random, ['killWorker']),
      method: 'map' as const,
      chunkSize: 50,
      pace: [300, 300] as const,
      // On a machine so busy that a worker process needs seconds to start, none would ever live to run something.
      most: 30,
      limit: 150_000,
    }
    const calm = await runRound({ ...round, most: 0 })
    expect(calm.wrong).toEqual([])
    // As often as the machine's pace allows: a chunk that is killed three times is lost, and rightly so.
    const pause = Math.max(300, Math.round(calm.milliseconds / 20))
    const killed = await runRound({ ...round, pace: [pause, pause] })
    expect(killed.wrong, fleet.hosts.map((host) => host.complaints.slice(-2000)).join('\n')).toEqual([])
    const deaths = killed.inflicted.length
    console.log(`20,000 items: ${calm.milliseconds} ms, with ${deaths} kills ${killed.milliseconds} ms`)
    expect(deaths).toBeGreaterThan(5)
    // Less than twice the time on a machine of its own; tests share theirs.
    expect(killed.milliseconds).toBeLessThan(calm.milliseconds * 4 + 10_000)
  },
  330_000,
)

test.skipIf(redisProgram === '').each(lanes)(
  'a busy loop six times as long as its lease is run once, beside $concurrency',
  async ({ concurrency }) => {
    await using fleet = await Fleet.start({ redisProgram, hosts: 1, processes: 2, lease: 1000, concurrency })
    await using pool = new Pool({ name: fleet.pool, connection: fleet.redis.url })
    using scratch = new Scratch()
    const log = scratch.log('runs')
    expect(await pool.apply(chaos.block, [{ log: log.path, time: 6000, value: 1 }])).toBe(1)
    expect(log.lines.map((line) => line.replace(/^\d+ /, ''))).toEqual(['starts 1', 'ends 1'])
  },
)

test('a map that begins while all processes are gone gets them back, and a chunk size', async () => {
  await using pool = new Pool(2)
  using scratch = new Scratch()
  const item = { directory: scratch.directory, count: 2 }
  const pids = await pool.map(latches.meet, [item, item], 1)
  expect(new Set(pids).size).toBe(2)
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  const items = Array.from({ length: 100 }, (_, value) => value)
  expect(await pool.map(math.square, items)).toEqual(items.map((value) => value * value))
})

test('an item that kills its process fails alone: its 999 neighbours are delivered', async () => {
  await using pool = new Pool(2)
  using scratch = new Scratch()
  const log = scratch.log('deaths')
  const items = Array.from({ length: 1000 }, (_, value) => ({ log: log.path, bad: 637, value }))
  const results = pool.imapUnordered(chaos.poison, items, 100)
  const values: number[] = []
  const errors: unknown[] = []
  for (let done = false; !done; ) {
    try {
      const next = await results.next()
      if (next.done === true) done = true
      else values.push(next.value)
    } catch (error) {
      errors.push(error)
    }
  }
  expect(values.sort((a, b) => a - b)).toEqual(items.map(({ value }) => value).filter((value) => value !== 637))
  expect(errors).toEqual([expect.any(WorkerLostError)])
  expect(errors[0]).toMatchObject({ code: 'ERR_POOL_WORKER_LOST', signal: 'SIGKILL', taskId: 'chaos.poison' })
  expect(log.lines.length).toBeLessThanOrEqual(12)
  expect((errors[0] as WorkerLostError).starts).toBe(log.lines.length)
})
