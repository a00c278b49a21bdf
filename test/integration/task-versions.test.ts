// Versions of tasks: two deploys serve one pool, each call runs the code that it was made for, or says who has what. And
// what a host was built from, which operators see.
import { Monitor, Pool, TaskVersionError, ThreadPool, taskRefs, UnknownTaskError } from '@poolmq/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nativeImport } from '../fixtures/dist/native-import.js'
import { uniqueName } from '../support/pool-name.js'
import { ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { TaskFolder } from '../support/task-folder.js'

type Deal = Record<'total' | 'ready', (first: unknown, second?: number) => string>

const folder = new TaskFolder()
afterAll(() => folder[Symbol.dispose]())

/** Tasks whose arguments have changed from one version to the other. */
const source = (total: string, options: string) =>
  `import { defineTasks } from '@poolmq/client'\nlet stock = 'nothing'\n` +
  `export const deal = defineTasks(import.meta.url, 'deal', {\n  total: ${total},\n` +
  `  prepare: (what) => { stock = what },\n  ready: () => stock,\n}${options})\n`
const first = source('(price, count) => "one:" + price * count', ", { version: '1' }")
const second = source('({ price, count }) => "two:" + price * count', ", { version: '2' }")

const refs = (version?: string) => taskRefs<Deal>('deal', version === undefined ? undefined : { version })
const failure = (call: Promise<unknown>): Promise<unknown> => call.catch((reason: unknown) => reason)

function start(pool: string, module: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): ProgramRun {
  const all = ['worker', '--pool', pool, '--redis', redisUrl(), '--processes', '1', ...args, module]
  return new ProgramRun([poolmqCommand, ...all], { env })
}

describe('a rolling deploy', () => {
  const name = uniqueName('deploy')
  let old: ProgramRun
  let fresh: ProgramRun
  beforeAll(async () => {
    old = start(name, folder.write('one.mjs', first), ['--build', 'commit-a'])
    fresh = start(name, folder.write('two.mjs', second), [], { POOLMQ_BUILD: 'commit-b' })
    await Promise.all([old.says('serving pool'), fresh.says('serving pool')])
  })
  afterAll(async () => {
    for (const host of [old, fresh]) await host?.[Symbol.asyncDispose]()
  })

  test('producers of both versions: every call runs the code that it was made for', async () => {
    await using producer = new Pool({ name })
    await using successor = new Pool({ name })
    const numbers = Array.from({ length: 30 }, (_, i) => i)
    const [ones, twos, any] = await Promise.all([
      producer.starmap(
        refs('1').total,
        numbers.map((n) => [n, 2]),
        1,
      ),
      successor.map(
        refs('2').total,
        numbers.map((price) => ({ price, count: 3 })),
        1,
      ),
      producer.map(refs().ready, numbers, 1),
    ])
    expect(ones).toEqual(numbers.map((n) => `one:${n * 2}`))
    expect(twos).toEqual(numbers.map((n) => `two:${n * 3}`))
    expect(any).toEqual(numbers.map(() => 'nothing'))
  })

  test('an initializer of a version runs where that is', async () => {
    const { prepare } = taskRefs<{ prepare: (what: string) => void }>('deal', { version: '2' })
    await using pool = new Pool({ name, initializer: prepare, initArgs: ['plenty'] })
    expect(await pool.map(refs().ready, [1, 2, 3, 4, 5, 6], 1)).toEqual(Array(6).fill('plenty'))
    const missing = taskRefs<{ prepare: (what: string) => void }>('deal', { version: '9' })
    await using other = new Pool({ name, initializer: missing.prepare, initArgs: ['plenty'] })
    const error = await failure(other.apply(refs().ready, [1]))
    expect(error).toMatchObject({ code: 'ERR_POOL_TASK_VERSION', taskId: 'deal.prepare', version: '9' })
  })

  test('operators see builds and versions, and that they differ', async () => {
    await using monitor = new Monitor({ name, connection: redisUrl() })
    const hosts = await monitor.hosts()
    expect(hosts.map(({ pid, build, taskVersions }) => [pid, build, taskVersions?.['deal.total']])).toEqual(
      [
        [old.pid, 'commit-a', ['1']],
        [fresh.pid, 'commit-b', ['2']],
      ].sort(([a], [b]) => Number(a) - Number(b)),
    )
    await using table = new ProgramRun([poolmqCommand, 'hosts', '--pool', name, '--redis', redisUrl()])
    expect(await table.exit()).toBe(0)
    for (const text of ['commit-a', 'commit-b', 'deal.total@1', 'deal.total@2']) expect(table.stdout).toContain(text)
    await using doctor = new ProgramRun([poolmqCommand, 'doctor', '--pool', name, '--redis', redisUrl(), '-o', 'json'])
    await doctor.exit()
    const findings = JSON.parse(doctor.stdout) as { check: string; state: string; detail: string }[]
    const of = (check: string) => findings.find((finding) => finding.check === check)
    expect(of('builds')).toMatchObject({
      state: 'warning',
      detail: expect.stringMatching(/commit-[ab] \(.+commit-[ab]/),
    })
    expect(of('tasks')?.detail).toMatch(/deal\.total differs in version: [12] \(.+; [12] \(/)
  })

  test('the last host of a version has gone: the error lists who has which', async () => {
    await using pool = new Pool({ name })
    old.kill('SIGTERM')
    expect(await old.exit()).toBe(0)
    const error = await failure(pool.apply(refs('1').total, [3, 2]))
    expect(error).toBeInstanceOf(TaskVersionError)
    expect(error).toBeInstanceOf(UnknownTaskError)
    expect(error).toMatchObject({
      code: 'ERR_POOL_TASK_VERSION',
      taskId: 'deal.total',
      version: '1',
      holders: [{ pid: fresh.pid, versions: ['2'], build: 'commit-b' }],
      message: expect.stringMatching(/"deal\.total" in version "1": .+ has "2" \(build commit-b\); start hosts/),
    })
    expect(await pool.apply(refs('2').total, [{ price: 3, count: 2 }])).toBe('two:6')
    // A task that nobody has in any version is an unknown one.
    const missing = taskRefs<{ totl: () => void }>('deal', { version: '2' })
    expect(await failure(pool.apply(missing.totl))).toMatchObject({ code: 'ERR_POOL_UNKNOWN_TASK' })
  })

  test('a host that has it without a version is none that serves a call with one', async () => {
    const plain = uniqueName('plain')
    await using host = start(plain, folder.write('plain.mjs', source('() => "plain"', '')))
    await host.says('serving pool')
    await using pool = new Pool({ name: plain })
    expect(await pool.apply(refs().total, [1])).toBe('plain')
    const error = await failure(pool.apply(refs('1').total, [1]))
    expect(error).toMatchObject({ code: 'ERR_POOL_TASK_VERSION', holders: [{ pid: host.pid, versions: [] }] })
    expect((error as Error).message).toContain('has it without a version')
  })
})

describe.each([
  ['worker processes', 'own', () => new Pool(1)],
  ['worker threads', 'own-threads', () => new ThreadPool(1)],
])('a pool of its own %s', (_, file, makePool) => {
  test('its calls have the version of its modules, also of one that is evaluated again', async () => {
    const namespace = file.replace('-', '_')
    const module = (version: string) => first.replaceAll("'deal'", `'${namespace}'`).replace("'1'", `'${version}'`)
    folder.write(`${file}.mjs`, module('1'))
    const one = (await nativeImport(folder.url(`${file}.mjs`))).deal as ReturnType<typeof refs>
    await using pool = makePool()
    expect(await pool.apply(one.total, [2, 2])).toBe('one:4')
    const other = taskRefs<Deal>(namespace, { version: '2' })
    expect(await failure(pool.apply(other.total, [2, 2]))).toMatchObject({
      code: 'ERR_POOL_TASK_VERSION',
      version: '2',
      holders: [{ versions: ['1'] }],
    })
    folder.write(`${file}.mjs`, module('2').replace('one:', 'two:'))
    const two = (await nativeImport(`${folder.url(`${file}.mjs`)}?t=2`)).deal as ReturnType<typeof refs>
    expect(await pool.apply(two.total, [2, 2])).toBe('two:4')
    expect(await pool.apply(one.total, [2, 2])).toBe('one:4')
    expect(await pool.apply(other.total, [2, 2])).toBe('two:4')
  })
})

test.each([
  ['an empty one', { version: '' }, /version is empty: is the variable set/],
  ['a blank one', { version: ' ' }, /version is blank/],
  ['a variable that is not set', { version: undefined as never }, /version must be a string, got undefined/],
  ['none', {} as never, /version must be a string, got undefined; without a version, leave the options out/],
  ['a number', { version: 2 as never }, /must be a string, got 2, written '2'/],
  ['a long one', { version: 'v'.repeat(101) }, /at most 100 characters, got 101/],
  ['another option', { version: '1', verson: '2' } as never, /unknown option "verson"/],
  ['no options', '2' as never, /options must be an object, as \{ version: '2' \}/],
])('a version is refused: %s', (_, options, message) => {
  expect(() => taskRefs('deal', options)).toThrow(message)
})

test.each([
  ['--build', ['--build', ''], {}],
  ['POOLMQ_BUILD', [], { POOLMQ_BUILD: '' }],
])('an empty build id is refused: %s', async (_, args, env) => {
  await using host = start(uniqueName('empty'), 'any.js', args, env)
  expect(await host.exit()).toBe(2)
  expect(host.stderr).toMatch(/the build id is empty: is the variable set that it is taken from/)
})

test("a Pool's own processes inherit POOLMQ_BUILD, and an empty one is refused", async () => {
  const before = process.env.POOLMQ_BUILD
  try {
    process.env.POOLMQ_BUILD = ''
    expect(() => new Pool(1)).toThrow(/the build id \(POOLMQ_BUILD\) is empty/)
    process.env.POOLMQ_BUILD = 'commit-c'
    await using pool = new Pool(1)
    await pool.apply(taskRefs<Deal>('deal').ready, [1]).catch(() => undefined)
    expect(await pool.hosts()).toMatchObject([{ local: true, build: 'commit-c' }])
  } finally {
    if (before === undefined) delete process.env.POOLMQ_BUILD
    else process.env.POOLMQ_BUILD = before
  }
})
