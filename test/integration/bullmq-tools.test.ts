// The queue of a pool is a BullMQ queue: BullMQ's own tools count it, hold it and let it go on.
import { Pool } from '@poolmq/client'
import { Queue } from 'bullmq'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { WorkerHost } from '../chaos/worker-host.js'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

const connection = inject('redisUrl')
let name: string
let queue: Queue
beforeEach(() => {
  name = uniqueName('tools')
  queue = new Queue('chunks', { prefix: `poolmq:{${name}}`, connection: { url: connection }, skipMetasUpdate: true })
})
afterEach(() => queue.close())

const texts = ['a', 'bc', 'def']

test('it counts chunks, those with a priority apart', async () => {
  await using pool = new Pool({ name, connection })
  const calls = [
    pool.mapAsync(chaos.length, texts, 1),
    pool.mapAsync(chaos.length, texts, { chunkSize: 1, priority: 5 }),
  ]
  const counts = () => queue.getJobCounts('wait', 'prioritized', 'active', 'delayed')
  const all = { wait: 3, prioritized: 3, active: 0, delayed: 0 }
  await until('all are there', counts, (found) => JSON.stringify(found) === JSON.stringify(all))
  expect(await queue.getCountsPerPriority([0, 5])).toEqual({ 0: 3, 5: 3 })
  await using _host = await WorkerHost.start({ pool: name, redis: connection })
  expect(await Promise.all(calls.map((call) => call.get(20_000)))).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ])
})

test('it holds a queue, and lets it go on', async () => {
  await using _host = await WorkerHost.start({ pool: name, redis: connection })
  await using pool = new Pool({ name, connection })
  expect(await pool.map(chaos.length, texts, 1)).toEqual([1, 2, 3])
  await queue.pause()
  const held = pool.mapAsync(chaos.length, texts, 1)
  await until(
    'they wait',
    () => queue.getJobCountByTypes('wait'),
    (count) => count === 3,
  )
  await held.wait(500)
  expect(held.ready()).toBe(false)
  await queue.resume()
  expect(await held.get(20_000)).toEqual([1, 2, 3])
})
