// A task module that does not load: told once, with the user's file and line, by a Pool, a ThreadPool and the command.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { importFailure } from '../../packages/worker/dist/process/import-failure.js'
import { nativeImport } from '../fixtures/dist/native-import.js'
import { uniqueName } from '../support/pool-name.js'
import { ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { TaskFolder } from '../support/task-folder.js'
import { until } from '../support/until.js'

const folder = new TaskFolder()
afterAll(() => folder[Symbol.dispose]())
const client = `import { defineTasks, isWorker } from '@poolmq/client'\n`
const defined = `export const tasks = defineTasks(import.meta.url, 'failing', { one: () => 1 })\n`
beforeAll(() => {
  folder.write('throws.mjs', `${client}\n\nfunction open() { throw new RangeError('no such thing') }\nopen()\n`)
  folder.write('syntax.mjs', `const a = 1\nconst b = (a +\nexport const c = 1\n`)
  folder.write('outer.mjs', `${client}import { c } from './syntax.mjs'\n`)
  folder.write('later.mjs', `${client}await import('./syntax.mjs')\n`)
  folder.write('file.mjs', `${client}\nimport './nothing-here.mjs'\n`)
  folder.write('package.mjs', `${client}import x from 'no-such-package-at-all'\n`)
  folder.write('name.mjs', `${client}import { no } from './throws.mjs'\n`)
  folder.write('misuse.mjs', `${client}\ndefineTasks(import.meta.url, 'misuse', { a: 1 })\n`)
  folder.write('string.mjs', `throw 'only text'\n`)
  folder.write('in-worker.mjs', `${client}${defined}if (isWorker()) {\n  throw new Error('not in a worker')\n}\n`)
})

describe('says why, and where', () => {
  test.each([
    ['throws', /no such thing \(at file:.*\/throws\.mjs:4:/],
    ['syntax', /Unexpected token 'export' \(at file:.*\/syntax\.mjs:3\)/],
    ['outer', /outer\.mjs does not load: .*\(at file:.*\/syntax\.mjs:3\)/],
    ['later', /later\.mjs does not load: .*\(at file:.*\/syntax\.mjs:3\)/],
    ['file', /Cannot find module .*nothing-here\.mjs.*\(at file:.*\/file\.mjs:3\)/],
    ['package', /Cannot find package 'no-such-package-at-all'.*\(at file:.*\/package\.mjs:2\)/],
    ['name', /export named 'no' \(at file:.*\/name\.mjs:2\)/],
    ['misuse', /misuse\.a must be a function, got .* \(at file:.*\/misuse\.mjs:3:/],
    ['string', /string\.mjs does not load: 'only text'$/],
  ])('%s.mjs', async (name, says) => {
    const url = folder.url(`${name}.mjs`)
    const cause = await nativeImport(url).then(
      () => expect.unreachable(),
      (error: unknown) => error,
    )
    const error = await importFailure(url, cause)
    expect(error).toMatchObject({ code: 'ERR_POOL_MODULE', module: url })
    expect(error.message).toMatch(says)
    expect(String(error.stack)).not.toContain('node:internal')
  })
})

const count = (text: string, part: string) => text.split(part).length - 1

test.each(['Pool', 'ThreadPool'])('a %s tells it once', async (pool) => {
  const program = folder.write(
    `${pool}.mjs`,
    `import { ${pool} } from '@poolmq/client'
    import { tasks } from './in-worker.mjs'
    const pool = new ${pool}(2)
    await pool.map(tasks.one, [1, 2, 3, 4], 1)`,
  )
  await using run = new ProgramRun([program])
  expect(await run.exit()).toBe(1)
  expect(count(run.stderr, 'not in a worker')).toBe(1)
  expect(run.stderr).toMatch(/in-worker\.mjs:4:/)
  expect(run.complaints.length).toBeLessThan(12)
  await until(
    'nothing is left of it',
    () => run.processes().size,
    (left) => left === 0,
  )
})

test.each([
  ['a module that throws', 'in-worker.mjs', /does not load: not in a worker \(at file:.*in-worker\.mjs:4:/],
  ['a file that is not there', 'absent.mjs', /absent\.mjs does not load: Node finds no such file/],
])('the command tells it in one line: %s', async (_what, name, says) => {
  const args = [
    'worker',
    '--pool',
    uniqueName('failure'),
    '--redis',
    redisUrl(),
    '--processes',
    '2',
    `${folder.directory}/${name}`,
  ]
  await using run = new ProgramRun([poolmqCommand, ...args])
  expect(await run.exit()).toBe(1)
  expect(run.complaints).toEqual([expect.stringMatching(says)])
})

test('one that fails a moment after it was loaded: its host waits longer each time, and says so', async () => {
  const late = `${client}${defined.replace('failing', 'late')}if (isWorker()) setTimeout(() => { throw new Error('too late') }, 20)\n`
  const module = folder.write('late.mjs', late)
  await using host = new ProgramRun(
    [poolmqCommand, 'worker', '--pool', uniqueName('late'), '--processes', '1', module],
    {
      env: { REDIS_URL: redisUrl() },
    },
  )
  await host.says('before it had anything to do; another is started in 800 ms')
  expect(host.stderr).toContain('"because":"Error: too late"')
})
