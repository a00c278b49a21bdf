/**
 * The family of concurrent.futures' ExecutorDeadlockTest: an error, an exit, a crash, at each station of a task's way.
 * Decoding runs no code of the user here: what would need it, an instance of a class, is refused when it is encoded.
 */
import { Point } from '../../fixtures/dist/conformance-tasks.js'
import { type Case, differs, ofType, same } from '../case.js'
import { deviation } from '../deviation.js'
import { outcome } from '../outcome.js'
import { range } from '../source.js'

const { argument, result, exits, workerKilled } = deviation
const lost = ofType('WorkerLostError')
const refused = ofType('EncodingError')
const thenValues = { value: [1, 4] }

/** Reading it throws. */
const trap = (): unknown => ({
  get trap(): never {
    throw new RangeError('task cannot be moved')
  },
})

export const deadlock: readonly Case[] = [
  differs(
    'deadlock/error-at-argument-encode',
    argument,
    'an argument that throws when it is read',
    async ({ pool, tasks }) => ({
      apply: await outcome(() => pool.apply(tasks.identity, [trap()])),
      then: await outcome(() => pool.apply(tasks.sqr, [2])),
    }),
    { apply: refused, then: { value: 4 } },
  ),
  ...(['error', 'exit', 'crash'] as const).map((effect) =>
    differs(
      `deadlock/${effect}-at-argument-decode`,
      argument,
      'an argument whose decoding would run code of the user',
      async ({ pool, tasks }) => ({ apply: await outcome(() => pool.apply(tasks.identity, [new Point(3, 4)])) }),
      { apply: refused },
    ),
  ),
  same('deadlock/error-at-result-encode', 'a result that throws when it is read', async ({ pool, tasks }) => ({
    apply: await outcome(() => pool.apply(tasks.returnTrap, ['error'])),
  })),
  ...(['exit', 'crash'] as const).map((effect) =>
    differs(
      `deadlock/${effect}-at-result-encode`,
      effect === 'exit' ? exits : workerKilled,
      'a result that ends the worker when it is read',
      async ({ pool, tasks }) => ({ apply: await outcome(() => pool.apply(tasks.returnTrap, [effect])) }),
      { apply: lost },
    ),
  ),
  differs(
    'deadlock/error-at-result-decode',
    result,
    'a result whose decoding would run code of the user',
    async ({ pool, tasks }) => ({ apply: await outcome(() => pool.apply(tasks.returnPoint)) }),
    { apply: refused },
  ),
  same('deadlock/error-in-task', 'a task that throws', ({ pool, tasks }) =>
    outcome(() => pool.apply(tasks.fail, ['in the task'])),
  ),
  differs(
    'deadlock/exit-in-task',
    exits,
    'a task that exits',
    async ({ pool, tasks }) => ({
      apply: await outcome(() => pool.apply(tasks.exitWorker, [1])),
      then: await outcome(() => pool.map(tasks.sqr, [1, 2])),
    }),
    { apply: lost, then: thenValues },
  ),
  differs(
    'deadlock/crash-in-task',
    workerKilled,
    'a task that crashes',
    async ({ pool, tasks }) => ({
      apply: await outcome(() => pool.apply(tasks.die)),
      then: await outcome(() => pool.map(tasks.sqr, [1, 2])),
    }),
    { apply: lost, then: thenValues },
  ),
  differs(
    'deadlock/crash-then-shutdown',
    workerKilled,
    'close and join while a task crashes',
    async (context) => {
      const pool = context.makePool(4)
      const dead = pool.applyAsync(context.tasks.die)
      pool.close()
      return { get: await outcome(() => dead.get()), join: await outcome(() => pool.join()) }
    },
    { get: lost, join: { value: null } },
  ),
  differs(
    'deadlock/bad-argument-then-shutdown',
    argument,
    'close and join after an argument that cannot be encoded',
    async (context) => {
      const pool = context.makePool(2)
      const handle = pool.applyAsync(context.tasks.identity, [trap()])
      pool.close()
      return { get: await outcome(() => handle.get()), join: await outcome(() => pool.join()) }
    },
    { get: refused, join: { value: null } },
  ),
  differs(
    'deadlock/crash-with-large-data',
    workerKilled,
    'a crash among forty items of 100 kB',
    async ({ pool, tasks }) => {
      const data = 'a'.repeat(100_000)
      const items = range(40).map((n) => [data, n === 10] as const)
      return {
        map: await outcome(() => pool.map(tasks.dieOn, items, 1)),
        then: await outcome(() => pool.map(tasks.sqr, [1, 2])),
      }
    },
    { map: lost, then: thenValues },
  ),
]
