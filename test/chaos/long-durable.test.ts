// Durable calls under chaos: `npm run chaos -- --minutes N --seed S test/chaos/long-durable.test.ts`.
import { Pool } from '@poolmq/client'
import { expect, inject, test } from 'vitest'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { RedisServers } from '../support/redis-servers.js'
import { known } from './chaos-round.js'
import { runDurableChaos } from './durable-run.js'

const minutes = Number(process.env.POOLMQ_CHAOS_MINUTES ?? 10)
const seed = Number(process.env.POOLMQ_CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31))
const redisProgram = inject('redisProgram')

test.skipIf(redisProgram === '')(
  `durable calls in chaos for ${minutes} minutes with seed ${seed}`,
  async () => {
    console.log(`chaos: --minutes ${minutes} --seed ${seed}`)
    const end = Date.now() + minutes * 60_000
    const faults = process.env.POOLMQ_CHAOS_FAULTS?.split(',')
    await runDurableChaos({ redisProgram, seed, faults, items: 8000, goesOn: () => Date.now() < end })
  },
  minutes * 60_000 + 300_000,
)

test.skipIf(redisProgram === '')(
  'a fail-over while nobody is attached',
  async () => {
    await using servers = await RedisServers.sentinel(redisProgram, 5000)
    const [name, key] = [uniqueName('durable'), uniqueName('key')]
    const args = ['worker', '--pool', name, '--processes', '2', '--lease', '3000', '--redis', servers.address]
    await using host = new ProgramRun([poolmqCommand, ...args, fixture('chaos-tasks')])
    await host.says('serving pool')
    const items = Array.from({ length: 5000 }, (_, item) => item)
    {
      await using pool = new Pool({ name, connection: servers.connection })
      const call = pool.mapAsync(chaos.known, items, { durable: key, chunkSize: 5 })
      for await (const _ of call.from(0)) break
    }
    await using pool = new Pool({ name, connection: servers.connection })
    await pool.stats()
    await servers.loseMaster()
    // What the replica had not heard of is given again.
    const results = await pool.mapAsync(chaos.known, items, { durable: key, chunkSize: 5 }).get(120_000)
    expect(results).toEqual(items.map((item) => [item, known(item)]))
    expect(await pool.attach(key).forget()).toBe(true)
  },
  200_000,
)
