// What ends a host, or a Redis that has forgotten everything, is no item's failure: the item runs again, uncounted.
import { Pool } from '@poolmq/client'
import { describe, expect, inject, test } from 'vitest'
import { RedisServer } from '../chaos/redis-server.js'
import { type Listening, listening } from '../fixtures/dist/listening-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { until } from '../support/until.js'

const redisProgram = inject('redisProgram')
const ways: readonly Listening['how'][] = ['throws its reason', 'throws', 'returns', 'ends its process']
const host = (pool: string, redis: string, ...args: string[]) =>
  new ProgramRun([poolmqCommand, 'worker', '--pool', pool, '--redis', redis, ...args, fixture('listening-tasks')])

/** One task for each way to end, under a kind of call each; all of them run. */
async function start(pool: Pool, scratch: Scratch) {
  const [log, go] = [scratch.log('log'), scratch.latch('go')]
  const [a, b, c, d] = ways.map((how) => ({ log: log.path, go: go.path, how })) as [
    Listening,
    Listening,
    Listening,
    Listening,
  ]
  const results = Promise.all([
    pool.apply(listening.wait, [a]),
    pool.map(listening.wait, [b], 1),
    pool.imap(listening.wait, [c], 1).next(),
    pool.starmap(listening.wait, [[d]], { chunkSize: 1, retries: 2 }),
  ])
  results.catch(() => undefined) // looked at when it is waited for
  const running = (starts: number) =>
    until(
      'all tasks run',
      () => log.lines.length,
      (lines) => lines >= starts,
    )
  await running(4)
  return { results, go, running }
}

const first = [1, [1], { done: false, value: 1 }, [1]]

describe.each(['--processes', '--threads'])('tasks that listen to their signal, a host of four %s', (flag) => {
  test('stopped by a second SIGTERM: they run elsewhere', async () => {
    using scratch = new Scratch()
    const name = uniqueName('given-back')
    await using stopped = host(name, redisUrl(), flag, '4')
    await using pool = new Pool({ name })
    const { results, go, running } = await start(pool, scratch)
    stopped.kill('SIGTERM')
    stopped.kill('SIGTERM')
    // Signals of one kind that come together are one: it is sent until the host has ended.
    const again = setInterval(() => stopped.kill('SIGTERM'), 200)
    // One that comes while it ends, and listens no more, ends it as well.
    expect([0, 'SIGTERM']).toContain(await stopped.exit())
    clearInterval(again)
    await using _next = host(name, redisUrl(), flag, '4')
    await running(8)
    go.open()
    expect(await results).toEqual(first)
  })

  test('drained for too long: they run elsewhere', async () => {
    using scratch = new Scratch()
    const name = uniqueName('given-back')
    await using drained = host(name, redisUrl(), flag, '4', '--drain', '100')
    await using pool = new Pool({ name })
    const { results, go, running } = await start(pool, scratch)
    drained.kill('SIGTERM')
    expect(await drained.exit()).toBe(0)
    await using _next = host(name, redisUrl(), flag, '4')
    await running(8)
    go.open()
    expect(await results).toEqual(first)
  })
})

describe.skipIf(redisProgram === '')('a Redis that has forgotten everything', () => {
  test.each([
    ['emptied', (redis: RedisServer) => redis.ask('FLUSHALL').then(() => undefined)],
    [
      'started again without its data',
      async (redis: RedisServer) => {
        await redis.kill()
        await redis.start()
      },
    ],
  ])('%s, while tasks run that listen to their signal: no call was cancelled', async (_how, forget) => {
    await using redis = await RedisServer.start(redisProgram)
    using scratch = new Scratch()
    const name = uniqueName('given-back')
    await using _host = host(name, redis.url, '--processes', '4')
    await using pool = new Pool({ name, connection: redis.url })
    const { results, go } = await start(pool, scratch)
    await forget(redis)
    // The client is known again.
    await until(
      'its stream is there',
      () => redis.keys(),
      (keys) => keys.some((key) => key.includes(':results:')),
    )
    go.open()
    expect(await results).toEqual(first)
  })
})
