// Which code a task's name stands for: modules that are evaluated again, named twice, reached through links, or that
// resolve another installed copy of the packages; methods and their object.
import { ModuleError, Pool, PoolError, registerErrors, type TaskRef, ThreadPool } from '@poolmq/client'
import { RedisLink } from '@poolmq/shared'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { math } from '../fixtures/dist/math-tasks.js'
import { nativeImport } from '../fixtures/dist/native-import.js'
import { uniqueName } from '../support/pool-name.js'
import { ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { TaskFolder } from '../support/task-folder.js'

type Refs = Record<string, TaskRef<(...args: never[]) => unknown>>

const folder = new TaskFolder()
afterAll(() => folder[Symbol.dispose]())

const source = (namespace: string, tasks: string, more = '') =>
  `import { currentTask, defineTasks, isWorker, PoolError, registerErrors } from '@poolmq/client'\n${more}\n` +
  `export const tasks = defineTasks(import.meta.url, '${namespace}', { ${tasks} })\n`

async function tasksOf(url: string): Promise<Refs> {
  return (await nativeImport(url)).tasks as Refs
}

const call = (pool: Pool, task: TaskRef<(...args: never[]) => unknown> | undefined, args: unknown[] = []) =>
  pool.apply(task as TaskRef<(...args: unknown[]) => unknown>, args)

describe.each([
  ['worker processes', () => new Pool(1)],
  ['worker threads', () => new ThreadPool(1)],
])('modules that a producer evaluates again or late, with %s', (kind, makePool) => {
  const name = kind.replaceAll(' ', '-')
  const ns = kind.endsWith('threads') ? 'reloaded-threads' : 'reloaded'
  let pool: Pool
  let first: Refs
  beforeAll(async () => {
    folder.write(`${name}.mjs`, source(ns, `version: () => new URL(import.meta.url).search, gone: () => 'old'`))
    first = await tasksOf(folder.url(`${name}.mjs`))
    pool = makePool()
    // The worker has loaded it as it is now: what follows writes it anew.
    expect(await call(pool, first.version)).toBe('')
  })
  afterAll(() => pool.terminate())

  test('references of before and after run their own code', async () => {
    const second = await tasksOf(`${folder.url(`${name}.mjs`)}?t=2`)
    const third = await tasksOf(`${folder.url(`${name}.mjs`)}?t=3#hash`)
    const versions = await Promise.all(
      Array.from({ length: 12 }, (_, i) => call(pool, [first, second, third][i % 3]?.version)),
    )
    expect(versions).toEqual(Array.from({ length: 12 }, (_, i) => ['', '?t=2', '?t=3'][i % 3]))
  })

  test('a new version that does not load: its own calls fail, and no others, before and after', async () => {
    folder.write(
      `${name}.mjs`,
      `${source(ns, `version: () => 'broken'`)}if (isWorker()) throw new Error('only here')\n`,
    )
    const broken = await tasksOf(`${folder.url(`${name}.mjs`)}?t=4`)
    const error = await call(pool, broken.version).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ModuleError)
    expect(error).toMatchObject({
      code: 'ERR_POOL_MODULE',
      message: expect.stringMatching(/t=4 does not load: only here/),
    })
    expect(await call(pool, first.version)).toBe('')
    expect(await call(pool, first.gone)).toBe('old')
    await expect(call(pool, broken.version)).rejects.toThrow(/only here/)
    expect(await pool.map(math.square, [1, 2, 3])).toEqual([1, 4, 9])
  })

  test('a version mended after that works, and a pool made by then begins with it', async () => {
    folder.write(`${name}.mjs`, source(ns, `version: () => 'mended'`))
    const mended = await tasksOf(`${folder.url(`${name}.mjs`)}?t=5`)
    expect(await call(pool, mended.version)).toBe('mended')
    expect(await call(pool, first.version)).toBe('')
    await using later = makePool()
    expect(await call(later, mended.version)).toBe('mended')
  })

  test('a module of tasks that first comes late and does not load', async () => {
    folder.write(`${name}-late.mjs`, `${source(`${ns}-late`, 'one: () => 1')}if (isWorker()) throw new Error('late')\n`)
    const late = await tasksOf(folder.url(`${name}-late.mjs`))
    await expect(call(pool, late.one)).rejects.toMatchObject({ name: 'ModuleError', message: /does not load: late/ })
    expect(await call(pool, first.version)).toBe('')
  })
})

describe('modules named to a host', () => {
  beforeAll(() => {
    folder.write('a.mjs', source('a', 'one: () => 1'))
    folder.write('b.mjs', source('b', 'two: () => 2'))
    folder.write('index.mjs', `export * from './a.mjs'\n`)
    folder.write('all.mjs', `import './a.mjs'\nawait import('./b.mjs')\n`)
    folder.write('empty.mjs', `export const nothing = 0\n`)
    folder.link('link.mjs', `${folder.directory}/a.mjs`)
    folder.link('linked', folder.directory)
  })

  const host = (...names: string[]) => {
    const paths = names.map((name) => (name.includes(':') ? name : `${folder.directory}/${name}`))
    const args = ['worker', '--pool', uniqueName('modules'), '--processes', '1', '--redis', redisUrl(), ...paths]
    return new ProgramRun([poolmqCommand, ...args])
  }

  test.each([
    [['a.mjs', 'index.mjs']],
    [['index.mjs', 'a.mjs']],
    [['a.mjs', 'b.mjs', 'all.mjs', 'index.mjs']],
    [['a.mjs', 'link.mjs', 'linked/a.mjs', 'a.mjs']],
    [['link.mjs']],
  ])('%j is served', async (names) => {
    await using run = host(...names)
    await run.says('serving pool')
  })

  test.each([[['empty.mjs', 'a.mjs']], [['a.mjs', 'empty.mjs']], [['a.mjs', 'index.mjs', 'empty.mjs', 'b.mjs']]])(
    '%j is refused for the one that defines nothing',
    async (names) => {
      await using run = host(...names)
      expect(await run.exit()).toBe(1)
      expect(run.complaints).toEqual([expect.stringMatching(/empty\.mjs defines no tasks/)])
    },
  )
})

