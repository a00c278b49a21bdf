// A pool in a program in which something is not as usual: its directory, its globals, its clock.
import { describe, expect, test } from 'vitest'
import { fixture, ProgramRun } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'

const limit = 60_000

const start = (what: string, kind: string) =>
  new ProgramRun([fixture('surroundings-program'), what, kind], {
    env: { REDIS_URL: redisUrl(), POOLMQ_LOG: 'silent' },
  })

describe.each(['processes', 'threads'])('a pool of %s', (kind) => {
  test.each([
    ['lost directory', 1],
    ['another Promise', 1],
    ['timers that stand still', 1],
    ['timers that stop', 2],
  ])('%s', async (what, times) => {
    await using run = start(what, kind)
    expect(await run.exit(limit), run.stderr).toBe(0)
    expect(run.stdout).toBe(`${'1,4,9 800 RangeError\n'.repeat(times)}JOINED\n`)
  })

  test('whose processes end at once: it fails, and can be terminated at once', async () => {
    await using run = start('another execPath', kind)
    expect(await run.exit(limit), run.stderr).toBe(0)
    expect(run.stdout.split('\n').slice(0, 2)).toEqual(['ERR_POOL_WORKER_LOST', 'ERR_POOL_WORKER_LOST'])
    // It waited 10 s for a supervisor that had been given up.
    expect(Number(/TERMINATED IN (\S+)/.exec(run.stdout)?.[1])).toBeLessThan(5000)
  })
})

test.each([
  [
    'an ES module',
    ['--input-type=module'],
    "import { defineTasks } from '@poolmq/client'; defineTasks(import.meta.url, 'x', {})",
  ],
  ['CommonJS', [], "const { defineTasks } = require('@poolmq/client'); defineTasks(__filename, 'x', {})"],
])(
  'tasks that `node -e` defines as %s: nobody could import them, and the error says so',
  async (_what, flags, code) => {
    const client = fixture('math-tasks') // whose package resolves
    await using run = new ProgramRun([
      ...flags,
      '-e',
      `process.chdir(${JSON.stringify(client.replace(/[^/]+$/, ''))});${code}`,
    ])
    expect(await run.exit(limit)).toBe(1)
    expect(run.stderr).toMatch(
      /TypeError: defineTasks: .*got "[^"]*\[eval\d*\]"\. Code that `node -e`.* in a module of their own/,
    )
  },
)
