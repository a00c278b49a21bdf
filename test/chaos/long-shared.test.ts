// A shared value of 100 MB for 1,000 items on 4 processes, against a file that each process reads: part of
// `npm run chaos -- test/chaos/long-shared.test.ts`.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Pool } from '@poolmq/client'
import { expect, inject, test } from 'vitest'
import { pattern } from '../fixtures/dist/large-tasks.js'
import { shared } from '../fixtures/dist/shared-tasks.js'
import { RedisServer } from './redis-server.js'

const megabyte = 1_000_000
const size = 100 * megabyte
const count = 1000
const rounds = Number(process.env.POOLMQ_CHAOS_ROUNDS ?? 7)

test(`${rounds} rounds`, async () => {
  await using redis = await RedisServer.start(inject('redisProgram'))
  await using pool = new Pool({ processes: 4, connection: redis.url })
  const sent = async () => Number(/total_net_output_bytes:(\d+)/.exec(String(await redis.ask('INFO', 'stats')))?.[1])
  const places = Array.from({ length: count }, (_, i) => i * 90_000)
  await pool.starmap(
    shared.sum,
    places.map((at) => [Buffer.alloc(10), at] as const),
  )
  const times = { share: [] as number[], shared: [] as number[], file: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    const value = pattern(size, round)
    const path = join(redis.directory, `value-${round}`)
    await writeFile(path, value)

    const began = performance.now()
    const model = await pool.share(value)
    times.share.push(performance.now() - began)
    const before = await sent()
    const byShare = performance.now()
    const sums = await pool.starmap(
      shared.sum,
      places.map((at) => [model, at] as const),
    )
    times.shared.push(performance.now() - byShare)
    const fetched = (await sent()) - before
    // Its own worker processes have it from a file.
    expect(fetched).toBeLessThan(0.1 * size)
    model.release()

    const byFile = performance.now()
    const others = await pool.starmap(
      shared.sumOfFile,
      places.map((at) => [path, at] as const),
    )
    times.file.push(performance.now() - byFile)
    expect(sums).toEqual(others)
    await rm(path)
  }
  const median = (all: number[]) => all.sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN
  const [share, withShare, withFile] = [times.share, times.shared, times.file].map(median) as [number, number, number]
  console.log(
    `share(100 MB) ${Math.round(share)} ms; ${count} items with it ${Math.round(withShare)} ms, with a file ${Math.round(withFile)} ms: ` +
      `${(withShare / withFile).toFixed(2)} times`,
  )
}, 600_000)
