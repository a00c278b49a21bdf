/**
 * One round: a call whose results are known, with faults inflicted until it has ended, and the check that every item is in
 * the output exactly once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from '@poolmq/client'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import type { FaultDeck } from './faults.js'
import type { Fleet } from './fleet.js'
import type { Random } from './random.js'

export const methods = ['map', 'imap', 'imapUnordered'] as const
export type Method = (typeof methods)[number]

const itemCount = 20_000

export interface Round {
  readonly pool: Pool
  readonly fleet: Fleet
  readonly random: Random
  readonly method: Method
  readonly chunkSize: number
  /** How many. @defaultValue 20000 */
  readonly items?: number
  readonly faults: FaultDeck
  /** Milliseconds between two faults, from and to. */
  readonly pace: readonly [least: number, most: number]
  /** Faults at most. @defaultValue until the call has ended */
  readonly most?: number
  /** Milliseconds in which it must end. */
  readonly limit: number
  readonly say?: (line: string) => void
}

export interface RoundReport {
  readonly milliseconds: number
  readonly inflicted: readonly string[]
  /** What is wrong with the output; empty when nothing is. */
  readonly wrong: readonly string[]
}

type Known = readonly [item: number, known: number]

/** What `chaos.known` gives for an item. */
export const known = (item: number): number => Math.imul(item, 2654435761) >>> 0

export async function runRound(round: Round): Promise<RoundReport> {
  const start = performance.now()
  const over = new AbortController()
  const inflicted: string[] = []
  const tormenting = torment(round, over.signal, inflicted).catch((error: unknown) => error)
  let wrong: string[]
  try {
    const output = await withinLimit(collect(round), round.limit, () => `${round.method} after ${inflicted.join(', ')}`)
    wrong = judge(output, round.items ?? itemCount, round.method !== 'imapUnordered')
  } catch (error) {
    wrong = [error instanceof Error ? String(error.stack ?? error) : String(error)]
  }
  const milliseconds = Math.round(performance.now() - start)
  over.abort()
  const failure = await tormenting
  if (failure !== undefined) wrong.push(`after ${inflicted.join(', ')}: ${String(failure)}`)
  return { milliseconds, inflicted, wrong }
}

async function torment(
  { fleet, random, faults, pace, most = Number.POSITIVE_INFINITY, say }: Round,
  over: AbortSignal,
  inflicted: string[],
): Promise<void> {
  while (inflicted.length < most) {
    await sleep(random.between(...pace), undefined, { signal: over }).catch(() => undefined)
    if (over.aborted) return
    const [name, inflict] = faults.draw()
    inflicted.push(name)
    say?.(name)
    await inflict(fleet, random)
  }
}

async function collect({ pool, method, chunkSize, items: length = itemCount }: Round): Promise<Known[]> {
  const items = Array.from({ length }, (_, item) => item)
  if (method === 'map') return await pool.map(chaos.known, items, chunkSize)
  const output: Known[] = []
  for await (const result of pool[method](chaos.known, items, chunkSize)) output.push(result)
  return output
}

function judge(output: readonly Known[], items: number, ordered: boolean): string[] {
  const wrong: string[] = []
  const seen = new Uint32Array(items)
  for (const [place, [item, value]] of output.entries()) {
    seen[item] = (seen[item] ?? 0) + 1
    if (value !== known(item)) wrong.push(`item ${item}: ${value} instead of ${known(item)}`)
    if (ordered && item !== place) wrong.push(`item ${item} at place ${place}`)
  }
  for (const [item, times] of seen.entries()) if (times !== 1) wrong.push(`item ${item}: ${times} times`)
  return wrong.slice(0, 20)
}

/** Rejects when the promise does not settle in time. */
async function withinLimit<T>(promise: Promise<T>, limit: number, what: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what()}: not ended within ${limit} ms`)), limit)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
