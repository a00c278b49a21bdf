/** apply and applyAsync, their arguments, and the order of work. */

import { threadId } from 'node:worker_threads'
import { type Case, differs, same } from '../case.js'
import { deviation } from '../deviation.js'
import { list, outcome } from '../outcome.js'

export const submit: readonly Case[] = [
  same('apply/args', 'three arguments', ({ pool, tasks }) => outcome(() => pool.apply(tasks.total, [1, 2, 3]))),
  same('apply/kwds', 'named arguments alone', ({ pool, tasks }) =>
    outcome(() => pool.apply(tasks.power, [], { base: 2, exponent: 10 })),
  ),
  same('apply/args-and-kwds', 'an argument and a named one', ({ pool, tasks }) =>
    outcome(() => pool.apply(tasks.scale, [7], { factor: 3 })),
  ),
  same('apply/no-args', 'no arguments', ({ pool, tasks }) => outcome(() => pool.apply(tasks.total))),
  same('apply/no-result', 'a task that returns nothing', ({ pool, tasks }) => outcome(() => pool.apply(tasks.nothing))),
  same('apply/runs-once', 'a task that writes to a log', async (context) => {
    const log = context.log()
    const value = await context.pool.apply(context.tasks.logged, [[log.path, 5, false]])
    return { ran: log.numbers(), value }
  }),
  same('apply/error', 'a task that throws', ({ pool, tasks }) => outcome(() => pool.apply(tasks.fail, ['applied']))),
  same('apply/not-a-function', 'a number as task', async ({ pool, tasks }) => ({
    apply: await outcome(() => pool.apply(5 as never)),
    then: await outcome(() => pool.apply(tasks.sqr, [2])),
  })),
  same('apply/args-not-a-list', 'a number as arguments', async ({ pool, tasks }) => ({
    apply: await outcome(() => pool.apply(tasks.sqr, 5 as never)),
    then: await outcome(() => pool.apply(tasks.sqr, [2])),
  })),
  same('apply/in-a-worker', 'where a task runs', async ({ pool, tasks }) => ({
    elsewhere: (await pool.apply(tasks.workerId)) !== `${process.pid}:${threadId}`,
  })),

  same('apply-async/get', 'one argument', ({ pool, tasks }) => outcome(() => pool.applyAsync(tasks.sqr, [7]).get())),
  same('apply-async/kwds', 'an argument and a named one', ({ pool, tasks }) =>
    outcome(() => pool.applyAsync(tasks.scale, [7], { factor: 2 }).get()),
  ),
  same('apply-async/hundred', 'a hundred at once', async ({ pool, tasks }) => {
    const results = Array.from({ length: 100 }, (_, n) => pool.applyAsync(tasks.sqr, [n]))
    return { value: await Promise.all(results.map((result) => result.get())) }
  }),
  same('apply-async/parallel', 'four tasks that end only after all have started', async (context) => {
    const started = [0, 1, 2, 3].map((n) => context.latch(`started-${n}`))
    const go = context.latch()
    const results = started.map(({ path }, n) => context.pool.applyAsync(context.tasks.hold, [path, go.path, n]))
    await Promise.all(started.map((latch) => latch.opened()))
    go.open()
    return { value: await Promise.all(results.map((result) => result.get())) }
  }),

  same('submit/first-in-first-out', 'a map and an apply behind a running task', async (context) => {
    const [pool, started, go, log] = [context.makePool(1), context.latch('started'), context.latch(), context.log()]
    pool.applyAsync(context.tasks.hold, [started.path, go.path, null])
    await started.opened()
    const items = [0, 1, 2, 3].map((n) => [log.path, n, false] as const)
    const mapped = pool.mapAsync(context.tasks.logged, items, 1)
    const applied = pool.applyAsync(context.tasks.logged, [[log.path, 9, false]])
    go.open()
    await Promise.all([mapped.wait(), applied.wait()])
    return { order: log.lines() }
  }),
  differs(
    'submit/argument-changed-later',
    deviation.snapshot,
    'an argument that changes after the call',
    async ({ pool, tasks }) => {
      const argument: unknown[] = [1, 2, 3]
      const result = pool.applyAsync(tasks.identity, [argument])
      argument.push('changed')
      return outcome(() => result.get())
    },
    { value: [1, 2, 3] },
  ),
  differs(
    'submit/list-changed-later',
    deviation.snapshot,
    'a list of items that changes after the call',
    async ({ pool, tasks }) => {
      const items: unknown[] = [1, 2, 3]
      const result = pool.mapAsync(tasks.identity, items)
      items[0] = 'changed'
      return outcome(() => result.get())
    },
    { value: [1, 2, 3] },
  ),
  differs(
    'submit/blocked-input-elsewhere',
    deviation.badInput,
    'another call whose input never goes on',
    async (context) => {
      const pool = context.makePool(2)
      async function* source(): AsyncGenerator<number> {
        await new Promise(() => {})
      }
      pool.imap(context.tasks.identity, source())
      return {
        apply: await outcome(() => pool.apply(context.tasks.sqr, [6])),
        imap: await outcome(() => list(pool.imap(context.tasks.sqr, [2, 3]))),
      }
    },
    { apply: { value: 36 }, imap: { value: [4, 9] } },
  ),
  same('submit/from-two-callers', 'two maps at once', async ({ pool, tasks }) => {
    const range = (start: number) => Array.from({ length: 50 }, (_, n) => start + n)
    const both = await Promise.all([0, 100].map((start) => pool.map(tasks.sqr, range(start))))
    return { firsts: both.map((values) => values[0]), lengths: both.map((values) => values.length) }
  }),
]
