// What takes a minute by its nature: the real lease, a task longer than it, the keys of a producer that was killed.
import { Pool } from '@poolmq/client'
import { expect, inject, test } from 'vitest'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun } from '../support/program-run.js'
import { until } from '../support/until.js'
import { known } from './chaos-round.js'
import { Fleet } from './fleet.js'
import { RedisServer } from './redis-server.js'
import { WorkerHost } from './worker-host.js'

const redisProgram = inject('redisProgram')
const longTest = test.skipIf(redisProgram === '')
const lease = 10_000
const limit = 150_000

longTest(
  'a busy loop of 60 s under a lease of 10 s is run once',
  async () => {
    await using fleet = await Fleet.start({ redisProgram, processes: 1, lease })
    await using pool = new Pool({ name: fleet.pool, connection: fleet.redis.url })
    using scratch = new Scratch()
    const log = scratch.log('runs')
    expect(await pool.apply(chaos.block, [{ log: log.path, time: 60_000, value: 1 }])).toBe(1)
    expect(log.lines.map((line) => line.replace(/^\d+ /, ''))).toEqual(['starts 1', 'ends 1'])
  },
  limit,
)

longTest(
  'the loss of a host with a lease of 10 s: the other finishes within 15 s',
  async () => {
    await using fleet = await Fleet.start({ redisProgram, lease })
    await using pool = new Pool({ name: fleet.pool, connection: fleet.redis.url })
    const items = Array.from({ length: 4000 }, (_, item) => item)
    let lost: number | undefined
    const onProgress = ({ done }: { done: number }) => {
      if (done < 1000 || lost !== undefined) return
      lost = performance.now()
      fleet.hosts[0]?.kill()
    }
    expect(await pool.map(chaos.known, items, { chunkSize: 25, onProgress })).toEqual(
      items.map((item) => [item, known(item)]),
    )
    const milliseconds = performance.now() - (lost ?? 0)
    console.log(`lease of ${lease} ms: finished ${Math.round(milliseconds)} ms after the loss of a host`)
    expect(milliseconds).toBeLessThan(lease + 5000)
  },
  limit,
)

longTest.each([
  ['and the host that serves it goes on', true],
  ['and nobody serves it', false],
])(
  'kill -9 of the producer of a named pool %s: a minute later no key of it is left',
  async (_how, served) => {
    await using redis = await RedisServer.start(redisProgram)
    using scratch = new Scratch()
    const name = uniqueName('producer')
    await using host = served ? await WorkerHost.start({ pool: name, redis: redis.url }) : undefined
    await using run = new ProgramRun([fixture('chaos-producer'), scratch.log('ticks').path, redis.url, name])
    await run.says('BUSY')
    await until(
      'its chunks are in Redis',
      async () => (await redis.keys()).length,
      (keys) => keys > 200,
    )
    const [stream = ''] = (await redis.ask('KEYS', '*:results:*')) as string[]
    const client = stream.slice(stream.lastIndexOf(':') + 1)
    run.kill('SIGKILL')
    const killed = Date.now()
    const its = async () => (await redis.keys()).filter((key) => !served || key.includes(client))
    await until('nothing is left', its, (keys) => keys.length === 0, 61_000)
    console.log(`nothing is left ${Date.now() - killed} ms after the producer was killed`)
    host?.signal('SIGTERM')
    await host?.exit()
    expect(await redis.keys()).toEqual([])
  },
  limit,
)
