/** new Pool(…): validation and its order, size, text. */
import { availableCores } from '@poolmq/shared'
import { type Case, differs, ofType, same } from '../case.js'
import type { Context } from '../context.js'
import { deviation } from '../deviation.js'
import { outcome, thrown } from '../outcome.js'

const sizeOf = (text: string): number => Number(/pool_size=(\d+)/.exec(text)?.[1])

const invalid = (options: object | number) => (context: Context) => thrown(() => context.makePool(options as never))

/** Which option the error is about, in Python's spelling. */
function blame(call: () => unknown): { blames: string[] } {
  const answer = thrown(call)
  const text = 'error' in answer ? answer.error.message : ''
  const options = {
    processes: /number of processes/i,
    maxtasksperchild: /maxTasksPerChild/,
    initializer: /initializer|a task/,
  }
  return { blames: Object.entries(options).flatMap(([name, pattern]) => (pattern.test(text) ? [name] : [])) }
}

const wrong = { initializer: 1 } as never as object

export const construct: readonly Case[] = [
  same('construct/size', 'three processes', (context) => ({
    value: sizeOf(context.textOf(context.makePool(3))),
  })),
  same('construct/default-size', 'no number of processes', (context) => ({
    processors: sizeOf(context.textOf(context.makePool())) === availableCores(),
  })),
  same('construct/text', 'a running pool', (context) => ({ value: context.textOf(context.makePool(3)) })),
  same('construct/text-states', 'pools closed, joined, terminated', async (context) => {
    const [pool, other] = [context.makePool(2), context.makePool(1)]
    pool.close()
    const closed = context.textOf(pool)
    await pool.join()
    await other.terminate()
    return { closed, joined: context.textOf(pool), terminated: context.textOf(other) }
  }),

  same('construct/processes-zero', 'no process', invalid(0)),
  same('construct/processes-negative', 'a negative number of processes', invalid(-1)),
  same('construct/processes-text', 'a text for the number of processes', invalid({ processes: '3' })),
  same('construct/processes-fraction', 'one and a half processes', invalid(1.5)),
  same('construct/max-tasks-zero', 'maxTasksPerChild 0', invalid({ processes: 3, maxTasksPerChild: 0 })),
  same('construct/max-tasks-negative', 'maxTasksPerChild -1', invalid({ processes: 3, maxTasksPerChild: -1 })),
  same('construct/max-tasks-fraction', 'maxTasksPerChild 0.5', invalid({ processes: 3, maxTasksPerChild: 0.5 })),
  same('construct/max-tasks-text', 'a text for maxTasksPerChild', invalid({ processes: 3, maxTasksPerChild: '12' })),
  same('construct/initializer-not-callable', 'a number as initializer', invalid({ processes: 3, ...wrong })),

  same('construct/order-processes-first', 'all three wrong', (context) =>
    blame(() => context.makePool({ processes: 0, maxTasksPerChild: 0, ...wrong })),
  ),
  same('construct/order-max-tasks-second', 'maxTasksPerChild and initializer wrong', (context) =>
    blame(() => context.makePool({ processes: 3, maxTasksPerChild: 0, ...wrong })),
  ),
  same('construct/order-initializer-last', 'only the initializer wrong', (context) =>
    blame(() => context.makePool({ processes: 3, maxTasksPerChild: 5, ...wrong })),
  ),

  same('construct/two-pools', 'one of two pools terminated', async (context) => {
    const [first, second] = [context.makePool(1), context.makePool(1)]
    await first.terminate()
    return {
      first: context.textOf(first),
      second: await outcome(() => second.apply(context.tasks.sqr, [4])),
    }
  }),
  differs(
    'construct/pool-as-argument',
    deviation.argument,
    'the pool itself as an argument',
    async ({ pool, tasks }) => ({
      sent: await outcome(() => pool.apply(tasks.identity, [pool])),
      then: await outcome(() => pool.apply(tasks.sqr, [2])),
    }),
    { sent: ofType('EncodingError'), then: { value: 4 } },
  ),
]
