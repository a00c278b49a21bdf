/**
 * A durable call while its producers, those who are attached to it, hosts and Redis are killed, stopped and cut off at random: in the end
 * the results are right, and all who have read them have read the same.
 */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { DurableLostError, type Pool } from '@poolmq/client'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { sharingItems } from '../fixtures/dist/sharing-items.js'
import { fixture, ProgramRun } from '../support/program-run.js'
import { known } from './chaos-round.js'
import type { FaultDeck } from './faults.js'
import type { Fleet } from './fleet.js'
import type { Random } from './random.js'

export interface DurableRound {
  readonly pool: Pool
  readonly fleet: Fleet
  readonly random: Random
  readonly faults: FaultDeck
  readonly key: string
  readonly items: number
  readonly chunkSize: number
  /** Milliseconds between two faults, from and to. */
  readonly pace: readonly [least: number, most: number]
  /** Milliseconds in which it must end. */
  readonly limit: number
}

export interface DurableReport {
  readonly milliseconds: number
  readonly inflicted: readonly string[]
  /** Processes that have read the results to the end, beside this one. */
  readonly readers: number
  readonly wrong: readonly string[]
}

/** Processes at the call at a time. */
const mostPrograms = 3

export async function runDurableRound(round: DurableRound): Promise<DurableReport> {
  const { pool, key, items: length, chunkSize, limit } = round
  const start = performance.now()
  const programs: ProgramRun[] = []
  const over = new AbortController()
  const inflicted: string[] = []
  const wrong: string[] = []
  try {
    const first = begin(round, 'map')
    programs.push(first)
    await first.says('OPEN')
    const tormenting = torment(round, programs, over.signal, inflicted)
    // A producer that was killed before all items were in Redis leaves the others to who has them: this one.
    const attached = pool.attach<[number, number][]>(key).get(limit)
    const results = await attached.catch(async (error: unknown) => {
      if (!(error instanceof DurableLostError)) throw error
      inflicted.push('passed again')
      const items = await sharingItems(pool, length)
      return await pool.mapAsync(chaos.known, items, { durable: key, chunkSize }).get(limit)
    })
    over.abort()
    await tormenting
    for (const [place, [item, value]] of results.entries()) {
      if (item !== place || value !== known(item)) wrong.push(`${item}: ${value} at place ${place}`)
    }
    if (results.length !== length) wrong.push(`${results.length} results of ${length}`)
    const digest = createHash('sha256').update(JSON.stringify(results)).digest('hex')
    for (const program of programs) {
      await program.says(/^ENDED /m, limit).catch((error: unknown) => wrong.push(String(error)))
      if (!program.stdout.includes(digest)) wrong.push(`another has read: ${program.stdout}${program.stderr}`)
    }
    if (!(await pool.attach(key).forget())) wrong.push('it was not there any more')
  } catch (error) {
    wrong.push(`after ${inflicted.join(', ')}: ${error instanceof Error ? String(error.stack) : String(error)}`)
  } finally {
    over.abort()
    for (const program of programs) await program[Symbol.asyncDispose]()
  }
  const milliseconds = Math.round(performance.now() - start)
  return { milliseconds, inflicted, readers: programs.length, wrong: wrong.slice(0, 20) }
}

function begin({ fleet, key, items, chunkSize }: DurableRound, how: 'map' | 'attach'): ProgramRun {
  const facts = [fleet.redis.url, fleet.pool, key, String(items), String(chunkSize), how]
  return new ProgramRun([fixture('durable-chaos-program'), ...facts])
}

async function torment(
  round: DurableRound,
  programs: ProgramRun[],
  over: AbortSignal,
  inflicted: string[],
): Promise<void> {
  const { fleet, random, faults, pace } = round
  while (!over.aborted) {
    await sleep(random.between(...pace), undefined, { signal: over }).catch(() => undefined)
    if (over.aborted) return
    const chance = random.next()
    if (chance < 0.25 && programs.length > 0) {
      inflicted.push('killProgram')
      const [killed] = programs.splice(random.between(0, programs.length - 1), 1)
      killed?.kill('SIGKILL')
      await killed?.[Symbol.asyncDispose]()
    } else if (chance < 0.6 && programs.length < mostPrograms) {
      const how = random.pick(['map', 'attach'] as const)
      inflicted.push(how)
      programs.push(begin(round, how))
    } else {
      const [name, inflict] = faults.draw()
      inflicted.push(name)
      await inflict(fleet, random)
    }
  }
}
