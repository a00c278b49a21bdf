// Machines whose clocks differ, by seconds or by an hour: a pool goes by Redis's clock, and nothing depends on theirs.
import { Pool } from '@poolmq/client'
import { expect, inject, test } from 'vitest'
import { WorkerHost } from '../chaos/worker-host.js'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { clockAhead } from '../support/fake-clock.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun } from '../support/program-run.js'
import { RedisDatabase } from '../support/redis-database.js'
import { until } from '../support/until.js'

const squares = Array.from({ length: 6 }, (_, item) => item * item)
const right = {
  squares,
  mapped: squares,
  opened: 6,
  applied: squares,
  unknown: 'ERR_POOL_UNKNOWN_TASK',
  late: 'ERR_POOL_TASK_TIMEOUT',
  cancelled: 'ERR_POOL_CANCELLED',
  after: [squares, 1],
  warnings: [],
}

test.each([-3600, -5, -1, 5, 3600])('a host, and one of two producers, whose clock is %d s ahead', async (seconds) => {
  const name = uniqueName('clocks')
  const connection = inject('redisUrl')
  using scratch = new Scratch()
  const common = { pool: name, redis: connection, processes: 1, lease: 1000 }
  const wrong = clockAhead(seconds)
  await using off = new WorkerHost({ ...common, tasks: ['chaos-tasks', 'math-tasks'], env: wrong })
  await using on = new WorkerHost({ ...common, tasks: ['chaos-tasks', 'latch-tasks'] })
  await Promise.all([off.serves(), on.serves()])

  const args = [fixture('clock-program'), connection, name, '2', scratch.directory]
  await using here = new ProgramRun(args)
  await using there = new ProgramRun(args, { env: wrong })
  for (const producer of [here, there]) {
    expect(await producer.exit(60_000), producer.stderr).toBe(0)
    expect(JSON.parse(producer.stdout)).toEqual(right)
  }

  // The host with the wrong clock is lost with a chunk in hand: the other one sees it, and takes it.
  await using pool = new Pool({ name, processes: 0, connection })
  const log = scratch.log('ticks')
  const ticking = pool.mapAsync(chaos.tick, new Array(2).fill({ log: log.path, times: 50 }), 1)
  const run = () => new Set(log.lines.map((line) => line.split(' ')[0])).size
  await until('both run', run, (pids) => pids === 2)
  off.kill()
  expect(await ticking.get(60_000)).toEqual([50, 50])
  await pool.terminate()

  // The last to leave sees that it is the last, and removes what is left.
  on.signal('SIGTERM')
  await on.exit()
  await using redis = await RedisDatabase.open(0)
  const left = async () => (await redis.keys()).filter((key) => key.startsWith(`poolmq:{${name}}`))
  await until('nothing is left', left, (keys) => keys.length === 0, 15_000)
})
