/** One task, run alone: what it is told of itself, and what comes back. */
import {
  currentTask,
  defineTasks,
  EncodingError,
  RemoteTraceback,
  type TaskContext,
  TaskTimeoutError,
  taskRefs,
  UnknownTaskError,
} from '@poolmq/client'
import { runTask } from '@poolmq/client/testing'
import { expect, test } from 'vitest'

const contexts: (TaskContext | undefined)[] = []

const tasks = defineTasks(import.meta.url, 'alone', {
  add: (a: number, b = 1) => a + b,
  about: () => {
    contexts.push(currentTask())
    const { taskId, pool, index, attempt, signal } = currentTask() as TaskContext
    return { taskId, pool, index, attempt, aborted: signal.aborted, reason: String(signal.reason) }
  },
  flaky: () => {
    const attempt = currentTask()?.attempt ?? 0
    if (attempt < 3) throw Object.assign(new RangeError(`attempt ${attempt}`), { code: 'E_FLAKY' })
    return attempt
  },
  untilAborted: async () => {
    const signal = currentTask()?.signal as AbortSignal
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return `ended: ${(signal.reason as Error).message}`
  },
  late: async () => {
    const signal = currentTask()?.signal as AbortSignal
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return 'too late'
  },
  hang: () => new Promise<never>(() => undefined),
  makeFunction: (): unknown => () => 1,
  thenable: (value: number): unknown =>
    Object.assign(() => 1, { then: (resolve: (value: number) => void) => resolve(value) }),
  identity: (value: unknown) => value,
})

test('gives the result, with the defaults of the task and without a pool', async () => {
  expect(await runTask(tasks.add, [2, 3])).toBe(5)
  expect(await runTask(tasks.add, [2])).toBe(3)
})

test('tells the task of itself what the test says', async () => {
  expect(await runTask(tasks.about)).toEqual({
    taskId: 'alone.about',
    pool: 'test',
    index: 0,
    attempt: 1,
    aborted: false,
    reason: 'undefined',
  })
  const signal = AbortSignal.abort(new Error('no more'))
  expect(await runTask(tasks.about, [], { attempt: 4, index: 7, pool: 'nightly', signal })).toMatchObject({
    pool: 'nightly',
    index: 7,
    attempt: 4,
    aborted: true,
    reason: 'Error: no more',
  })
})

test('each run has a context of its own: an abort poisons no other', async () => {
  contexts.length = 0
  await runTask(tasks.about, [], { signal: AbortSignal.abort() })
  expect(await runTask(tasks.about)).toMatchObject({ aborted: false, attempt: 1 })
  await Promise.all([runTask(tasks.about), runTask(tasks.about)])
  expect(new Set(contexts).size).toBe(4)
  expect(new Set(contexts.map((context) => context?.signal)).size).toBe(4)
  expect(currentTask()).toBeUndefined()
})

test('waits for a task that is aborted, and gives what it makes of that', async () => {
  const controller = new AbortController()
  const result = runTask(tasks.untilAborted, [], { signal: controller.signal })
  setTimeout(() => controller.abort(new Error('stop')), 10)
  expect(await result).toBe('ended: stop')
})

test('counts retries from the attempt that it is given', async () => {
  expect(await runTask(tasks.flaky, [], { retries: 2, retryDelay: 1 })).toBe(3)
  expect(await runTask(tasks.flaky, [], { attempt: 2, retries: 1, retryDelay: 1 })).toBe(3)
  await expect(runTask(tasks.flaky, [], { retries: 2, retryIf: ['TypeError'] })).rejects.toThrow('attempt 1')
})

test('an error arrives as the caller of a pool gets it', async () => {
  const error = (await runTask(tasks.flaky).catch((thrown: unknown) => thrown)) as RangeError & { code: string }
  expect(error).toBeInstanceOf(RangeError)
  expect(error).toMatchObject({ message: 'attempt 1', code: 'E_FLAKY' })
  expect(error.cause).toBeInstanceOf(RemoteTraceback)
})

test('what cannot travel fails, and what can is a copy', async () => {
  await expect(runTask(tasks.identity, [{ fn: () => 1 }])).rejects.toThrow(/args\[0\]\.fn/)
  await expect(runTask(tasks.makeFunction)).rejects.toThrow(EncodingError)
  const given = new Map([['a', new Date(0)]])
  const back = await runTask(tasks.identity, [given])
  expect(back).toEqual(given)
  expect(back).not.toBe(given)
})

test('a task that is over its time fails, whether it hears or not', async () => {
  await expect(runTask(tasks.late, [], { timeout: 10 })).rejects.toThrow(TaskTimeoutError)
  await expect(runTask(tasks.hang, [], { timeout: 10 })).rejects.toThrow(TaskTimeoutError)
})

test('wrong arguments are refused', async () => {
  const { missing } = taskRefs<{ missing: () => void }>('alone')
  await expect(runTask(missing)).rejects.toThrow(UnknownTaskError)
  await expect(runTask(tasks.add, [1], { attempt: 0 })).rejects.toThrow(RangeError)
  await expect(runTask(tasks.add, [1], { chunkSize: 3 } as object)).rejects.toThrow(
    /runTask: unknown option "chunkSize"/,
  )
  await expect(runTask((() => 1) as never)).rejects.toThrow(/expected a task/)
  // @ts-expect-error: the task has an argument without a default
  await runTask(tasks.add).catch(() => undefined)
})

test('a thenable is waited for, whatever it is besides, as await does', async () => {
  expect(await runTask(tasks.thenable, [5])).toBe(5)
  expect(await runTask(tasks.thenable, [6], { timeout: 10_000 })).toBe(6)
})
