// The long run: `npm run chaos -- --minutes N --seed S`.
import { Pool } from '@poolmq/client'
import { expect, inject, test } from 'vitest'
import { methods, runRound } from './chaos-round.js'
import { faults } from './faults.js'
import { Fleet } from './fleet.js'
import { MemoryRecord } from './memory-record.js'
import { Random } from './random.js'

const minutes = Number(process.env.POOLMQ_CHAOS_MINUTES ?? 10)
const seed = Number(process.env.POOLMQ_CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31))
const redisProgram = inject('redisProgram')
const only = process.env.POOLMQ_CHAOS_FAULTS?.split(',')

test.skipIf(redisProgram === '')(
  `chaos for ${minutes} minutes with seed ${seed}`,
  async () => {
    console.log(`chaos: --minutes ${minutes} --seed ${seed}`)
    const random = new Random(seed)
    await using fleet = await Fleet.start({ redisProgram })
    const memory = new MemoryRecord()
    const chosen = Object.fromEntries(Object.entries(faults).filter(([name]) => only?.includes(name) ?? true))
    {
      await using pool = new Pool({ name: fleet.pool, connection: fleet.redis.url })
      const end = Date.now() + minutes * 60_000
      for (let round = 0; Date.now() < end; round++) {
        const method = methods[round % methods.length] as (typeof methods)[number]
        const chunkSize = random.pick([10, 25, 50, 100])
        const report = await runRound({
          pool,
          fleet,
          random,
          method,
          chunkSize,
          faults: chosen,
          pace: [100, 1500],
          limit: 180_000,
        })
        memory.note(fleet)
        const { milliseconds, inflicted, wrong } = report
        console.log(
          `round ${round} ${method} by ${chunkSize}: ${milliseconds} ms; ${inflicted.join(' ')}; ${memory.last}`,
        )
        if (wrong.length > 0) console.log(fleet.hosts.map((host) => host.complaints.slice(-4000)).join('\n---\n'))
        expect(wrong, `round ${round}, seed ${seed}`).toEqual([])
      }
    }
    expect(await fleet.drain()).toEqual(fleet.hosts.map(() => 0))
    expect(await fleet.processesLeft()).toEqual([])
    expect(await fleet.keysLeft()).toEqual([])
    expect(memory.growth, memory.all.join('\n')).toEqual([])
  },
  minutes * 60_000 + 300_000,
)
