// What goes wrong in the first hour: each says what happened, with which value, and what to do, and says it soon.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { defineTasks, Pool, PoolError, taskRefs } from '@poolmq/client'
import { afterAll, expect, test } from 'vitest'
import { math } from '../fixtures/dist/math-tasks.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { freePorts } from '../support/redis-process.js'
import { SilentServer } from '../support/silent-server.js'

const pool = new Pool(1)
const directory = mkdtempSync(join(tmpdir(), 'poolmq-first-errors-'))
afterAll(async () => {
  await pool.terminate()
  rmSync(directory, { recursive: true })
})

/** As a beginner without types has it. */
const any = pool as unknown as Record<string, (...args: unknown[]) => unknown>
const make = (...args: unknown[]) => new (Pool as unknown as new (...args: unknown[]) => Pool)(...args)
const define = (...args: unknown[]) => (defineTasks as unknown as (...args: unknown[]) => unknown)(...args)
class Point {
  x = 1
}

/** A module with this text, to be a task module. */
function module(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return pathToFileURL(path).href
}

/** A call of a pool of its own, which is ended after it. */
async function inOwnPool(options: object, call: (own: Pool) => unknown): Promise<void> {
  const own = new Pool(options)
  try {
    await call(own)
  } finally {
    await own.terminate()
  }
}

