// A program with a pool comes to an end: by itself, in time, and nothing of it is left: no process, no connection to
// Redis, no key. It uses a database of its own, so that whatever is in there is the program's.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun } from '../support/program-run.js'
import { RedisDatabase } from '../support/redis-database.js'
import { until } from '../support/until.js'

let redis: RedisDatabase
beforeAll(async () => {
  redis = await RedisDatabase.open(11)
  await redis.flush()
})
afterEach(() => redis.flush())
afterAll(() => redis[Symbol.asyncDispose]())

const program = fixture('leftovers-program')

/**
 * Milliseconds in which a program must be gone, and then in which all that is left of it must be. Below the 45 s after
 * which a client's lease ends: what then vanishes by itself was left.
 */
const limit = 30_000

async function expectNothingLeft(run: ProgramRun, survivors: readonly number[] = []): Promise<void> {
  const left = async () => ({
    processes: [...run.processes()].filter(([pid]) => !survivors.includes(pid)),
    connections: await redis.connections(),
    keys: await redis.keys(),
  })
  await until('nothing is left', left, (found) => Object.values(found).every((list) => list.length === 0), limit)
}

function start(scratch: Scratch, ending: string, options: { name?: string; group?: boolean; node?: string[] } = {}) {
  const { name, group = false, node = [] } = options
  const args = [...node, program, ending, scratch.latch('started').path, ...(name === undefined ? [] : [name])]
  return new ProgramRun(args, { env: { REDIS_URL: redis.url, POOLMQ_LOG: 'silent' }, group })
}

describe('of a private pool', () => {
  test.each([
    ['terminate()', 'terminate', 0],
    ['terminate() in the middle of work', 'terminateBusy', 0],
    ['terminate() at once', 'terminateAtOnce', 0],
    ['terminate() of many pools while they start', 'terminateEarly', 0],
    ['terminate() that nobody waits for', 'terminateUnawaited', 0],
    ['close() and join()', 'closeJoin', 0],
    ['await using', 'awaitUsing', 0],
    ['no close at all', 'nothing', 0],
    ['no close, and more work at the end of the work (`beforeExit`)', 'again', 0],
    ['no close, and work that comes after the end', 'tooLate', 0],
    ['a pool that was never used', 'unused', 0],
    ['process.exit() in the middle', 'exit', 3],
    ['an uncaught error in the middle', 'throw', 1],
  ])('%s', async (_how, ending, code) => {
    using scratch = new Scratch()
    await using run = start(scratch, ending)
    expect(await run.exit(limit)).toBe(code)
    const says = {
      terminateBusy: 'BUSY',
      exit: 'BUSY',
      throw: 'BUSY',
      terminateAtOnce: '',
      terminateEarly: '',
      unused: '',
      again: 'USED\nUSED',
      tooLate: [
        '<Pool state=TERMINATE pool_size=2>',
        'Pool not running: it was terminated as the program had nothing left to do (`beforeExit`)',
        'the pool has ended; there is nothing left to look at',
        'The pool was terminated before the result was ready',
        'DONE',
      ].join('\n'),
    }[ending]
    expect(run.stdout.trim()).toBe(says ?? 'USED')
    if (code === 0) expect(run.stderr).toBe('')
    await expectNothingLeft(run)
  })

  test('SIGKILL in the middle', async () => {
    using scratch = new Scratch()
    await using run = start(scratch, 'busy')
    await run.says('BUSY')
    // Otherwise what is looked for below would not be found anyway.
    expect(run.processes().size).toBeGreaterThanOrEqual(4)
    expect((await redis.connections()).length).toBeGreaterThan(0)
    expect((await redis.keys()).every((key) => key.startsWith('poolmq:{'))).toBe(true)
    expect((await redis.keys()).length).toBeGreaterThan(100)
    run.kill('SIGKILL')
    expect(await run.exit(limit)).toBe('SIGKILL')
    await expectNothingLeft(run)
  })

  test('Ctrl-C in the middle', async () => {
    using scratch = new Scratch()
    await using run = start(scratch, 'busy', { group: true })
    await run.says('BUSY')
    run.killGroup('SIGINT')
    expect(await run.exit(limit)).toBe('SIGINT')
    await expectNothingLeft(run)
  })
})

describe('of a named pool that nobody else uses', () => {
  test.each([
    ['terminate() in the middle of work', 'terminateBusy', 0],
    ['close() and join()', 'closeJoin', 0],
    ['process.exit() in the middle', 'exit', 3],
  ])('%s', async (_how, ending, code) => {
    using scratch = new Scratch()
    await using run = start(scratch, ending, { name: uniqueName('leftovers') })
    expect(await run.exit(limit)).toBe(code)
    await expectNothingLeft(run)
  })
})

describe('of a pool with the embedded Redis', () => {
  test.each([
    ['close() and join()', 'closeJoin', 0],
    ['no close at all', 'nothing', 0],
    ['process.exit() in the middle', 'exit', 3],
  ])('%s', async (_how, ending, code) => {
    using scratch = new Scratch()
    await using run = new ProgramRun([program, ending, scratch.latch('started').path], {
      env: { TMPDIR: scratch.directory },
    })
    expect(await run.exit(limit)).toBe(code)
    const left = () => [...run.processes()]
    await until('nothing is left', left, (processes) => processes.length === 0, limit)
    // The user did not ask for a server, and must not be told at length that it is gone.
    expect(run.complaints.length, run.stderr).toBeLessThanOrEqual(4)
    expect(scratch.names().filter((name) => name.startsWith('poolmq-'))).toEqual([])
  })

  test.each([
    ['SIGINT', 'busy', 'SIGINT'],
    ['SIGTERM', 'busy', 'SIGTERM'],
    ['process.exit()', 'exit', undefined],
    ['an uncaught error', 'throw', undefined],
  ] as const)('%s: nobody holds its output (`node x | tail` would wait)', async (_how, ending, signal) => {
    const times: number[] = []
    for (let i = 0; i < 2; i++) {
      using scratch = new Scratch()
      await using run = new ProgramRun([program, ending, scratch.latch('started').path], {
        env: { TMPDIR: scratch.directory, POOLMQ_LOG: 'silent' },
      })
      await run.says('BUSY')
      if (signal !== undefined) run.kill(signal)
      await run.exit(limit)
      const ended = performance.now()
      await run.silent(limit)
      times.push(performance.now() - ended)
      await until(
        'nothing is left',
        () => [...run.processes()],
        (left) => left.length === 0,
        limit,
      )
    }
    // It takes some 20 ms, and took 6 s each time.
    expect(Math.min(...times)).toBeLessThan(3000)
  })
})

test('of a pool that was dropped, in a program that goes on: a warning says so', async () => {
  using scratch = new Scratch()
  await using run = start(scratch, 'dropped', { node: ['--expose-gc'] })
  await run.says('DROPPED', limit)
  expect(run.stderr).toContain('POOLMQ_UNCLOSED')
  expect(run.stderr).toContain('unclosed running pool')
  await expectNothingLeft(run, [run.pid])
  scratch.latch('started').open()
  expect(await run.exit(limit)).toBe(0)
})
