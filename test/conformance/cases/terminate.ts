/** terminate() and leaving the scope: what ends, what stays readable. */
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Case, differs, ofType, same } from '../case.js'
import type { Context } from '../context.js'
import { deviation } from '../deviation.js'
import { eventually } from '../latch.js'
import { outcome, step } from '../outcome.js'

/** A pool whose one worker is in a task, and the pending result of that task. */
async function held(context: Context) {
  const [pool, started, go] = [context.makePool(1), context.latch('started'), context.latch()]
  const result = pool.applyAsync(context.tasks.hold, [started.path, go.path, 'held'])
  await started.opened()
  return { pool, result, go }
}

/** Items that wait for a latch, submitted to a pool of one, the first of them running. */
function holding(context: Context, count: number) {
  const [log, go] = [context.log(), context.latch()]
  return { log, items: Array.from({ length: count }, (_, x) => [log.path, go.path, x] as const) }
}

const terminated = ofType('PoolTerminatedError')

export const terminate: readonly Case[] = [
  same('terminate/many-waiting', '10,000 tasks that would take hours', async (context) => {
    const pool = context.makePool(3)
    const never = context.path('never')
    pool.mapAsync(context.tasks.awaitLatch, new Array<[string, number]>(10_000).fill([never, 0]), 1)
    return { terminate: await outcome(() => pool.terminate()), join: await outcome(() => pool.join()) }
  }),
  same('terminate/keeps-results', 'results that were ready before', async (context) => {
    const { sqr, fail } = context.tasks
    const pool = context.makePool(2)
    const result = pool.mapAsync(sqr, [0, 1, 2, 3, 4])
    const failed = pool.applyAsync(fail, ['early'])
    await Promise.all([result.wait(), failed.wait()])
    await pool.terminate()
    await pool.join()
    return { failed: await outcome(() => failed.get()), result: await outcome(() => result.get()) }
  }),
  differs(
    'terminate/pending-get',
    deviation.terminate,
    'get after terminate',
    async (context) => {
      const { pool, result } = await held(context)
      await pool.terminate()
      return { get: await outcome(() => result.get()) }
    },
    { get: terminated },
  ),
  differs(
    'terminate/pending-state',
    deviation.terminate,
    'ready and successful after terminate',
    async (context) => {
      const { pool, result } = await held(context)
      await pool.terminate()
      return { ready: result.ready(), successful: await outcome(() => result.successful()) }
    },
    { ready: true, successful: { value: false } },
  ),
  differs(
    'terminate/waiting-get',
    deviation.terminate,
    'terminate while a caller waits in get',
    async (context) => {
      const { pool, result } = await held(context)
      const getting = outcome(() => result.get())
      await pool.terminate()
      return { get: await getting }
    },
    { get: terminated },
  ),
  differs(
    'terminate/waiting-map',
    deviation.terminate,
    'terminate while a caller waits in map',
    async (context) => {
      const pool = context.makePool(1)
      const { log, items } = holding(context, 4)
      const mapping = outcome(() => pool.map(context.tasks.holdAndLog, items, 1))
      await log.reaches(1)
      await pool.terminate()
      return { map: await mapping }
    },
    { map: terminated },
  ),
  differs(
    'terminate/waiting-next',
    deviation.terminate,
    'next after terminate',
    async (context) => {
      const pool = context.makePool(1)
      const { log, items } = holding(context, 4)
      const iterator = pool.imap(context.tasks.holdAndLog, items)
      await log.reaches(1)
      await pool.terminate()
      return { next: await step(iterator) }
    },
    { next: terminated },
  ),
  differs(
    'terminate/waiting-in-next',
    deviation.terminate,
    'terminate while callers wait in next, in order and in any order',
    async (context) => {
      const pool = context.makePool(1)
      const { log, items } = holding(context, 2)
      const iterators = [
        pool.imap(context.tasks.holdAndLog, items),
        pool.imapUnordered(context.tasks.holdAndLog, items),
      ]
      const waiting = iterators.map((iterator) => step(iterator))
      await log.reaches(1)
      await pool.terminate()
      return { next: await Promise.all(waiting) }
    },
    { next: [terminated, terminated] },
  ),
  differs(
    'terminate/at-once',
    deviation.terminate,
    'a pending result while terminate is still under way',
    async (context) => {
      const { pool, result } = await held(context)
      const terminating = pool.terminate()
      const ready = result.ready()
      await terminating
      return { ready }
    },
    { ready: true },
  ),
  differs(
    'terminate/wait-returns',
    deviation.terminate,
    'wait after terminate',
    async (context) => {
      const { pool, result } = await held(context)
      await pool.terminate()
      return { wait: await outcome(() => result.wait()) }
    },
    { wait: { value: null } },
  ),
  same('terminate/kills-running', 'a task that would leave a mark', async (context) => {
    const [pool, started, go, mark] = [
      context.makePool(1),
      context.latch('started'),
      context.latch(),
      context.path('mark'),
    ]
    pool.applyAsync(context.tasks.holdThenMark, [started.path, go.path, mark])
    await started.opened()
    await pool.terminate()
    await pool.join()
    go.open()
    await sleep(300)
    return { marked: existsSync(mark) }
  }),
  same('terminate/drops-queued', 'items that wait for a worker', async (context) => {
    const { pool } = await held(context)
    const log = context.log()
    pool.mapAsync(
      context.tasks.logged,
      [0, 1, 2, 3, 4].map((x) => [log.path, x, false] as const),
      1,
    )
    await pool.terminate()
    await pool.join()
    return { ran: log.numbers() }
  }),
  same('terminate/busy-task', 'a task that never leaves the processor', async (context) => {
    const [pool, started] = [context.makePool(1), context.latch('started')]
    pool.applyAsync(context.tasks.spin, [started.path])
    await started.opened()
    return { terminate: await outcome(() => pool.terminate()), join: await outcome(() => pool.join()) }
  }),
  differs(
    'terminate/ignores-sigterm',
    deviation.sigterm,
    'a task that ignores SIGTERM',
    async (context) => {
      const [pool, started] = [context.makePool(1), context.latch('started')]
      pool.applyAsync(context.tasks.ignoreSigterm, [started.path])
      await started.opened()
      return { terminate: await outcome(() => pool.terminate()) }
    },
    { terminate: { value: null } },
  ),
  differs(
    'terminate/ends-what-ignores-sigterm',
    deviation.sigterm,
    'the process or thread of a task that ignores SIGTERM',
    async (context) => {
      const [pool, beat] = [context.makePool(1), context.log()]
      pool.applyAsync(context.tasks.ignoreSigtermAndBeat, [beat.path])
      await beat.reaches(1)
      const ended = await outcome(() => pool.terminate())
      const before = beat.lines().length
      return { gone: !(await eventually(() => beat.lines().length > before, 300)), terminate: ended }
    },
    { gone: true, terminate: { value: null } },
  ),
  differs(
    'terminate/blocked-input',
    deviation.badInput,
    'an input of imap that never goes on',
    async (context) => {
      const pool = context.makePool(1)
      async function* source() {
        yield 3
        await new Promise(() => {})
      }
      const iterator = pool.imap(context.tasks.sqr, source())
      return { first: (await iterator.next()).value, terminate: await outcome(() => pool.terminate()) }
    },
    { first: 9, terminate: { value: null } },
  ),
  differs(
    'terminate/close-with-blocked-input',
    deviation.badInput,
    'close and join while an input of imap with a bufferSize never goes on',
    async (context) => {
      const pool = context.makePool(1)
      async function* source() {
        yield 3
        await new Promise(() => {})
      }
      const iterator = pool.imap(context.tasks.sqr, source(), { bufferSize: 2 })
      const first = (await iterator.next()).value
      pool.close()
      return { first, join: await outcome(() => pool.join()), next: await step(iterator) }
    },
    { first: 9, join: { value: null }, next: { done: true } },
  ),
  same('terminate/during-join', 'terminate while a caller waits in join', async (context) => {
    const { pool } = await held(context)
    pool.close()
    const joining = outcome(() => pool.join())
    await pool.terminate()
    return { join: await joining }
  }),
  same('terminate/ends-workers', 'the process or thread of a worker', async (context) => {
    const [pool, beat] = [context.makePool(1), context.log()]
    await pool.apply(context.tasks.beat, [beat.path])
    await beat.reaches(1)
    await pool.terminate()
    await pool.join()
    const before = beat.lines().length
    return { gone: !(await eventually(() => beat.lines().length > before, 300)) }
  }),
  same('terminate/scope', 'work done inside the scope', async (context) => {
    const pool = context.makePool(2)
    const values = await pool.mapAsync(context.tasks.sqr, [...Array(10).keys()]).get()
    await pool[Symbol.asyncDispose]()
    await pool.join()
    return { after: await outcome(() => pool.mapAsync(context.tasks.sqr, [1])), text: context.textOf(pool), values }
  }),
  differs(
    'terminate/scope-pending',
    deviation.terminate,
    'a result that is pending when the scope is left',
    async (context) => {
      const { pool, result } = await held(context)
      await pool[Symbol.asyncDispose]()
      return { get: await outcome(() => result.get()) }
    },
    { get: terminated },
  ),
  same('terminate/scope-error', 'an error that leaves the scope', (context) =>
    outcome(async () => {
      const pool = context.makePool(1)
      try {
        await pool.apply(context.tasks.fail, ['inside'])
      } finally {
        await pool[Symbol.asyncDispose]()
      }
    }),
  ),
  differs(
    'terminate/scope-after-close',
    deviation.dispose,
    'a closed pool whose scope is left while a task runs',
    async (context) => {
      const { pool, result, go } = await held(context)
      pool.close()
      setTimeout(() => go.open(), 300)
      await pool[Symbol.asyncDispose]()
      return { get: await outcome(() => result.get()) }
    },
    { get: { value: 'held' } },
  ),
]
