// Pools and tasks that are known by name only: a producer without the tasks' module, and modules that come late.
import { Pool, taskRefs, UnknownTaskError } from '@poolmq/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { context } from '../fixtures/dist/context-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'

const name = uniqueName('named')
let host: ProgramRun
beforeAll(async () => {
  const args = [
    'worker',
    '--pool',
    name,
    '--processes',
    '2',
    '--redis',
    redisUrl(),
    fixture('math-tasks'),
    fixture('context-tasks'),
  ]
  host = new ProgramRun([poolmqCommand, ...args])
  await host.says('serving pool')
})
afterAll(() => host[Symbol.asyncDispose]())

test('taskRefs: types are all that the producer has', async () => {
  await using pool = new Pool({ name })
  const remote = taskRefs<typeof import('../fixtures/dist/math-tasks.js').math>('math')
  expect(await pool.map(remote.square, [1, 2, 3])).toEqual([1, 4, 9])
  expect(await pool.starmap(remote.hypot, [[3, 4]])).toEqual([5])
  expect(await pool.apply(remote.greet, ['Ada'], { greeting: 'Bye' })).toBe('Bye Ada')
  const pid = await pool.apply(remote.pid)
  expect([...host.processes().keys()].filter((one) => one !== host.pid)).toContain(pid)
  expect(await pool.apply(context.pool)).toBe(name)
})

test('a task that no worker knows: an error with the nearest names', async () => {
  await using pool = new Pool({ name })
  const wrong = taskRefs<{ sqare: (x: number) => number }>('math')
  const error: unknown = await pool.apply(wrong.sqare, [2]).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(UnknownTaskError)
  expect(error).toMatchObject({ code: 'ERR_POOL_UNKNOWN_TASK', taskId: 'math.sqare', nearest: ['math.square'] })
})

test('two producers share the workers of a name, and neither ends the other', async () => {
  await using staying = new Pool({ name })
  {
    await using leaving = new Pool({ name })
    const refs = taskRefs<typeof import('../fixtures/dist/math-tasks.js').math>('math')
    expect(await Promise.all([leaving.apply(refs.square, [2]), staying.apply(refs.square, [3])])).toEqual([4, 9])
  }
  expect(await staying.map(context.place, [1, 2, 3], 3)).toEqual([0, 1, 2])
})

test('tasks of a module that is imported after the pool was made', async () => {
  await using pool = new Pool(2)
  expect(await pool.apply(context.pool)).toMatch(/^private-/) // its worker processes are running by now
  const { late } = await import('../fixtures/dist/late-tasks.js')
  expect(await pool.map(late.triple, [1, 2, 3, 4], 1)).toEqual([3, 6, 9, 12])
})
