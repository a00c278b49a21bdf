// Redis crashes, has no memory left, or would drop keys: a running map ends right or with an error that names the cause,
// and the pool goes on afterwards.
import { once } from 'node:events'
import { ConnectionError, Pool } from '@poolmq/client'
import { expect, inject, test } from 'vitest'
import { known } from '../chaos/chaos-round.js'
import { durable, Fleet } from '../chaos/fleet.js'
import { RedisServer } from '../chaos/redis-server.js'
import { WorkerHost } from '../chaos/worker-host.js'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

const redisProgram = inject('redisProgram')
const testWithServer = test.skipIf(redisProgram === '')

testWithServer(
  'kill -9 of a Redis with an AOF, and its restart, in the middle of a map',
  async () => {
    await using fleet = await Fleet.start({ redisProgram, settings: durable })
    await using pool = new Pool({ name: fleet.pool, connection: fleet.redis.url })
    const items = Array.from({ length: 8000 }, (_, item) => item)
    let restarted: Promise<void> | undefined
    const onProgress = ({ done }: { done: number }) => {
      if (done > items.length / 4) restarted ??= fleet.redis.kill().then(() => fleet.redis.start())
    }
    const results = await pool.map(chaos.known, items, { chunkSize: 50, onProgress })
    await restarted
    expect(restarted).toBeDefined()
    expect(results).toEqual(items.map((item) => [item, known(item)]))
  },
  180_000,
)

/** From now on Redis takes nothing more; or as much as it likes. */
const memory = (redis: RedisServer, limit: '1' | '0') => redis.ask('CONFIG', 'SET', 'maxmemory', limit)

testWithServer('a call when Redis has no memory left rejects with an error that says so', async () => {
  await using redis = await RedisServer.start(redisProgram)
  await using pool = new Pool({ processes: 1, connection: redis.url })
  expect(await pool.map(chaos.length, ['a', 'bc'])).toEqual([1, 2])
  await memory(redis, '1')
  const error = await pool.map(chaos.length, ['abc']).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ConnectionError)
  expect((error as Error).message).toMatch(/OOM|memory/)
  await memory(redis, '0')
  expect(await pool.map(chaos.length, ['a', 'bc'])).toEqual([1, 2])
})

testWithServer('a map in whose middle Redis runs out of memory ends right when there is some again', async () => {
  await using redis = await RedisServer.start(redisProgram)
  await using pool = new Pool({ processes: 2, connection: redis.url })
  using scratch = new Scratch()
  const [log, go] = [scratch.log('runs'), scratch.latch('go')]
  const items = Array.from({ length: 40 }, (_, value) => ({ log: log.path, go: go.path, value }))
  const running = pool.mapAsync(latches.noteAndHold, items, 1)
  const runs = () => log.lines.length
  await until('each process runs one', runs, (started) => started === 2)
  await memory(redis, '1')
  go.open()
  // Both processes have a result that Redis does not take, and keep it.
  const stuck = async () => {
    const before = runs()
    await redis.ask('PING')
    return before
  }
  let [last, same] = [-1, 0]
  await until('nothing goes on', stuck, (now) => {
    same = now === last ? same + 1 : 0
    last = now
    return same > 20
  })
  expect(last).toBe(2)
  await memory(redis, '0')
  expect(await running.get(60_000)).toEqual(items.map(({ value }) => value))
  expect(runs()).toBe(items.length)
})

testWithServer('a policy that drops keys is warned of once, by the client and by a host', async () => {
  await using redis = await RedisServer.start(redisProgram, ['--maxmemory-policy', 'allkeys-lru'])
  const warned: Error[] = []
  const note = (warning: Error) => void warned.push(warning)
  process.on('warning', note)
  try {
    const name = uniqueName('policy')
    await using host = await WorkerHost.start({ pool: name, redis: redis.url, processes: 1 })
    expect(host.complaints.match(/noeviction/g)?.length).toBe(1)
    const first = once(process, 'warning')
    await using pool = new Pool({ name, connection: redis.url })
    expect(await pool.map(chaos.length, ['a', 'bc'], 1)).toEqual([1, 2])
    await first
    expect(warned).toMatchObject([{ code: 'POOLMQ_REDIS', message: expect.stringContaining('allkeys-lru') }])
  } finally {
    process.off('warning', note)
  }
})