describe('a task module that resolves another installed copy', () => {
  let pool: Pool
  let tasks: Refs
  class OwnError extends Error {}
  beforeAll(async () => {
    folder.installCopy()
    folder.write(
      'copy/tasks.mjs',
      source(
        'copied',
        `current: () => { const { taskId, pool, signal } = currentTask(); return [taskId, typeof pool, signal.aborted] },
        signal: () => new Promise((_, fail) => currentTask().signal.addEventListener('abort', () => fail(new OwnError('heard')))),
        own: () => { throw new OwnError('own') },
        ours: () => { throw new PoolError('ERR_POOL_STATE', 'ours') },
        worker: () => isWorker(),
        `,
        `export class OwnError extends Error { name = 'OwnError' }\nregisterErrors(OwnError)\nexport { PoolError }`,
      ),
    )
    tasks = await tasksOf(folder.url('copy/tasks.mjs'))
    pool = new Pool(1)
  })
  afterAll(() => pool.terminate())

  test('is another copy', async () => {
    const copy = await nativeImport(folder.url('copy/tasks.mjs'))
    expect(copy.PoolError).not.toBe(PoolError)
  })

  test('sees the running task, and its signal', async () => {
    expect(await call(pool, tasks.current)).toEqual(['copied.current', 'string', false])
    expect(await call(pool, tasks.worker)).toBe(true)
    const heard = pool.apply(tasks.signal as TaskRef<() => unknown>, [], undefined, { timeout: 50 })
    await expect(heard).rejects.toMatchObject({ name: 'TaskTimeoutError' })
  })

  test.skipIf(inject('redisProgram') === '')('has the embedded Redis of its process', async () => {
    vi.stubEnv('REDIS_URL', '')
    const copy = await nativeImport(folder.url('copy/node_modules/@poolmq/shared/dist/index.js'))
    const links = await Promise.all(
      [RedisLink, copy.RedisLink as typeof RedisLink].map((one) => one.open(undefined)),
    ).finally(() => vi.unstubAllEnvs())
    expect(copy.RedisLink).not.toBe(RedisLink)
    await links[0]?.client.set('a', '1')
    expect(await links[1]?.client.get('a')).toBe('1')
    for (const link of links) await link.close()
  })

  test('its errors are of the classes of either copy', async () => {
    const copy = (await nativeImport(folder.url('copy/tasks.mjs'))) as {
      PoolError: typeof PoolError
      OwnError: typeof Error
    }
    const ours: unknown = await call(pool, tasks.ours).catch((reason: unknown) => reason)
    expect(ours).toBeInstanceOf(PoolError)
    expect(ours).toBeInstanceOf(copy.PoolError)
    const own: unknown = await call(pool, tasks.own).catch((reason: unknown) => reason)
    expect(own).toBeInstanceOf(copy.OwnError)
    expect(own).not.toBeInstanceOf(PoolError)
    // A class of a user's that extends one of ours is no class of the other copy.
    class Special extends copy.PoolError {}
    expect(new Special('ERR_POOL_STATE', 'x')).toBeInstanceOf(PoolError)
    expect(ours).not.toBeInstanceOf(Special)
    registerErrors(OwnError)
    expect(await call(pool, tasks.own).catch((reason: unknown) => reason)).toBeInstanceOf(OwnError)
  })
})

describe('`this` in a task is the object that it was defined with', () => {
  test('of plain objects, class instances, with getters and inheritance', async () => {
    folder.write(
      'methods.mjs',
      `import { defineTasks } from '@poolmq/client'
      class Base { #rate = 2; get rate() { return this.#rate } scale(x) { return x * this.rate } }
      class Service extends Base { offset = 1; arrow = (x) => this.scale(x) + this.offset; async both(x) { return super.scale(x) + this.arrow(x) } }
      export const tasks = {
        ...defineTasks(import.meta.url, 'plain', { sq(x) { return this.mul(x, x) }, mul: (a, b) => a * b }),
        ...defineTasks(import.meta.url, 'service', new Service()),
        ...defineTasks(import.meta.url, 'made', Object.create({ inherited() { return Object.keys(this) } }, { own: { value: () => 1, enumerable: true } })),
      }`,
    )
    const tasks = await tasksOf(folder.url('methods.mjs'))
    await using pool = new Pool(1)
    expect(await call(pool, tasks.sq, [3])).toBe(9)
    expect(await call(pool, tasks.scale, [4])).toBe(8)
    expect(await call(pool, tasks.arrow, [4])).toBe(9)
    expect(await call(pool, tasks.both, [4])).toBe(17)
    expect(await call(pool, tasks.inherited)).toEqual(['own'])
    expect(Object.keys(tasks)).not.toContain('rate')
    // Callable as they are, in this process too.
    expect((tasks.scale as unknown as (x: number) => number)(4)).toBe(8)
  })
})
