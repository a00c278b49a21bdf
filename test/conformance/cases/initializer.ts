/** initializer and initArgs. */
import { type Case, differs, ofType, same } from '../case.js'
import type { Context } from '../context.js'
import { deviation } from '../deviation.js'
import { eventually } from '../latch.js'
import { caught, failure, outcome, step } from '../outcome.js'
import { range } from '../source.js'

const noting = (context: Context, processes: number, more: object = {}) => {
  const log = context.log()
  const { noteStart } = context.tasks
  // As many threads as Python's has: a ThreadPool has no more of them than there are cores, and several tasks on each.
  const threads = context.kind === 'ThreadPool' && { threads: processes }
  return {
    log,
    pool: context.makePool({ processes, initializer: noteStart, initArgs: [log.path], ...threads, ...more }),
  }
}

const broken = (context: Context, processes = 1) => {
  const log = context.log()
  const { noteAndFail } = context.tasks
  return { log, pool: context.makePool({ processes, initializer: noteAndFail, initArgs: [log.path] }) }
}

const based = (context: Context, processes: number, base: number) =>
  context.makePool({ processes, initializer: context.tasks.setBase, initArgs: [base] })

const failed = ofType('InitializerError')

export const initializer: readonly Case[] = [
  same('initializer/without-tasks', 'close and join, and no task', async (context) => {
    const { log, pool } = noting(context, 1)
    pool.close()
    await pool.join()
    return { runs: log.lines().length }
  }),
  same('initializer/once-in-each-worker', 'thirty tasks, three workers', async (context) => {
    const { log, pool } = noting(context, 3)
    await pool.map(context.tasks.sqr, range(30), 1)
    pool.close()
    await pool.join()
    return { runs: log.lines().length, workers: new Set(log.lines()).size }
  }),
  same('initializer/before-first-task', 'tasks that need what it sets', async (context) => ({
    value: await based(context, 2, 100).map(context.tasks.addBase, range(6), 1),
  })),
  same('initializer/no-args', 'an initializer without arguments', async (context) => {
    const { counter } = context.tasks
    return { value: await context.makePool({ processes: 1, initializer: counter }).apply(counter) }
  }),
  same('initializer/state-stays', 'what a worker keeps between tasks', async (context) => {
    const pool = context.makePool(1)
    const value: number[] = []
    while (value.length < 4) value.push(await pool.apply(context.tasks.counter))
    return { value }
  }),
  same('initializer/several-args', 'two arguments', async (context) => {
    const log = context.log()
    const { append, sqr } = context.tasks
    await context.makePool({ processes: 1, initializer: append, initArgs: [log.path, 'second'] }).apply(sqr, [1])
    return { lines: log.lines() }
  }),
  same('initializer/replacement-too', 'a worker for each task', async (context) => {
    const { log, pool } = noting(context, 1, { maxTasksPerChild: 1 })
    const workers = new Set(await pool.map(context.tasks.workerOf, range(4), 1))
    return { initialized: [...workers].every((worker) => log.lines().includes(worker)), workers: workers.size }
  }),
  same('initializer/two-pools', 'two pools, one initializer, two arguments', async (context) => {
    const pools = [based(context, 1, 10), based(context, 1, 20)]
    return { value: await Promise.all(pools.map((pool) => pool.apply(context.tasks.addBase, [1]))) }
  }),
  same('initializer/task-fails-no-rerun', 'tasks that fail', async (context) => {
    const { log, pool } = noting(context, 1)
    const failures = context.log('failures')
    for (const _ of range(3)) await outcome(() => pool.apply(context.tasks.logAndFail, [failures.path]))
    return { failures: failures.lines().length, runs: log.lines().length }
  }),

  differs(
    'initializer/throws',
    deviation.initializer,
    'an initializer that throws, and apply',
    async (context) => ({ apply: await outcome(() => broken(context).pool.apply(context.tasks.sqr, [1])) }),
    { apply: failed },
  ),
  differs(
    'initializer/throws-cause',
    deviation.initializer,
    'the cause of the InitializerError',
    async (context) => {
      const error = await caught(() => broken(context).pool.apply(context.tasks.sqr, [1]))
      return { cause: failure(error.cause) }
    },
    { cause: { error: { type: 'TaskFailure', message: 'initializer' } } },
  ),
  differs(
    'initializer/throws-map',
    deviation.initializer,
    'an initializer that throws, and map',
    async (context) => ({ map: await outcome(() => broken(context, 2).pool.map(context.tasks.sqr, range(8), 1)) }),
    { map: failed },
  ),
  differs(
    'initializer/throws-imap',
    deviation.initializer,
    'an initializer that throws, and imap',
    async (context) => ({ next: await step(broken(context).pool.imap(context.tasks.sqr, range(8))) }),
    { next: failed },
  ),
  differs(
    'initializer/throws-later-calls',
    deviation.initializer,
    'an initializer that throws, and two calls',
    async (context) => {
      const { pool } = broken(context)
      const first = await outcome(() => pool.apply(context.tasks.sqr, [1]))
      return { first, second: await outcome(() => pool.apply(context.tasks.sqr, [2])) }
    },
    { first: failed, second: failed },
  ),
  differs(
    'initializer/throws-tries',
    deviation.initializer,
    'how often such an initializer is tried',
    async (context) => {
      const { log, pool } = broken(context)
      await pool.applyAsync(context.tasks.sqr, [1]).wait()
      const tries = log.lines().length
      return { stops: !(await eventually(() => log.lines().length > tries, 1000)), tries }
    },
    { stops: true, tries: 3 },
  ),
  differs(
    'initializer/throws-then-join',
    deviation.initializer,
    'an initializer that throws, close and join',
    async (context) => {
      const { pool } = broken(context)
      pool.applyAsync(context.tasks.sqr, [1])
      pool.close()
      return { join: await outcome(() => pool.join()) }
    },
    { join: { value: null } },
  ),
  same('initializer/throws-then-terminate', 'an initializer that throws, terminate and join', async (context) => {
    const { pool } = broken(context)
    pool.applyAsync(context.tasks.sqr, [1])
    await pool.terminate()
    return { join: await outcome(() => pool.join()) }
  }),
]
