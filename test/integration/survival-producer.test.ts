// The producer is killed in the middle of a map: what it left running stops, what it left waiting goes, and every key of
// it has a time to live. Here the end of its lease is brought about by hand; test/chaos waits for it.
import { describe, expect, inject, test } from 'vitest'
import { RedisServer } from '../chaos/redis-server.js'
import { sendSignal, WorkerHost } from '../chaos/worker-host.js'
import { type Log, Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun } from '../support/program-run.js'
import { until } from '../support/until.js'

const redisProgram = inject('redisProgram')

const producer = (log: Log, redis: RedisServer, ...name: string[]) =>
  new ProgramRun([fixture('chaos-producer'), log.path, redis.url, ...name])

/** Resolves when all chunks of a producer are in Redis, and before them its stream. */
const submitted = (redis: RedisServer) =>
  until(
    'its chunks are in Redis',
    async () => (await redis.keys()).length,
    (keys) => keys > 200,
  )

/** Keys that nobody would ever remove, or only after more than a minute. */
const lasting = async (redis: RedisServer) =>
  Object.entries(await redis.lives()).filter(([, life]) => life < 0 || life > 60_000)

describe.skipIf(redisProgram === '')('kill -9 of the producer', () => {
  test('of a private pool: its processes go, and all keys', async () => {
    await using redis = await RedisServer.start(redisProgram)
    using scratch = new Scratch()
    await using run = producer(scratch.log('ticks'), redis)
    await run.says('BUSY')
    await submitted(redis)
    run.kill('SIGKILL')
    const left = async () => [...(await redis.keys()), ...run.processes().values()]
    await until('nothing is left', left, (found) => found.length === 0)
  })

  test('of a named pool: what runs of it stops, what waits goes, the host serves on', async () => {
    await using redis = await RedisServer.start(redisProgram)
    using scratch = new Scratch()
    const [log, name] = [scratch.log('ticks'), uniqueName('producer')]
    await using host = await WorkerHost.start({ pool: name, redis: redis.url })
    await using run = producer(log, redis, name)
    await run.says('BUSY')
    await submitted(redis)
    const [stream = ''] = (await redis.ask('KEYS', '*:results:*')) as string[]
    const client = stream.slice(stream.lastIndexOf(':') + 1)
    await until(
      'two tasks run',
      () => new Set(log.lines.map((line) => line.split(' ')[0])).size,
      (pids) => pids === 2,
    )
    run.kill('SIGKILL')
    // What Redis does when the lease has ended: the client's own keys go with it.
    await redis.ask('DEL', stream, stream.replace(':results:', ':spec:'))
    const keys = async () => (await redis.keys()).filter((key) => key.includes(client))
    await until('nothing of the client is left', keys, (found) => found.length === 0)
    const ticks = log.lines.length
    await using next = producer(scratch.log('next'), redis, name)
    await next.says('BUSY')
    await until(
      'the next client is served',
      () => scratch.log('next').lines.length,
      (lines) => lines > 0,
    )
    expect(log.lines.length).toBe(ticks)
    expect(host.workers.length).toBe(2)
  })

  test.each([
    ['with its host', true],
    ['that nobody serves', false],
  ])('%s at the same moment: every key has an end', async (_how, served) => {
    await using redis = await RedisServer.start(redisProgram)
    using scratch = new Scratch()
    const [log, name] = [scratch.log('ticks'), uniqueName('producer')]
    await using host = served ? await WorkerHost.start({ pool: name, redis: redis.url }) : undefined
    await using run = producer(log, redis, name)
    await run.says('BUSY')
    await submitted(redis)
    host?.kill()
    run.kill('SIGKILL')
    expect(await run.exit()).toBe('SIGKILL')
    expect((await redis.keys()).length).toBeGreaterThan(100)
    expect(await lasting(redis)).toEqual([])
  })

  test('of a private pool, with all its processes at once: every key has an end', async () => {
    await using redis = await RedisServer.start(redisProgram)
    using scratch = new Scratch()
    await using run = producer(scratch.log('ticks'), redis)
    await run.says('BUSY')
    await submitted(redis)
    const pids = [...run.processes().keys()]
    // Nobody sees another die.
    for (const pid of pids) sendSignal(pid, 'SIGSTOP')
    for (const pid of pids) sendSignal(pid, 'SIGKILL')
    expect(await run.exit()).toBe('SIGKILL')
    expect((await redis.keys()).length).toBeGreaterThan(100)
    expect(await lasting(redis)).toEqual([])
  })

  test('a host that nobody has used is killed: every key has an end', async () => {
    await using redis = await RedisServer.start(redisProgram)
    await using host = await WorkerHost.start({ pool: uniqueName('producer'), redis: redis.url })
    expect((await redis.keys()).length).toBeGreaterThan(0)
    host.kill()
    await host.exit()
    expect(await lasting(redis)).toEqual([])
  })
})
