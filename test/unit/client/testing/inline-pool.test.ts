/** What the conformance table does not ask of an InlinePool: that nothing is shared, and how it ends what does not end. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import {
  CancelledError,
  currentTask,
  defineTasks,
  EncodingError,
  InitializerError,
  NestedPoolError,
  Pool,
  PoolTerminatedError,
  TaskTimeoutError,
  TaskVersionError,
  taskRefs,
  UnknownTaskError,
} from '@poolmq/client'
import { InlinePool } from '@poolmq/client/testing'
import { Deferred } from '@poolmq/shared'
import { expect, onTestFinished, test, vi } from 'vitest'

const place = new AsyncLocalStorage<string>()
const never = new Promise<never>(() => undefined)
const seen: unknown[] = []
let running = 0
let most = 0
let initialized = 0
let gate = new Deferred()
const ran: number[] = []

const tasks = defineTasks(import.meta.url, 'inline', {
  identity: (value: unknown) => value,
  keep: (value: { list: number[] }) => {
    seen.push(value)
    value.list.push(4)
    return value
  },
  place: () => place.getStore(),
  together: async (x: number) => {
    most = Math.max(most, ++running)
    await delay(5)
    running--
    return x
  },
  hang: () => {
    seen.push('hangs')
    return never
  },
  hangOn: (x: number) => {
    ran.push(x)
    return x === 1 ? never : x
  },
  waitForAbort: async () => {
    const { signal } = currentTask() ?? {}
    await new Promise((resolve) => signal?.addEventListener('abort', resolve))
    seen.push(signal?.reason)
  },
  gated: async (x: number) => {
    await gate.promise
    ran.push(x)
    return x
  },
  begin: () => {
    initialized++
  },
  beginBadly: () => {
    initialized++
    throw new RangeError('not today')
  },
  again: async () => await inner?.apply(tasks.identity, [1]),
  pool: () => currentTask()?.pool,
})
let inner: Pool | undefined

function inlinePool(options?: ConstructorParameters<typeof InlinePool>[0]): InlinePool {
  const pool = new InlinePool(options)
  onTestFinished(() => pool.terminate())
  return pool
}

test('is a Pool, for the compiler and for instanceof', () => {
  const pool: Pool = inlinePool(2)
  expect(pool).toBeInstanceOf(Pool)
  expect(String(pool)).toBe('<InlinePool state=RUN pool_size=2>')
})

test('neither side sees the objects of the other', async () => {
  const given = { list: [1, 2, 3] }
  const value = await inlinePool(1).apply(tasks.keep, [given])
  expect(given).toEqual({ list: [1, 2, 3] })
  expect(value).toEqual({ list: [1, 2, 3, 4] })
  expect(value).not.toBe(seen.at(-1))
})

const kinds = {
  text: 'x'.repeat(1_000_000),
  bytes: Buffer.alloc(1_000_000, 7),
  numbers: Array.from({ length: 300_000 }, (_, n) => n * 1.5),
  view: new Float64Array(200_000).fill(2.5),
}
test.each(Object.entries(kinds))('a large value goes both ways as a copy: %s', async (_, value) => {
  const [back] = await inlinePool(1).map(tasks.identity, [value])
  // What expect itself asks of so many takes seconds.
  expect([isDeepStrictEqual(back, value), Object.is(back, value)]).toEqual([true, typeof value === 'string'])
})

test('what cannot travel fails, either way', async () => {
  const pool = inlinePool(1)
  await expect(pool.apply(tasks.identity, [() => 1])).rejects.toThrow(EncodingError)
  await expect(pool.map(tasks.identity, [1, { fn: () => 1 }])).rejects.toThrow(/items\[1\]\.fn/)
})

test('tasks do not see the AsyncLocalStorage of their caller', async () => {
  const pool = inlinePool(1)
  expect(await place.run('caller', () => pool.apply(tasks.place))).toBeUndefined()
})

test('as many items that wait overlap as there are processes', async () => {
  most = 0
  expect(await inlinePool(3).map(tasks.together, [...Array(12).keys()], 1)).toEqual([...Array(12).keys()])
  expect(most).toBe(3)
  most = 0
  await inlinePool({ processes: 1, concurrency: 4 }).map(tasks.together, [...Array(12).keys()], 1)
  expect(most).toBe(4)
})

test('a task that does not end at its time limit fails, and its neighbours and the pool go on', async () => {
  const pool = inlinePool(1)
  ran.length = 0
  const results = pool.imap(tasks.hangOn, [0, 1, 2], { chunkSize: 3, timeout: 400 })
  expect((await results.next()).value).toBe(0)
  await expect(results.next()).rejects.toThrow(TaskTimeoutError)
  expect((await results.next()).value).toBe(2)
  // As when its worker process is ended: what the chunk had done is done again, and the late item is not.
  expect(ran).toEqual([0, 1, 0, 2])
})

test('a cancelled call rejects at once; its task is told, and one that does not hear leaves its place', async () => {
  const pool = inlinePool(1)
  const controller = new AbortController()
  const deaf = pool.applyAsync(tasks.hang, [], undefined, { signal: controller.signal })
  const next = pool.applyAsync(tasks.waitForAbort, [], undefined, { signal: controller.signal })
  await delay(20)
  controller.abort()
  await expect(deaf.get()).rejects.toThrow(CancelledError)
  await expect(next.get()).rejects.toThrow(CancelledError)
  expect(await pool.apply(tasks.identity, [5])).toBe(5)
})

test('terminate aborts what runs, drops what waits, and waits for neither for long', async () => {
  const pool = new InlinePool(2)
  const all = [
    pool.applyAsync(tasks.waitForAbort),
    pool.applyAsync(tasks.hang),
    pool.applyAsync(tasks.keep, [{ list: [] }]),
  ]
  await delay(20)
  seen.length = 0
  await pool.terminate()
  expect(seen).toEqual([expect.any(CancelledError)])
  expect(all.map((result) => result.ready())).toEqual([true, true, true])
})

test('terminate overtakes a join, and an initializer that does not end', async () => {
  const pool = new InlinePool({ processes: 1, initializer: tasks.hang })
  const waiting = pool.applyAsync(tasks.identity, [1])
  pool.close()
  const joined = pool.join()
  await pool.terminate()
  await joined
  await expect(waiting.get()).rejects.toThrow(PoolTerminatedError)
})

test('the initializer runs once, at once; one that throws is tried three times', async () => {
  initialized = 0
  const pool = inlinePool({ processes: 3, initializer: tasks.begin })
  await pool.map(tasks.identity, [1, 2, 3], 1)
  expect(initialized).toBe(1)
  initialized = 0
  const broken = inlinePool({ processes: 3, initializer: tasks.beginBadly })
  const error = await broken.apply(tasks.identity, [1]).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(InitializerError)
  expect((error as Error).cause).toBeInstanceOf(RangeError)
  expect(initialized).toBe(3)
})

test('what waits runs by priority, then in order', async () => {
  const pool = inlinePool(1)
  gate = new Deferred()
  ran.length = 0
  const calls = [0, 5, 3, 3, 0].map((priority, x) =>
    pool.applyAsync(tasks.gated, [x], undefined, { ...(priority > 0 && { priority }) }),
  )
  await delay(10)
  gate.resolve()
  await Promise.all(calls)
  expect(ran).toEqual([0, 4, 2, 3, 1])
})

test('stats, hosts and calls tell of it', async () => {
  const pool = inlinePool(1)
  gate = new Deferred()
  const result = pool.mapAsync(tasks.gated, [1, 2, 3], 1)
  await delay(10)
  expect(await pool.stats()).toMatchObject({ waiting: 2, running: 1, processes: 1, clients: 1 })
  expect(await pool.calls()).toMatchObject([{ method: 'mapAsync', total: 3, done: 0, pid: process.pid }])
  expect((await pool.hosts())[0]?.tasks).toContain('inline.gated')
  gate.resolve()
  expect(await result).toEqual([1, 2, 3])
})

test('a task that nothing here defines is unknown, in its version as well', async () => {
  const { missing } = taskRefs<{ missing: () => void }>('inline')
  await expect(inlinePool(1).apply(missing)).rejects.toThrow(UnknownTaskError)
  const { identity } = taskRefs<typeof tasks>('inline', { version: '9' })
  await expect(inlinePool(1).apply(identity, [1])).rejects.toThrow(TaskVersionError)
})

test('a task that calls its own pool is refused, and may call another', async () => {
  inner = inlinePool(1)
  expect(await inlinePool(1).apply(tasks.again)).toBe(1)
  await expect(inner.apply(tasks.again)).rejects.toThrow(NestedPoolError)
})

test('those who observe this process hear of what runs', async () => {
  const taken: unknown[] = []
  const hear = (event: unknown) => taken.push(event)
  subscribe('poolmq:chunk:take', hear)
  onTestFinished(() => void unsubscribe('poolmq:chunk:take', hear))
  await inlinePool({ processes: 1, name: 'named' }).apply(tasks.identity, [1])
  expect(taken).toMatchObject([{ pool: 'named', task: 'inline.identity' }])
})

test('clocks that a test has stopped do not stop it', async () => {
  vi.useFakeTimers()
  seen.length = 0
  onTestFinished(() => void vi.useRealTimers())
  const pool = new InlinePool(2)
  expect(await pool.map(tasks.identity, [1, 2, 3], 1)).toEqual([1, 2, 3])
  const results = pool.imap(tasks.identity, [1, 2, 3])
  expect([await results.next(), await results.next()].map(({ value }) => value)).toEqual([1, 2])
  // The time limit is by the test's clock.
  const late = pool.apply(tasks.hang, [], undefined, { timeout: 60_000 })
  const failed = expect(late).rejects.toThrow(TaskTimeoutError)
  while (!seen.includes('hangs')) await nextTurn()
  await vi.advanceTimersByTimeAsync(62_000)
  await failed
  pool.close()
  await pool.join()
})

test.each([
  ['connection', 'redis://host', /without Redis/],
  ['expectedWorkers', 4, /without Redis/],
  ['share', { weight: 2 }, /only producer/],
  ['maxTasksPerChild', 10, /nothing replaces.*testPool/],
  ['maxMemoryPerChild', 1e9, /nothing replaces/],
  ['maxAgePerChild', 1000, /nothing replaces/],
])('an option that has no effect is refused: %s', (name, value, why) => {
  const make = () => new InlinePool({ name: 'x', processes: 1, [name]: value } as object)
  expect(make).toThrow(TypeError)
  expect(make).toThrow(`InlinePool has no option ${name}: `)
  expect(make).toThrow(why)
  // As everywhere, an option that is undefined is one that was not given.
  expect(String(inlinePool({ processes: 1, [name]: undefined }))).toContain('pool_size=1')
})

test('as many processes as none are refused', () => {
  expect(() => new InlinePool({ name: 'x', processes: 0 })).toThrow(RangeError)
})

test('it asks for no Redis, whatever the environment says', async () => {
  const { REDIS_URL } = process.env
  process.env.REDIS_URL = 'nonsense'
  onTestFinished(() => {
    if (REDIS_URL === undefined) delete process.env.REDIS_URL
    else process.env.REDIS_URL = REDIS_URL
  })
  expect(await inlinePool({ name: 'anywhere' }).apply(tasks.pool)).toBe('anywhere')
})

test('nothing that @poolmq/client loads is part of the kit', () => {
  const dist = new URL('../../../../packages/client/dist/', import.meta.url)
  const loaded = new Set<string>()
  const load = (url: URL) => {
    if (loaded.has(url.href)) return
    loaded.add(url.href)
    for (const [, path] of readFileSync(url, 'utf8').matchAll(/(?:from|import) '(\.[^']+)'/g))
      load(new URL(path ?? '', url))
  }
  load(new URL('index.js', dist))
  load(new URL('../../worker/dist/index.js', dist))
  expect(loaded.size).toBeGreaterThan(30)
  expect([...loaded].filter((href) => /\/testing|\/inline/.test(href))).toEqual([])
})
