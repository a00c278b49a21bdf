// Another program uses a name that is a pool's key: calls fail at once with an error that names the key, hosts say so and go on,
// and all is well again when the key is gone.
import { Pool, ProtocolError } from '@poolmq/client'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { RedisServer } from '../chaos/redis-server.js'
import { WorkerHost } from '../chaos/worker-host.js'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

const redisProgram = inject('redisProgram')

describe.skipIf(redisProgram === '')('a key of another type', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start(redisProgram)
  })
  afterAll(() => redis?.[Symbol.asyncDispose]())

  const makeForeign = async (key: string, isString: boolean) => {
    await redis.ask('DEL', key)
    await redis.ask(isString ? 'LPUSH' : 'SET', key, 'x')
  }
  const failure = (pool: Pool) =>
    pool
      .applyAsync(chaos.length, ['abc'])
      .get(60_000)
      .catch((error: unknown) => error)

  const keys = [
    'wait',
    'active',
    'prioritized',
    'delayed',
    'marker',
    'meta',
    'shares',
    'costs',
    'suspects',
    'id',
    'pc',
    'events',
  ]
  const all = [...keys.map((key) => `chunks:${key}`), 'clients', 'hosts', 'stops']

  test('that is there before the pool', async () => {
    const errors = await Promise.all(
      all.map(async (suffix) => {
        const name = uniqueName('foreign')
        const key = `poolmq:{${name}}:${suffix}`
        await makeForeign(key, /:(id|pc)$/.test(suffix))
        const pool = new Pool({ name, connection: redis.url })
        const error = await failure(pool)
        await pool.terminate()
        return { suffix, isOurs: error instanceof ProtocolError, names: String(error).includes(`the key ${key} `) }
      }),
    )
    expect(errors).toEqual(all.map((suffix) => ({ suffix, isOurs: true, names: true })))
  })

  test.concurrent.each(['chunks:active', 'chunks:wait', 'hosts'])('%s, while the pool is served', async (suffix) => {
    const name = uniqueName('foreign')
    const key = `poolmq:{${name}}:${suffix}`
    await using pool = new Pool({ name, connection: redis.url })
    await using host = await WorkerHost.start({ pool: name, redis: redis.url, processes: 1, lease: 3000 })
    const workers = host.workers
    expect(await pool.apply(chaos.length, ['abc'])).toBe(3)
    await makeForeign(key, false)
    const isNamed = (end: unknown) => end instanceof ProtocolError && end.message.includes(`the key ${key} `)
    await until('calls fail, and name it', () => failure(pool), isNamed)
    await until(
      'the host says so',
      () => host.complaints,
      (said) => said.includes(`the key ${key} `),
    )
    await redis.ask('DEL', key)
    await until(
      'all is well',
      () => failure(pool),
      (end) => end === 3,
    )
    expect(host.workers).toEqual(workers)
  })

  test.concurrent('a client’s own, while it waits', async () => {
    const name = uniqueName('foreign')
    await using pool = new Pool({ name, connection: redis.url })
    const call = failure(pool)
    const streams = async () => (await redis.keys()).filter((key) => key.startsWith(`poolmq:{${name}}:results:`))
    const [stream = ''] = await until('its stream', streams, (names) => names.length === 1)
    await makeForeign(stream, false)
    expect(await call).toBeInstanceOf(ProtocolError)
    await redis.ask('DEL', stream)
    await using _host = await WorkerHost.start({ pool: name, redis: redis.url, processes: 1, lease: 3000 })
    await until(
      'all is well',
      () => failure(pool),
      (end) => end === 3,
    )
  })
})
