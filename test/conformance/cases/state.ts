/** RUN, CLOSE, TERMINATE: who may do what when. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Case, same } from '../case.js'
import type { AnyPool, Context } from '../context.js'
import { list, outcome, refused, thrown } from '../outcome.js'

type Submit = (pool: AnyPool, tasks: Context['tasks']) => unknown

const submits: Readonly<Record<string, Submit>> = {
  apply: (pool, { sqr }) => pool.apply(sqr, [2]),
  'apply-async': (pool, { sqr }) => pool.applyAsync(sqr, [2]).get(),
  map: (pool, { sqr }) => pool.map(sqr, [2]),
  'map-async': (pool, { sqr }) => pool.mapAsync(sqr, [2]).get(),
  starmap: (pool, { mul }) => pool.starmap(mul, [[2, 3]]),
  'starmap-async': (pool, { mul }) => pool.starmapAsync(mul, [[2, 3]]).get(),
  imap: (pool, { sqr }) => list(pool.imap(sqr, [2])),
  'imap-unordered': (pool, { sqr }) => list(pool.imapUnordered(sqr, [2])),
}

async function stopped(context: Context, how: 'close' | 'terminate'): Promise<AnyPool> {
  const pool = context.makePool(1)
  await pool[how]()
  return pool
}

const matrix = Object.entries(submits).flatMap(([name, submit]) => [
  same(`state/running-${name}`, `a running pool and ${name}`, ({ pool, tasks }) => outcome(() => submit(pool, tasks))),
  same(`state/closed-${name}`, `a closed pool and ${name}`, async (context) => {
    const pool = await stopped(context, 'close')
    return refused(() => submit(pool, context.tasks))
  }),
  same(`state/terminated-${name}`, `a terminated pool and ${name}`, async (context) => {
    const pool = await stopped(context, 'terminate')
    return refused(() => submit(pool, context.tasks))
  }),
])

export const state: readonly Case[] = [
  ...matrix,
  same('state/closed-empty-input', 'a closed pool and no items', async (context) => {
    const pool = await stopped(context, 'close')
    const { sqr } = context.tasks
    return { imap: thrown(() => pool.imap(sqr, [])), map: await refused(() => pool.map(sqr, [])) }
  }),
  same('state/closed-before-validation', 'a closed pool and an invalid chunk size', async (context) => {
    const pool = await stopped(context, 'close')
    const { sqr } = context.tasks
    return { imap: thrown(() => pool.imap(sqr, [1], 0)), map: await refused(() => pool.map(sqr, [1], 'a' as never)) }
  }),
  same('state/closed-leaves-input', 'a closed pool and a generator', async (context) => {
    const pool = await stopped(context, 'close')
    const taken: number[] = []
    function* source() {
      for (let x = 0; x < 3; x++) {
        taken.push(x)
        yield x
      }
    }
    return { map: await refused(() => pool.map(context.tasks.sqr, source())), taken: taken.length }
  }),
  same('state/join-running', 'join of a running pool', async ({ pool, tasks }) => ({
    join: await refused(() => pool.join()),
    then: await outcome(() => pool.apply(tasks.sqr, [3])),
  })),
  same('state/close-twice', 'close, then close', async (context) => {
    const pool = context.makePool(1)
    const [first, second] = [await outcome(() => pool.close()), await outcome(() => pool.close())]
    return { first, second, text: context.textOf(pool) }
  }),
  same('state/join-twice', 'join, then join', async (context) => {
    const pool = await stopped(context, 'close')
    return { first: await outcome(() => pool.join()), second: await outcome(() => pool.join()) }
  }),
  same('state/terminate-twice', 'terminate, terminate, join', async (context) => {
    const pool = context.makePool(1)
    return {
      first: await outcome(() => pool.terminate()),
      second: await outcome(() => pool.terminate()),
      join: await outcome(() => pool.join()),
    }
  }),
  same('state/terminate-after-close', 'close, then terminate', async (context) => {
    const pool = await stopped(context, 'close')
    return { terminate: await outcome(() => pool.terminate()), text: context.textOf(pool) }
  }),
  same('state/close-after-terminate', 'terminate, then close', async (context) => {
    const pool = await stopped(context, 'terminate')
    return { close: await outcome(() => pool.close()), text: context.textOf(pool) }
  }),
  same('state/close-runs-submitted', 'close while work waits', async (context) => {
    const [pool, log, go] = [context.makePool(2), context.log(), context.latch()]
    const items = Array.from({ length: 20 }, (_, x) => [log.path, go.path, x] as const)
    const result = pool.mapAsync(context.tasks.holdAndLog, items, 1)
    await log.reaches(1)
    pool.close()
    go.open()
    await pool.join()
    return { ran: log.numbers(), ready: result.ready(), values: await outcome(() => result.get()) }
  }),
  same('state/close-during-map', 'close while a caller waits for map', async (context) => {
    const [pool, log, go] = [context.makePool(2), context.log(), context.latch()]
    const items = Array.from({ length: 6 }, (_, x) => [log.path, go.path, x] as const)
    const mapping = outcome(() => pool.map(context.tasks.holdAndLog, items, 1))
    await log.reaches(2)
    pool.close()
    go.open()
    return mapping
  }),
  same('state/join-waits', 'join while a task runs', async (context) => {
    const [pool, started, go] = [context.makePool(1), context.latch('started'), context.latch()]
    const result = pool.applyAsync(context.tasks.hold, [started.path, go.path, 'held'])
    await started.opened()
    pool.close()
    const events: string[] = []
    const joining = pool.join().then(() => events.push('joined'))
    events.push('released')
    go.open()
    await joining
    return { events, ready: result.ready() }
  }),
  same('state/close-drains-imap', 'close and join while nobody takes the results of imap', async (context) => {
    const pool = context.makePool(2)
    const iterator = pool.imap(context.tasks.sqr, Array.from({ length: 200 }, (_, x) => x).values())
    const first = (await iterator.next()).value
    pool.close()
    await pool.join()
    const rest = await list(iterator)
    return { first, last: rest.at(-1), rest: rest.length }
  }),
  same('state/failures-then-close', 'failing tasks, close, join', async (context) => {
    const pool = context.makePool(2)
    const results = [0, 1, 2, 3].map((n) => pool.applyAsync(context.tasks.fail, [`number ${n}`]))
    pool.close()
    await pool.join()
    return { successful: results.map((result) => result.successful()) }
  }),
  same('state/exit-without-close', 'a program that ends without close', async (context) => {
    const module = new URL('../../fixtures/dist/conformance-tasks.js', import.meta.url).href
    const program = [
      `import { Pool, ThreadPool } from '@poolmq/client'`,
      `import { InlinePool } from '@poolmq/client/testing'`,
      `import { tasks } from '${module}'`,
      `const values = await ${context.sourceOf(2)}.map(tasks.identity, [...Array(10).keys()])`,
      'console.log(values.reduce((sum, value) => sum + value, 0))',
    ].join('\n')
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let output = ''
    child.stdout.on('data', (data) => {
      output += data
    })
    const [code] = await once(child, 'close')
    return { code, output: output.trim() }
  }),
]
