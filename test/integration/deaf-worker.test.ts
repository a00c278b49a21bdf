// A worker process that lives and no longer looks for chunks, or stands still with one: it is found, and another takes its
// place.
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from '@poolmq/client'
import { expect, inject, test } from 'vitest'
import { WorkerHost } from '../chaos/worker-host.js'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

/** Resolves when this worker process of the host has been found out, and another serves instead of it. */
async function untilReplaced(host: WorkerHost, deaf: number, why = 'has stopped looking for chunks'): Promise<void> {
  const workers = () => host.workers
  await until('it is replaced', workers, (pids) => pids.length > 0 && !pids.includes(deaf), 60_000)
  const said = () => host.complaints
  await until('its supervisor says so', said, (text) => text.includes(why))
}

test.each([
  ['while it waited', chaos.hangLater],
  ['between the end of its chunk and the look for the next', chaos.hangOnceDelivered],
])('a worker process in which something hangs %s is replaced', async (_when, task) => {
  const name = uniqueName('deaf')
  const connection = inject('redisUrl')
  await using host = await WorkerHost.start({ pool: name, redis: connection, processes: 1, lease: 1000 })
  await using pool = new Pool({ name, processes: 0, connection })
  await untilReplaced(host, await pool.apply(task))
  expect(await pool.apply(chaos.length, ['abcd'])).toBe(4)
})

test('one that waits for chunks, or runs one for long, is left alone', async () => {
  const name = uniqueName('hearing')
  const connection = inject('redisUrl')
  await using host = await WorkerHost.start({ pool: name, redis: connection, processes: 2, lease: 2000 })
  await using pool = new Pool({ name, processes: 0, connection })
  const before = host.workers
  // Six of the intervals after three of which a silent one is replaced.
  expect(await pool.apply(chaos.sleep, [12_000])).toBe(12_000)
  expect(host.workers).toEqual(before)
})

test.each([
  ['lets its event loop turn', (log: string) => ({ task: chaos.tick, args: { log, times: 150 }, result: 150 })],
  [
    'never lets its event loop turn',
    (log: string) => ({ task: chaos.spinTick, args: { log, time: 3000 }, result: 3000 }),
  ],
])(
  'one that is stopped while its task, which %s, runs is replaced, and that counts for no loss',
  async (_how, make) => {
    const name = uniqueName('stopped')
    const connection = inject('redisUrl')
    using scratch = new Scratch()
    const log = scratch.log('ticks')
    const { task, args, result } = make(log.path)
    await using host = await WorkerHost.start({ pool: name, redis: connection, processes: 1, lease: 1000 })
    await using pool = new Pool({ name, processes: 0, connection })
    const running = pool.applyAsync(task as typeof chaos.tick, [args as never])
    // Three losses would be the end of the item.
    for (let times = 0; times < 3; times++) {
      const ticking = () => host.workers.filter((pid) => log.lines.some((line) => line.startsWith(`${pid} `)))
      const [stopped = 0] = await until('it runs', ticking, (pids) => pids.length > 0)
      process.kill(stopped, 'SIGSTOP')
      await untilReplaced(host, stopped, 'was stopped and not continued')
    }
    expect(await running.get(60_000)).toBe(result)
  },
)

test('one that is stopped before it was ready is replaced', async () => {
  const name = uniqueName('stopped-early')
  const connection = inject('redisUrl')
  await using host = await WorkerHost.start({ pool: name, redis: connection, processes: 1, lease: 1000 })
  await using pool = new Pool({ name, processes: 0, connection })
  const [first = 0] = host.workers
  process.kill(first, 'SIGKILL')
  const workers = () => host.workers.filter((pid) => pid !== first)
  const [second = 0] = await until('another is started', workers, (pids) => pids.length > 0)
  process.kill(second, 'SIGSTOP')
  await untilReplaced(host, second, 'was stopped and not continued')
  expect(await pool.apply(chaos.length, ['abcd'])).toBe(4)
})

test('one that is stopped, and continued at once, goes on', async () => {
  const name = uniqueName('continued')
  const connection = inject('redisUrl')
  await using host = await WorkerHost.start({ pool: name, redis: connection, processes: 1, lease: 10_000 })
  await using pool = new Pool({ name, processes: 0, connection })
  const before = host.workers
  const running = pool.applyAsync(chaos.sleep, [3000])
  for (const pid of before) process.kill(pid, 'SIGSTOP')
  await sleep(2500) // more than one look of the supervisor
  for (const pid of before) process.kill(pid, 'SIGCONT')
  expect(await running.get(60_000)).toBe(3000)
  expect(host.workers).toEqual(before)
})
