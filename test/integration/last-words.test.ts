// What nobody catches ends a worker process, or a thread: the error of its item says what it was.
import { Pool, ThreadPool, WorkerLostError } from '@poolmq/client'
import { describe, expect, test } from 'vitest'
import { leave } from '../fixtures/dist/last-word-tasks.js'

const lossOf = async (call: Promise<unknown>): Promise<WorkerLostError> => {
  const error = await call.then(
    (value) => new Error(`it came back with ${String(value)}`),
    (reason: Error) => reason,
  )
  expect(error).toBeInstanceOf(WorkerLostError)
  return error as WorkerLostError
}

describe.each([
  ['process', Pool],
  ['thread', ThreadPool],
] as const)('a worker %s', (kind, Kind) => {
  test('says what it dies of, and where that comes from', { timeout: 240_000 }, async () => {
    await using pool = new Kind(2)
    const [rejection, timer, text, nothing, exit] = await Promise.all([
      lossOf(pool.apply(leave.rejection)),
      lossOf(pool.apply(leave.timer)),
      lossOf(pool.apply(leave.text)),
      lossOf(pool.apply(leave.nothing)),
      lossOf(pool.apply(leave.exit)),
    ])
    for (const error of [rejection, timer, text, nothing, exit]) {
      expect(error).toMatchObject({ starts: 3, exitCode: expect.any(Number) })
      expect(error).not.toHaveProperty('signal')
    }
    expect(rejection.cause).toBeInstanceOf(RangeError)
    expect(rejection.message).toContain('exited with code 1: RangeError: nobody awaits me')
    expect((rejection.cause as Error).stack).toContain('last-word-tasks')
    expect(timer.cause).toBeInstanceOf(TypeError)
    expect(timer.cause).toMatchObject({ message: 'nobody catches me', detail: 7 })
    expect((timer.cause as Error).stack).toContain('last-word-tasks')
    expect(text.cause).toMatchObject({ code: 'ERR_POOL_NON_ERROR', value: 'no Error at all' })
    expect(String(nothing.cause)).toContain('undefined')
    expect(exit).toMatchObject({ exitCode: 3, cause: { message: 'process.exit(3) was called' } })
    expect((exit.cause as Error).stack).toContain('last-word-tasks')
  })

  test('is lost by the item that has left the error, not by those that ran when it came', async () => {
    await using pool = new Kind(1)
    const results: unknown[] = []
    const iterator = pool.imap(leave.first, [0, 1, 2], 3)
    for (let i = 0; i < 3; i++)
      results.push(
        await iterator.next().then(
          ({ value }) => value,
          (error: unknown) => error,
        ),
      )
    expect(results.slice(1)).toEqual([1, 2])
    expect(results[0]).toBeInstanceOf(WorkerLostError)
    expect((results[0] as Error).cause).toBeInstanceOf(RangeError)
  })

  test('that cannot exit for a handler of its own is an error of its item, and is replaced in the end', async () => {
    await using pool = new Kind({ processes: 1, maxTasksPerChild: 1 })
    await expect(pool.apply(leave.throwAtExit)).rejects.toThrow('and another thing')
    await pool.apply(leave.spoilExit, [kind === 'process' ? 'stay' : 'throw'])
    await pool.apply(leave.spoilExit, ['throw'])
    expect(await pool.apply(leave.first, [1])).toBe(1)
  })
})

test('a worker process that bears an error and is killed later was killed, and no more', async () => {
  await using pool = new Pool(1)
  const error = await lossOf(pool.apply(leave.bearAndBeKilled))
  expect(error).toMatchObject({ signal: 'SIGKILL' })
  expect(String(error.cause)).not.toContain('borne')
})
