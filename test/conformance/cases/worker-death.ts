/** A worker that dies: in a task, idle, once, always. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Case, differs, ofType, same } from '../case.js'
import type { AnyPool, Context } from '../context.js'
import { deviation } from '../deviation.js'
import { caught, outcome, steps } from '../outcome.js'
import { range } from '../source.js'

const { workerKilled, idleKilled } = deviation
const lost = ofType('WorkerLostError')

const dieOn = (count: number, which: number) => range(count).map((n) => [n, n === which] as const)

/** Ends the one worker while it waits for work, and lets its end be noticed: a call that follows at once overtakes it. */
async function killIdle(context: Context, pool: AnyPool): Promise<void> {
  const marker = context.log('marker')
  await pool.apply(context.tasks.dieWhenIdle, [marker.path])
  await marker.reaches(1)
  await sleep(200)
}

export const workerDeath: readonly Case[] = [
  differs(
    'worker-death/apply',
    workerKilled,
    'a task that kills its worker each time',
    async ({ pool, tasks }) => ({ apply: await outcome(() => pool.apply(tasks.die)) }),
    { apply: lost },
  ),
  differs(
    'worker-death/details',
    workerKilled,
    'what the error tells',
    async ({ kind, pool, tasks }) => {
      const { name, signal, exitCode, host, pid, starts } = await caught(() => pool.apply(tasks.die))
      const how = kind === 'ThreadPool' ? exitCode === 9 : signal === 'SIGKILL'
      return { apply: { type: name, starts }, how, host: typeof host, pid: typeof pid }
    },
    { apply: { type: 'WorkerLostError', starts: 3 }, how: true, host: 'string', pid: 'number' },
  ),
  differs(
    'worker-death/starts',
    workerKilled,
    'how often such a task is started',
    async (context) => {
      const log = context.log()
      const apply = await outcome(() => context.pool.apply(context.tasks.logAndDie, [log.path]))
      return { apply, starts: log.lines().length }
    },
    { apply: lost, starts: 3 },
  ),
  differs(
    'worker-death/once',
    workerKilled,
    'a task that kills its first worker',
    async (context) => ({
      apply: await outcome(() => context.pool.apply(context.tasks.dieOnce, [context.path('marker')])),
    }),
    { apply: { value: 'second run' } },
  ),
  differs(
    'worker-death/map',
    workerKilled,
    'a map of which one item kills its worker',
    async ({ pool, tasks }) => ({ map: await outcome(() => pool.map(tasks.dieOn, dieOn(6, 2), 1)) }),
    { map: lost },
  ),
  differs(
    'worker-death/imap',
    workerKilled,
    'an imap of which one item kills its worker',
    async ({ pool, tasks }) => ({ value: await steps(pool.imap(tasks.dieOn, dieOn(3, 1)), 4) }),
    { value: [{ value: 0 }, lost, { value: 2 }, { done: true }] },
  ),
  differs(
    'worker-death/imap-neighbours',
    workerKilled,
    'an item that kills its worker, in one chunk with others',
    async ({ pool, tasks }) => ({ value: await steps(pool.imap(tasks.dieOn, dieOn(4, 1), 4), 5) }),
    { value: [{ value: 0 }, lost, { value: 2 }, { value: 3 }, { done: true }] },
  ),
  differs(
    'worker-death/others-go-on',
    workerKilled,
    'a map beside such a task',
    async ({ pool, tasks }) => {
      const dead = pool.applyAsync(tasks.die)
      const values = await outcome(() => pool.map(tasks.sqr, range(20), 1))
      return { lost: await outcome(() => dead.get()), values }
    },
    { lost, values: { value: range(20).map((n) => n * n) } },
  ),
  differs(
    'worker-death/error-callback',
    workerKilled,
    'errorCallback for such a task',
    async ({ pool, tasks }) => {
      const events: string[] = []
      await pool.applyAsync(tasks.die, [], undefined, { errorCallback: () => void events.push('errorCallback') }).wait()
      return { events }
    },
    { events: ['errorCallback'] },
  ),
  same('worker-death/replaced', 'the size of the pool, and the next map', async (context) => {
    const pool = context.makePool(2)
    pool.applyAsync(context.tasks.die)
    const then = await outcome(() => pool.map(context.tasks.sqr, range(4)))
    return { refilled: context.textOf(pool).includes('pool_size=2'), then }
  }),
  differs(
    'worker-death/join',
    workerKilled,
    'close and join with such a task',
    async (context) => {
      const pool = context.makePool(4)
      pool.applyAsync(context.tasks.die)
      pool.close()
      return { join: await outcome(() => pool.join()) }
    },
    { join: { value: null } },
  ),
  same('worker-death/terminate', 'terminate with such a task', async (context) => {
    const pool = context.makePool(4)
    pool.applyAsync(context.tasks.die)
    return { terminate: await outcome(() => pool.terminate()) }
  }),
  differs(
    'worker-death/idle',
    idleKilled,
    'the one worker dies idle, and apply',
    async (context) => {
      const pool = context.makePool(1)
      await killIdle(context, pool)
      return { apply: await outcome(() => pool.apply(context.tasks.sqr, [5])) }
    },
    { apply: { value: 25 } },
  ),
  differs(
    'worker-death/idle-then-terminate',
    idleKilled,
    'the one worker dies idle, and terminate',
    async (context) => {
      const pool = context.makePool(1)
      await killIdle(context, pool)
      return { terminate: await outcome(() => pool.terminate()) }
    },
    { terminate: { value: null } },
  ),
  differs(
    'worker-death/idle-then-join',
    idleKilled,
    'the one worker dies idle, close and join',
    async (context) => {
      const pool = context.makePool(1)
      await killIdle(context, pool)
      pool.close()
      return { join: await outcome(() => pool.join()) }
    },
    { join: { value: null } },
  ),
  differs(
    'worker-death/innocent-neighbour',
    workerKilled,
    'a task that runs in another worker meanwhile',
    async (context) => {
      const [started, go] = [context.latch('started'), context.latch()]
      const held = context.pool.applyAsync(context.tasks.hold, [started.path, go.path, 'unharmed'])
      await started.opened()
      const dead = await outcome(() => context.pool.apply(context.tasks.die))
      go.open()
      return { held: await outcome(() => held.get()), lost: dead }
    },
    { held: { value: 'unharmed' }, lost },
  ),
  differs(
    'worker-death/many',
    workerKilled,
    'three such tasks at once',
    async ({ pool, tasks }) => {
      const results = range(3).map(() => pool.applyAsync(tasks.die))
      const ends = await Promise.all(results.map((result) => outcome(() => result.get())))
      return { lost: ends, then: await outcome(() => pool.map(tasks.sqr, range(4))) }
    },
    { lost: [lost, lost, lost], then: { value: [0, 1, 4, 9] } },
  ),
]
