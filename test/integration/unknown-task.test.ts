// A task that a worker does not know: left for one that knows it; an error with the nearest names when none does.
import { Pool, taskRefs, UnknownTaskError } from '@poolmq/client'
import { expect, test } from 'vitest'
import { math } from '../fixtures/dist/math-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'

async function host(pool: string, module: string): Promise<ProgramRun> {
  const args = [poolmqCommand, 'worker', '--pool', pool, '--processes', '1', fixture(module)]
  const run = new ProgramRun(args, { env: { REDIS_URL: redisUrl() } })
  await run.says('serving')
  return run
}

test('is left for the host that knows it', async () => {
  const name = uniqueName('unknown')
  await using knowing = await host(name, 'math-tasks')
  await using _ignorant = await host(name, 'latch-tasks')
  await using pool = new Pool({ name })
  const pids = await pool.map(math.pid, new Array(12).fill(0), 1)
  const known = [...knowing.processes().keys()]
  for (const pid of pids) expect(known).toContain(pid)
})

test('that no live host knows rejects, with the nearest names', async () => {
  const name = uniqueName('unknown')
  await using _host = await host(name, 'math-tasks')
  await using pool = new Pool({ name })
  const wrong = taskRefs<{ sqare: (x: number) => number }>('math')
  const error = await pool.apply(wrong.sqare, [2]).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(UnknownTaskError)
  expect(error).toMatchObject({ code: 'ERR_POOL_UNKNOWN_TASK', taskId: 'math.sqare' })
  expect((error as UnknownTaskError).nearest[0]).toBe('math.square')
  expect(await pool.apply(math.square, [2])).toBe(4)
})

test('of a private pool rejects as well', async () => {
  await using pool = new Pool(1)
  const wrong = taskRefs<{ nothing: () => void }>('nowhere')
  await expect(pool.apply(wrong.nothing)).rejects.toBeInstanceOf(UnknownTaskError)
  expect(await pool.apply(math.square, [2])).toBe(4)
})
