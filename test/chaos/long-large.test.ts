// Ten gigabytes through a Redis of 512 MB: part of `npm run chaos -- test/chaos/long-large.test.ts`.
import { Pool } from '@poolmq/client'
import { expect, inject, test } from 'vitest'
import { large, pattern } from '../fixtures/dist/large-tasks.js'
import { RedisServer } from './redis-server.js'

const count = Number(process.env.POOLMQ_CHAOS_ITEMS ?? 10_000)
const mebibyte = 2 ** 20

test(`${count} items of 1 MB through map, with maxmemory 512mb`, async () => {
  await using redis = await RedisServer.start(inject('redisProgram'), ['--maxmemory', '512mb'])
  await using pool = new Pool({ processes: 2, connection: redis.url })
  const bytes = pattern(1_000_000, 3)
  let resident = 0
  const watch = setInterval(() => {
    resident = Math.max(resident, process.memoryUsage.rss())
  }, 100)
  const began = performance.now()
  const lengths = await pool.map(large.lengthOf, Array(count).fill(bytes), 1)
  const seconds = (performance.now() - began) / 1000
  clearInterval(watch)
  expect(lengths).toEqual(Array(count).fill(1_000_000))
  const peak = Number(/^used_memory_peak:(\d+)/m.exec(String(await redis.ask('INFO', 'memory')))?.[1])
  console.log(
    `${Math.round(seconds)} s; Redis ${Math.round(peak / mebibyte)} MiB at most, the producer ${Math.round(resident / mebibyte)}`,
  )
  expect(peak).toBeLessThan(512 * mebibyte)
  expect(resident).toBeLessThan(1024 * mebibyte)
}, 3_600_000)
