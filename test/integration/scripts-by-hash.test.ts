// Redis is sent the text of a script once; then what stands for it, which it may forget.
import { Pool } from '@poolmq/client'
import { expect, test } from 'vitest'
import { RedisLink } from '../../packages/shared/src/redis/redis-link.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { TestServer } from './connection-server.js'

test('a hundred calls send the text of no script again, and those after Redis has forgotten all work', async () => {
  const server = await TestServer.start()
  await using link = await RedisLink.open(server.path)
  const sent = async () => {
    const stats = await link.client.info('commandstats')
    const calls = (command: string) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
    return { texts: calls('eval'), hashes: calls('evalsha') }
  }
  await using pool = new Pool({ processes: 1, connection: server.path })
  // Whatever is asked for now and then has been asked for once: adding, taking, cancelling, renewing.
  const withdrawn = new AbortController()
  const cancelled = pool.mapAsync(math.square, [1, 2, 3], { chunkSize: 1, signal: withdrawn.signal })
  withdrawn.abort()
  await cancelled.get().catch(() => undefined)
  for (let i = 0; i < 10; i++) await pool.apply(math.square, [i])
  const before = await sent()
  for (let i = 0; i < 100; i++) expect(await pool.apply(math.square, [i])).toBe(i * i)
  const after = await sent()
  expect(after.hashes - before.hashes).toBeGreaterThanOrEqual(200)
  // What is done by the clock may have come for the first time.
  expect(after.texts - before.texts).toBeLessThan(10)
  await link.client.script('FLUSH')
  expect(await pool.map(math.square, [1, 2, 3], 1)).toEqual([1, 4, 9])
})
