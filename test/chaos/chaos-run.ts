/**
 * Rounds of chaos on one fleet, one client, and one line of numbers by chance: then everything ends, and it is looked for
 * what is left.
 */
import { Pool } from '@poolmq/client'
import { expect } from 'vitest'
import { methods, runRound } from './chaos-round.js'
import { FaultDeck } from './faults.js'
import { Fleet } from './fleet.js'
import { MemoryRecord } from './memory-record.js'
import { Random } from './random.js'

export interface ChaosRun {
  readonly redisProgram: string
  readonly seed: number
  /** Names of faults. @defaultValue all */
  readonly faults?: readonly string[] | undefined
  /** Tasks at a time in each worker process. @defaultValue 1 */
  readonly concurrency?: number
  /** Of each round. @defaultValue 20000 */
  readonly items?: number
  /** Milliseconds between two faults, from and to. */
  readonly pace: readonly [least: number, most: number]
  /** Faults of each round at most. @defaultValue until its call has ended */
  readonly most?: number
  /** Whether there is to be another round. */
  readonly goesOn: (round: number, faults: FaultDeck) => boolean
  /** Keys with a time to live are waited for. @defaultValue true */
  readonly patient?: boolean
}

export async function runChaos(run: ChaosRun): Promise<void> {
  const { redisProgram, seed, items, most, pace, concurrency = 1, patient = true } = run
  const random = new Random(seed)
  const faults = new FaultDeck(random, run.faults)
  await using fleet = await Fleet.start({ redisProgram, concurrency })
  const memory = new MemoryRecord()
  {
    await using pool = new Pool({ name: fleet.pool, connection: fleet.redis.url })
    for (let round = 0; run.goesOn(round, faults); round++) {
      const method = methods[round % methods.length] as (typeof methods)[number]
      const chunkSize = random.pick([10, 25, 50, 100])
      const given = { pool, fleet, random, method, chunkSize, faults, pace, limit: 180_000 }
      const { milliseconds, inflicted, wrong } = await runRound({
        ...given,
        ...(items !== undefined && { items }),
        ...(most !== undefined && { most }),
      })
      memory.note(fleet)
      console.log(
        `round ${round} ${method} by ${chunkSize}: ${milliseconds} ms; ${inflicted.join(' ')}; ${memory.last}`,
      )
      if (wrong.length > 0) console.log(fleet.hosts.map((host) => host.complaints.slice(-4000)).join('\n---\n'))
      expect(wrong, `round ${round}, seed ${seed}`).toEqual([])
    }
  }
  expect(await fleet.drain()).toEqual(fleet.hosts.map(() => 0))
  expect(await fleet.processesLeft()).toEqual([])
  expect(await fleet.keysLeft(patient)).toEqual([])
  expect(memory.growth, memory.all.join('\n')).toEqual([])
}
