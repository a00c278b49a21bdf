/** Rounds of chaos at durable calls, on one fleet: then everything ends, and it is looked for what is left. */
import { Pool } from '@poolmq/client'
import { expect } from 'vitest'
import { runDurableRound } from './durable-round.js'
import { FaultDeck } from './faults.js'
import { Fleet } from './fleet.js'
import { Random } from './random.js'

export interface DurableRun {
  readonly redisProgram: string
  readonly seed: number
  readonly faults?: readonly string[] | undefined
  readonly items: number
  readonly goesOn: (round: number) => boolean
}

export async function runDurableChaos({ redisProgram, seed, faults, items, goesOn }: DurableRun): Promise<void> {
  const random = new Random(seed)
  const deck = new FaultDeck(random, faults)
  await using fleet = await Fleet.start({ redisProgram })
  {
    await using pool = new Pool({ name: fleet.pool, connection: fleet.redis.url })
    for (let round = 0; goesOn(round); round++) {
      const given = { pool, fleet, random, faults: deck, key: `round-${round}`, items, limit: 180_000 }
      const chunkSize = random.pick([5, 10, 25])
      const report = await runDurableRound({ ...given, chunkSize, pace: [50, 800] })
      const { milliseconds, readers, inflicted, wrong } = report
      console.log(`round ${round} by ${chunkSize}: ${milliseconds} ms, ${readers} readers; ${inflicted.join(' ')}`)
      if (wrong.length > 0) console.log(fleet.hosts.map((host) => host.complaints.slice(-4000)).join('\n---\n'))
      expect(wrong, `round ${round}, seed ${seed}`).toEqual([])
    }
  }
  expect(await fleet.drain()).toEqual(fleet.hosts.map(() => 0))
  expect(await fleet.processesLeft()).toEqual([])
  expect(await fleet.keysLeft(false)).toEqual([])
}