/** What is done; what the message must hold: what happened, with which value, what to do. */
const mistakes: readonly (readonly [what: string, mistake: () => unknown, ...says: RegExp[]])[] = [
  [
    'a plain function for a task',
    () =>
      any.map?.(
        function square() {
          return 1
        },
        [1],
      ),
    /got the plain function square/,
    /defineTasks\(/,
  ],
  ['an arrow function for a task', () => any.map?.(() => 1, [1]), /\(anonymous\)/, /do not travel/, /defineTasks\(/],
  ['the name of a task', () => any.map?.('math.square', [1]), /got string \('math.square'\)/, /defineTasks\(/],
  ['a task that is misspelt', () => any.map?.((math as never as { sqare: 1 }).sqare, [1]), /undefined/, /name written/],
  ['task and items exchanged', () => any.map?.([1, 2], math.square), /\[ 1, 2 \]/, /the task comes before the items/],
  ['no items', () => any.map?.(math.square), /items must be iterable, got undefined/],
  ['one item, not in a list', () => any.map?.(math.square, 5), /items must be iterable, got 5/],
  ['an async iterable for map', () => any.map?.(math.square, (async function* () {})()), /async iterable/, /use imap/],
  ['arguments that are no list', () => any.apply?.(math.square, 5), /args must be an array of arguments, got 5/],
  ['an option in snake case', () => any.map?.(math.square, [1], { chunk_size: 2 }), /"chunk_size"/, /chunkSize/],
  [
    "Python's name of an option",
    () => any.map?.(math.square, [1], { chunksize: 2 }),
    /"chunksize"/,
    /called chunkSize/,
  ],
  ['a chunk size of 0', () => any.map?.(math.square, [1], 0), /chunkSize must be a whole number of at least 1, got 0/],
  ['a time with its unit', () => any.map?.(math.square, [1], { timeout: '5s' }), /number of milliseconds, got "5s"/],
  ['no AbortSignal', () => any.map?.(math.square, [1], { signal: 5 }), /signal must be an AbortSignal, got 5/],
  [
    "a callback in Python's place",
    () => any.mapAsync?.(math.square, [1], () => 1),
    /mapAsync\(task, items, \{ callback/,
  ],
  [
    'options in the place of kwds',
    () => any.apply?.(math.square, [1], { timeout: 5 }),
    /kwds/,
    /apply\(task, args, undefined/,
  ],
  ['a text for a number', () => make('4'), /processes must be a whole number, got "4"/],
  ['no process', () => make(0), /at least 1, got 0/],
  [
    "Python's name of a pool's option",
    () => make({ maxtasksperchild: 5 }),
    /"maxtasksperchild"/,
    /called maxTasksPerChild/,
  ],
  [
    "options in Python's places",
    () => make(4, math.square, [1]),
    /takes one argument, got 3/,
    /new Pool\(\{ processes, /,
  ],
  [
    'a plain initializer',
    () => make({ initializer: function init() {} }),
    /initializer: .*function init/,
    /defineTasks\(/,
  ],
  [
    'initArgs that are no list',
    () => make({ initializer: math.square, initArgs: 5 }),
    /must be an array of arguments, got 5/,
  ],
  [
    'no import.meta.url',
    () => define('math', { f: () => 1 }),
    /import\.meta\.url .*got "math"/,
    /defineTasks\(import\.meta\.url, "math"/,
  ],
  ['no namespace', () => define(import.meta.url, { f: () => 1 }), /the namespace must match/],
  [
    'a value among the tasks',
    () => define(import.meta.url, 'values', { pi: 3.14 }),
    /values\.pi must be a function, got number/,
  ],
  [
    'a relative path for a module',
    () => define('./tasks.js', 'm', { f: () => 1 }),
    /got "\.\/tasks\.js"/,
    /pathToFileURL/,
  ],
  ['a name with a space', () => make({ name: 'my pool' }), /name must be 1 to 100 letters.*got "my pool"/],
  [
    'an address without a scheme',
    () => make({ connection: 'localhost:6379' }),
    /got "localhost:6379"/,
    /redis:\/\/user/,
  ],
  [
    'a function among the items',
    () => pool.map(math.square, [(() => 1) as never]),
    /items\[0\] is a function/,
    /pass data/,
  ],
  [
    'an instance among the items',
    () => pool.map(math.square, [1, new Point() as never]),
    /items\[1\].*Point/,
    /plain data/,
  ],
  ['join before close', () => pool.join(), /Pool is still running/],
  [
    'a call after close',
    () =>
      inOwnPool({ processes: 1 }, (own) => {
        own.close()
        return own.map(math.square, [1])
      }),
    /Pool not running/,
  ],
  [
    'a reference that is misspelt',
    () => pool.map(taskRefs<{ sqare: (x: number) => number }>('math').sqare, [1]),
    /"math\.sqare"/,
    /did you mean math\.square/,
  ],
  [
    'nobody listens at the address',
    async () => {
      const connection = `redis://127.0.0.1:${await freePorts(1)}`
      await inOwnPool({ processes: 1, connection }, (own) => own.map(math.square, [1]))
    },
    /127\.0\.0\.1:\d+: nothing listens there/,
    /Start Redis, or correct the address/,
  ],
  [
    'a task module with a mistake',
    () => {
      const url = module('broken.mjs', "import nothing from './not-there.mjs'\n")
      const { f } = defineTasks(url, 'broken', { f: () => 1 })
      return inOwnPool({ processes: 1 }, (own) => own.apply(f))
    },
    /broken\.mjs does not load/,
    /not-there\.mjs/,
  ],
  [
    'a pool in the module of its tasks',
    () => {
      const client = import.meta.resolve('@poolmq/client')
      const text = `import { defineTasks, Pool } from ${JSON.stringify(client)}
export const own = defineTasks(import.meta.url, 'own', { f: () => 1 })
const pool = new Pool(1)`
      const { f } = defineTasks(module('main.mjs', text), 'own', { f: () => 1 })
      return inOwnPool({ processes: 1 }, (own) => own.apply(f))
    },
    /main\.mjs does not load: a Pool was made by a module that worker processes import/,
    /a module of their own.*isWorker\(\)/,
  ],
]

/** A machine that many share may stand still for a second: the fastest of some tries counts. */
const tries = 4

/** Milliseconds that an error may take: where processes are started for it, as long as their start takes here, thrice. */
async function limit(isOwnPool: boolean): Promise<number> {
  if (!isOwnPool) return 1000
  const started = performance.now()
  await inOwnPool({ processes: 1 }, (own) => own.apply(math.none))
  return Math.max(1000, 3 * (performance.now() - started))
}

test.each(mistakes.map(([what, mistake, ...says]) => ({ what, mistake, says })))('$what', async ({ mistake, says }) => {
  const most = await limit(String(mistake).includes('inOwnPool'))
  let fastest = Number.POSITIVE_INFINITY
  for (let i = 0; i < tries && fastest > most; i++) {
    const started = performance.now()
    const error = await Promise.resolve()
      .then(mistake)
      .then(
        () => undefined,
        (reason: unknown) => reason,
      )
    fastest = Math.min(fastest, performance.now() - started)
    expect(error).toBeInstanceOf(Error)
    expect(error instanceof PoolError || error instanceof TypeError || error instanceof RangeError).toBe(true)
    for (const part of says) expect((error as Error).message).toMatch(part)
  }
  expect(fastest).toBeLessThan(most)
})

test('a Redis that does not answer: within 5 s', async () => {
  await using server = await SilentServer.start()
  let fastest = Number.POSITIVE_INFINITY
  for (let i = 0; i < 2 && fastest > 5000; i++) {
    const started = performance.now()
    const call = inOwnPool({ processes: 1, connection: server.url }, (own) => own.map(math.square, [1]))
    await expect(call).rejects.toThrow(/Redis/)
    fastest = Math.min(fastest, performance.now() - started)
  }
  expect(fastest).toBeLessThan(5500)
})

test('no Redis at all: the three ways to get one', async () => {
  await using run = new ProgramRun([fixture('bad-redis-program')], { env: { PATH: directory } })
  await run.exit()
  const said = run.stdout + run.stderr
  for (const way of [/connection option/, /REDIS_URL/, /redis-server or valkey-server/, /docker run/]) {
    expect(said).toMatch(way)
  }
})

const redis = () => ({ env: { REDIS_URL: process.env.REDIS_URL } })

test.each<[string, string[], { env?: NodeJS.ProcessEnv }, RegExp[]]>([
  ['no command', [], redis(), [/no command/, /Usage: /]],
  ['no pool', ['worker', './tasks.js'], redis(), [/--pool is required/, /Usage: /]],
  ['no modules', ['worker', '--pool', 'sums'], redis(), [/no task modules given/, /Usage: [\s\S]*module/]],
  ['no Redis', ['worker', '--pool', 'sums', './tasks.js'], {}, [/no Redis given/, /--redis URL or set REDIS_URL/]],
  ['no such file', ['worker', '--pool', 'sums', './tasks.jsx'], redis(), [/tasks\.jsx does not load/, /no such file/]],
  [
    'text for a number',
    ['worker', '--pool', 'sums', '--processes', 'many', './t.js'],
    redis(),
    [/--processes .*"many"/],
  ],
  ['an unknown flag', ['worker', '--pol', 'sums', './t.js'], redis(), [/--pol/]],
])('the command: %s', async (_what, args, options, says) => {
  await using run = new ProgramRun([poolmqCommand, ...args], options)
  expect(await run.exit()).not.toBe(0)
  for (const part of says) expect(run.stderr).toMatch(part)
})
