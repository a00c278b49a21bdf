// A worker process that lives and no longer looks for chunks: it is found, and another takes its place.
import { Pool } from '@poolmq/client'
import { expect, inject, test } from 'vitest'
import { WorkerHost } from '../chaos/worker-host.js'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'

/** Resolves when this worker process of the host has been found out, and another serves instead of it. */
async function untilReplaced(host: WorkerHost, deaf: number): Promise<void> {
  const workers = () => host.workers
  await until('it is replaced', workers, (pids) => pids.length > 0 && !pids.includes(deaf), 60_000)
  const said = () => host.complaints
  await until('its supervisor says so', said, (text) => text.includes('has stopped looking for chunks'))
}

test.each([
  [
    'while it waited',
    async (pool: Pool, host: WorkerHost) => {
      expect(await pool.apply(chaos.length, ['abc'])).toBe(3)
      const deaf = host.workers[0] as number
      process.kill(deaf, 'SIGSTOP')
      return deaf
    },
  ],
  ['between the end of its chunk and the look for the next', (pool: Pool) => pool.apply(chaos.stopOnceDelivered)],
])('a worker process that was stopped %s is replaced', async (_when, stop) => {
  const name = uniqueName('deaf')
  const connection = inject('redisUrl')
  await using host = await WorkerHost.start({ pool: name, redis: connection, processes: 1, lease: 1000 })
  await using pool = new Pool({ name, processes: 0, connection })
  await untilReplaced(host, await stop(pool, host))
  expect(await pool.apply(chaos.length, ['abcd'])).toBe(4)
})

test('one that waits for chunks, or runs one for long, is left alone', async () => {
  const name = uniqueName('hearing')
  const connection = inject('redisUrl')
  await using host = await WorkerHost.start({ pool: name, redis: connection, processes: 2, lease: 2000 })
  await using pool = new Pool({ name, processes: 0, connection })
  const before = host.workers
  // Six of the intervals after three of which a silent one is replaced.
  expect(await pool.apply(chaos.sleep, [12_000])).toBe(12_000)
  expect(host.workers).toEqual(before)
})
