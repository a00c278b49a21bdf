// Nothing of ours piles up on what lives long: an ioredis instance or a signal of the caller's, a socket, the process.
import { getEventListeners } from 'node:events'
import { Pool } from '@poolmq/client'
import { RedisLink } from '@poolmq/shared'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest'
import { math } from '../fixtures/dist/math-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'
import { redisProgram, TestServer } from './connection-server.js'

/** Far more than an emitter bears. */
const many = 30
let warnings: string[] = []
const note = (warning: Error) => {
  if (warning.name === 'MaxListenersExceededWarning') warnings.push(warning.message)
}
beforeAll(() => void process.on('warning', note))
afterAll(() => void process.off('warning', note))
beforeEach(() => {
  warnings = []
})
// Warnings come in a later turn.
afterEach(async () => {
  await new Promise(setImmediate)
  expect(warnings).toEqual([])
})

const names = ['error', 'node error', 'close', 'ready', 'end', 'reconnecting', 'connect'] as const
const count = (client: Redis) => names.map((name) => client.listenerCount(name))

describe('many pools', () => {
  test('on one ioredis instance, that is still connecting: some listeners in all, and none when they are gone', async () => {
    const client = new Redis(inject('redisUrl'), { lazyConnect: true })
    onTestFinished(() => client.disconnect())
    const before = count(client)
    const pools = Array.from({ length: many }, () => new Pool({ name: uniqueName('listeners'), connection: client }))
    await Promise.all(pools.map((pool) => pool.hosts()))
    expect(Math.max(...count(client).map((now, i) => now - (before[i] ?? 0)))).toBeLessThan(3)
    await Promise.all(pools.map((pool) => pool.terminate()))
    expect(count(client)).toEqual(before)
    expect(await client.ping()).toBe('PONG')
  })

  test('with one signal, one process, many calls each', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const pools = Array.from(
      { length: many },
      () => new Pool({ name: uniqueName('listeners'), connection: inject('redisUrl') }),
    )
    const calls = pools.flatMap((pool) => [
      pool.mapAsync(math.square, [1, 2, 3], { chunkSize: 1, signal }),
      ...Array.from({ length: many }, () => pool.applyAsync(math.square, [2], undefined, { signal })),
    ])
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    controller.abort()
    await Promise.all(calls.map((call) => call.wait()))
    expect(calls.filter((call) => !call.ready())).toEqual([])
    const onProcess = () => process.eventNames().map((name) => process.listenerCount(name))
    expect(Math.max(...onProcess())).toBeLessThan(10)
    await Promise.all(pools.map((pool) => pool.terminate()))
  })
})

describe.skipIf(!redisProgram)('a Redis that turns read-only', () => {
  test('again and again, with many commands under way: they are done when it is writable', async () => {
    const server = await TestServer.start()
    const admin = new Redis(server.path)
    onTestFinished(() => admin.disconnect())
    await using link = await RedisLink.open({ path: server.path })
    const blocking = link.duplicate() as Redis
    for (let round = 1; round <= 3; round++) {
      await admin.call('REPLICAOF', '127.0.0.1', '1')
      const writes = Array.from({ length: many }, (_, i) => [
        link.client.set(`key ${i}`, round),
        blocking.incr(`count ${i}`),
      ]).flat()
      // Refused a few times at least.
      const refused = async () =>
        Number(/errorstat_READONLY:count=(\d+)/.exec(await admin.info('errorstats'))?.[1] ?? 0)
      const before = await refused()
      await until('it refuses', refused, (now) => now >= before + 3 * many)
      await admin.call('REPLICAOF', 'NO', 'ONE')
      await Promise.all(writes)
      expect(await link.client.get('key 7')).toBe(String(round))
      expect(await blocking.get('count 7')).toBe(String(round))
    }
  })
})
