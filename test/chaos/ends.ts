/**
 * Producers that end a moment after they have made a pool, in every way that a program can end, many at the same time:
 * nothing of them may stay. What is left is looked for once all of them have ended.
 */
import { readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun } from '../support/program-run.js'
import { RedisDatabase } from '../support/redis-database.js'
import { until } from '../support/until.js'
import { Random } from './random.js'

const kinds = ['processes', 'processes', 'threads', 'named', 'initialized', 'several', 'embedded'] as const
/** What the program does itself, and what is done to it. */
const endings = ['throw', 'exit', 'reject', 'forget', 'refused', 'SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGINT'] as const

interface End {
  readonly kind: (typeof kinds)[number] | 'refused'
  readonly ending: (typeof endings)[number]
  /** Milliseconds after the pools were made. */
  readonly after: number
}

export interface EndsOptions {
  readonly seed: number
  readonly count: number
  /** How many at the same time. */
  readonly batch: number
  /** The number of a Redis database that is used by nobody else. */
  readonly database: number
}

/** Milliseconds until nothing may be left: below the 45 s after which a client's lease ends by itself. */
const limit = 30_000
/** An end comes at most so many milliseconds after the pools were made. */
const latest = 300

/** @throws Error that says what was left, and of which ends. */
export async function runEnds({ seed, count, batch, database }: EndsOptions): Promise<void> {
  const random = new Random(seed)
  await using redis = await RedisDatabase.open(database)
  await redis.flush()
  for (let done = 0; done < count; done += batch) {
    const ends = Array.from({ length: Math.min(batch, count - done) }, () => nextEnd(random))
    await runBatch(ends, redis)
  }
}

function nextEnd(random: Random): End {
  const ending = random.pick(endings)
  const kind = ending === 'refused' ? 'refused' : random.pick(kinds)
  return { kind, ending, after: random.between(0, latest / 5) * 5 }
}

async function runBatch(ends: readonly End[], redis: RedisDatabase): Promise<void> {
  using scratch = new Scratch()
  const programs = ends.map((end) => start(end, redis, scratch))
  try {
    await Promise.all(programs.map((run, i) => finish(run, ends[i] as End)))
    const left = async () => ({
      processes: programs.flatMap((run) => [...run.processes()]),
      files: [...scratch.names(), ...namesOfTheDead()],
      connections: await redis.connections(),
      keys: await redis.keys(),
    })
    const isNothing = (found: Awaited<ReturnType<typeof left>>) =>
      Object.values(found).every(({ length }) => length === 0)
    await until('nothing is left', left, isNothing, limit)
  } catch (error) {
    throw new Error(`of these ends: ${ends.map((end) => JSON.stringify(end)).join(', ')}`, { cause: error })
  } finally {
    for (const run of programs) await run[Symbol.asyncDispose]()
  }
}

function start({ kind, ending, after }: End, redis: RedisDatabase, scratch: Scratch): ProgramRun {
  const does = ending.startsWith('SIG') ? 'wait' : ending === 'refused' ? 'forget' : ending
  const args = [kind === 'embedded' ? 'processes' : kind, does, String(after), uniqueName('ends')]
  const env = { TMPDIR: scratch.directory, POOLMQ_LOG: 'silent', ...(kind !== 'embedded' && { REDIS_URL: redis.url }) }
  return new ProgramRun([fixture('ends-program'), ...args], { env, group: ending === 'SIGINT' })
}

async function finish(run: ProgramRun, { ending, after }: End): Promise<void> {
  if (ending.startsWith('SIG')) {
    await run.says('POOL')
    await delay(after)
    // Ctrl-C in a terminal reaches all processes of the group.
    if (ending === 'SIGINT') run.killGroup(ending)
    else run.kill(ending as NodeJS.Signals)
  }
  await run.exit(limit)
  // Whoever reads what the program says, as `node x | tail` does, sees its end.
  await run.silent(limit)
}

/** Files in memory, by which supervisors and worker processes share what is in hand, of processes that are gone. */
function namesOfTheDead(): string[] {
  const alive = new Set(readdirSync('/proc'))
  return readdirSync('/dev/shm').filter((name) => {
    const pid = /^poolmq-(\d+)-/.exec(name)?.[1]
    return pid !== undefined && !alive.has(pid)
  })
}
