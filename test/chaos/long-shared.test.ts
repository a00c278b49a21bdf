// A shared value of 100 MB for 1,000 items on 4 processes, against a file that each process reads: part of
// `npm run chaos -- test/chaos/long-shared.test.ts`.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Pool } from '@poolmq/client'
import { expect, inject, test } from 'vitest'
import { pattern } from '../fixtures/dist/large-tasks.js'
import { shared } from '../fixtures/dist/shared-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { RedisServer } from './redis-server.js'
import { WorkerHost } from './worker-host.js'

const size = 100_000_000
const count = 1000
const rounds = Number(process.env.POOLMQ_CHAOS_ROUNDS ?? 7)
const places = Array.from({ length: count }, (_, i) => i * 90_000)

test('the worker processes of the pool itself', async () => {
  await using redis = await RedisServer.start(inject('redisProgram'))
  await using pool = new Pool({ processes: 4, connection: redis.url })
  const fetched = await measure(pool, redis)
  // They have it from a file that the producer has written.
  expect(Math.max(...fetched)).toBeLessThan(0.1 * size)
}, 600_000)

test('a host', async () => {
  await using redis = await RedisServer.start(inject('redisProgram'))
  const name = uniqueName('shared')
  await using pool = new Pool({ name, connection: redis.url })
  await using _host = await WorkerHost.start({ pool: name, redis: redis.url, processes: 4, tasks: 'shared-tasks' })
  const fetched = await measure(pool, redis)
  expect(Math.min(...fetched)).toBeGreaterThan(size)
  expect(Math.max(...fetched)).toBeLessThan(1.1 * size)
}, 600_000)

/** Prints medians; returns the bytes that Redis has sent in each round. */
async function measure(pool: Pool, redis: RedisServer): Promise<number[]> {
  const sent = async () => Number(/total_net_output_bytes:(\d+)/.exec(String(await redis.ask('INFO', 'stats')))?.[1])
  const fetched: number[] = []
  const times = { share: [] as number[], shared: [] as number[], again: [] as number[], file: [] as number[] }
  const timed = async <T>(into: number[], action: () => Promise<T>): Promise<T> => {
    const began = performance.now()
    const result = await action()
    into.push(performance.now() - began)
    return result
  }
  const small = Buffer.alloc(10)
  await pool.starmap(
    shared.sum,
    places.map((at) => [small, at] as const),
  )
  for (let round = 0; round < rounds; round++) {
    const value = pattern(size, round)
    const path = join(redis.directory, `value-${round}`)
    await writeFile(path, value)
    const model = await timed(times.share, () => pool.share(value))
    const items = places.map((at) => [model, at] as const)
    const before = await sent()
    const sums = await timed(times.shared, () => pool.starmap(shared.sum, items))
    fetched.push((await sent()) - before)
    await timed(times.again, () => pool.starmap(shared.sum, items))
    model.release()
    const paths = places.map((at) => [path, at] as const)
    expect(await timed(times.file, () => pool.starmap(shared.sumOfFile, paths))).toEqual(sums)
    await rm(path)
  }
  const median = (all: number[]) => Math.round(all.sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN)
  const [share, withShare, again, withFile] = Object.values(times).map(median) as [number, number, number, number]
  console.log(
    `share(100 MB) ${share} ms; ${count} items with it ${withShare} ms, again ${again} ms; with a file ${withFile} ms: ` +
      `${(withShare / withFile).toFixed(2)} times`,
  )
  return fetched
}
