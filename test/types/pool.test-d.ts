// What the compiler knows of a pool: the types of results, and the mistakes that it finds.
import {
  type AsyncResult,
  type DurableResult,
  type ImapResults,
  Pool,
  type SharedValue,
  ThreadPool,
  taskRefs,
} from '@poolmq/client'
import { InlinePool } from '@poolmq/client/testing'
import { defineTasks } from '@poolmq/shared'
import { describe, expectTypeOf, test } from 'vitest'

const tasks = defineTasks('file:///tasks.js', 'tasks', {
  square: (x: number) => x * x,
  later: async (x: number) => String(x),
  hypot: (a: number, b: number) => Math.hypot(a, b),
  total: (...xs: number[]) => xs.length,
  greet: (name: string, options?: { readonly greeting: string }) => `${options?.greeting} ${name}`,
  pair: ([key, value]: readonly [string, number]) => ({ key, value }),
  nothing: () => undefined,
})

// Nothing here runs: the types are all there is to test.
declare const pool: Pool

describe('shared values', () => {
  const model = new Float64Array(3)
  const sharing = defineTasks('file:///sharing.js', 'sharing', {
    score: (table: Float64Array, row: { readonly x: number; readonly tags: string[] }) => table.length + row.x,
    nested: ({ table, at }: { readonly table: Float64Array; readonly at: number }) => table[at],
    any: (value: unknown) => value,
    many: (...tables: Float64Array[]) => tables.length,
  })
  test('are taken where the task takes the value', async () => {
    const value = await pool.share(model)
    expectTypeOf(value).toEqualTypeOf<SharedValue<Float64Array<ArrayBuffer>>>()
    expectTypeOf(pool.apply(sharing.score, [value, { x: 1, tags: [] }])).toEqualTypeOf<Promise<number>>()
    expectTypeOf(pool.applyAsync(sharing.score, [value, await pool.share({ x: 1, tags: [] })])).toEqualTypeOf<
      AsyncResult<number>
    >()
    expectTypeOf(pool.apply(sharing.score, [value, { x: 1, tags: [] }], undefined, { timeout: 5 })).toEqualTypeOf<
      Promise<number>
    >()
    expectTypeOf(pool.starmap(sharing.score, [[value, { x: 1, tags: await pool.share(['a']) }]])).toEqualTypeOf<
      Promise<number[]>
    >()
    expectTypeOf(pool.map(sharing.nested, [{ table: value, at: 1 }])).toEqualTypeOf<Promise<(number | undefined)[]>>()
    expectTypeOf(pool.imap(sharing.any, [value, [value]])).toEqualTypeOf<ImapResults<unknown>>()
    expectTypeOf(pool.starmap(sharing.many, [[value, model, value]])).toEqualTypeOf<Promise<number[]>>()
    void new Pool({ initializer: sharing.nested, initArgs: [{ table: value, at: 1 }] })
  })

  test('and nowhere else', async () => {
    const text = await pool.share('text')
    // @ts-expect-error a text where a table is taken
    void pool.apply(sharing.score, [text, { x: 1, tags: [] }])
    // @ts-expect-error a number is missing
    void pool.starmap(sharing.score, [[model, { tags: [] }]])
    // @ts-expect-error a shared value is not the value
    void text.length
  })
})

describe('results', () => {
  test('of a sync and of an async task', () => {
    expectTypeOf(pool.apply(tasks.square, [2])).toEqualTypeOf<Promise<number>>()
    expectTypeOf(pool.apply(tasks.later, [2])).toEqualTypeOf<Promise<string>>()
    expectTypeOf(pool.apply(tasks.nothing)).toEqualTypeOf<Promise<undefined>>()
    expectTypeOf(pool.applyAsync(tasks.later, [2])).toEqualTypeOf<AsyncResult<string>>()
  })

  test('of map and starmap', () => {
    expectTypeOf(pool.map(tasks.square, [1])).toEqualTypeOf<Promise<number[]>>()
    expectTypeOf(pool.map(tasks.later, new Set([1]), 5)).toEqualTypeOf<Promise<string[]>>()
    expectTypeOf(pool.map(tasks.pair, [['a', 1]])).toEqualTypeOf<Promise<{ key: string; value: number }[]>>()
    expectTypeOf(pool.mapAsync(tasks.later, [1])).toEqualTypeOf<AsyncResult<string[]>>()
    expectTypeOf(pool.starmap(tasks.hypot, [[3, 4]])).toEqualTypeOf<Promise<number[]>>()
    expectTypeOf(pool.starmap(tasks.total, [[1], [1, 2, 3]])).toEqualTypeOf<Promise<number[]>>()
    expectTypeOf(pool.starmapAsync(tasks.greet, [['Ada'], ['Ada', { greeting: 'Hi' }]])).toEqualTypeOf<
      AsyncResult<string[]>
    >()
  })

  test('of imap', () => {
    expectTypeOf(pool.imap(tasks.later, [1])).toEqualTypeOf<ImapResults<string>>()
    async function* numbers() {
      yield 1
    }
    expectTypeOf(pool.imapUnordered(tasks.square, numbers(), { chunkSize: 2 })).toEqualTypeOf<ImapResults<number>>()
    expectTypeOf(pool.imap(tasks.square, [1]).next(5)).toEqualTypeOf<Promise<IteratorResult<number, undefined>>>()
  })

  test('of a handle', () => {
    const result = pool.mapAsync(tasks.square, [1])
    expectTypeOf(result.get(5)).toEqualTypeOf<Promise<number[]>>()
    expectTypeOf(result.wait()).toEqualTypeOf<Promise<void>>()
    expectTypeOf(result.successful()).toEqualTypeOf<boolean>()
    expectTypeOf<Awaited<typeof result>>().toEqualTypeOf<number[]>()
  })

  test('of a durable call', () => {
    const square = pool.mapAsync(tasks.square, [1], { durable: 'key', keep: 5 })
    expectTypeOf(square).toEqualTypeOf<DurableResult<number[], number>>()
    expectTypeOf(square.from(3).next()).toEqualTypeOf<Promise<IteratorResult<number>>>()
    expectTypeOf(pool.starmapAsync(tasks.hypot, [[3, 4]], { durable: 'key' }).get()).toEqualTypeOf<Promise<number[]>>()
    expectTypeOf(pool.applyAsync(tasks.later, [2], undefined, { durable: 'key' })).toEqualTypeOf<
      DurableResult<string>
    >()
    expectTypeOf(pool.attach<string[]>('key')).toEqualTypeOf<DurableResult<string[], string>>()
    expectTypeOf(pool.attach('key').get()).toEqualTypeOf<Promise<unknown>>()
    // @ts-expect-error map has no handle that could be found again
    void pool.map(tasks.square, [1], { durable: 'key' })
    // @ts-expect-error keep is of a durable call
    void pool.mapAsync(tasks.square, [1], { keep: 5 })
    // @ts-expect-error the items are numbers
    void pool.mapAsync(tasks.square, ['1'], { durable: 'key' })
  })

  test('with kwds as a last argument', () => {
    expectTypeOf(pool.apply(tasks.greet, ['Ada'], { greeting: 'Hi' })).toEqualTypeOf<Promise<string>>()
    // @ts-expect-error greeting must be a string
    void pool.apply(tasks.greet, ['Ada'], { greeting: 5 })
  })

  test('of a task are those of the function it was made of, which stays callable', () => {
    expectTypeOf(tasks.square(2)).toEqualTypeOf<number>()
    expectTypeOf(tasks.later(2)).toEqualTypeOf<Promise<string>>()
  })

  test('of a ThreadPool', () => {
    expectTypeOf(new ThreadPool(2).map(tasks.later, [1])).toEqualTypeOf<Promise<string[]>>()
  })
})

test('callbacks hear what get gives', () => {
  pool.mapAsync(tasks.later, [1], { callback: (value) => expectTypeOf(value).toEqualTypeOf<string[]>() })
  pool.starmapAsync(tasks.hypot, [[1, 2]], { callback: (value) => expectTypeOf(value).toEqualTypeOf<number[]>() })
  pool.applyAsync(tasks.square, [1], undefined, { callback: (value) => expectTypeOf(value).toEqualTypeOf<number>() })
  pool.mapAsync(tasks.square, [1], { errorCallback: (error) => expectTypeOf(error).toEqualTypeOf<unknown>() })
  // @ts-expect-error the callback of mapAsync hears a list
  pool.mapAsync(tasks.square, [1], { callback: (value: number) => value })
})

test('taskRefs know all of a module that is never imported', () => {
  const remote = taskRefs<typeof import('../fixtures/math-tasks.js').math>('math')
  expectTypeOf(pool.map(remote.square, [1])).toEqualTypeOf<Promise<number[]>>()
  expectTypeOf(pool.starmap(remote.hypot, [[3, 4]])).toEqualTypeOf<Promise<number[]>>()
  expectTypeOf(pool.map(remote.sleep, [1])).toEqualTypeOf<Promise<number[]>>()
  // @ts-expect-error a typo
  void pool.map(remote.sqare, [1])
  // @ts-expect-error a wrong item type
  void pool.map(remote.square, ['1'])
  // @ts-expect-error a reference has no implementation to call
  remote.square(2)
})

describe('mistakes', () => {
  test('a wrong item', () => {
    // @ts-expect-error
    void pool.map(tasks.square, ['1'])
    // @ts-expect-error
    void pool.mapAsync(tasks.square, [undefined])
    // @ts-expect-error
    void pool.imap(tasks.square, ['1'])
    // @ts-expect-error
    void pool.imapUnordered(tasks.square, new Set(['1']))
    // @ts-expect-error
    void pool.apply(tasks.square, ['1'])
    // @ts-expect-error a missing argument
    void pool.apply(tasks.square)
    // @ts-expect-error one argument too many
    void pool.apply(tasks.square, [1, 2])
  })

  test('a typo in the name of a task', () => {
    // @ts-expect-error
    void pool.map(tasks.sqare, [1])
  })

  test('a function that is no task', () => {
    // @ts-expect-error
    void pool.map((x: number) => x, [1])
    // @ts-expect-error
    void pool.apply(Math.hypot, [3, 4])
    // @ts-expect-error
    void pool.imap(async (x: number) => x, [1])
    // @ts-expect-error
    new Pool({ initializer: () => undefined })
  })

  test('a task of two arguments in map', () => {
    // @ts-expect-error
    void pool.map(tasks.hypot, [1])
    // @ts-expect-error
    void pool.map(tasks.hypot, [[1, 2]])
    // @ts-expect-error
    void pool.imap(tasks.hypot, [[1, 2]])
  })

  test('argument lists that do not fit', () => {
    // @ts-expect-error too short
    void pool.starmap(tasks.hypot, [[1]])
    // @ts-expect-error too long
    void pool.starmap(tasks.hypot, [[1, 2, 3]])
    // @ts-expect-error of a wrong type
    void pool.starmap(tasks.hypot, [[1, '2']])
    // @ts-expect-error not lists
    void pool.starmap(tasks.hypot, [1, 2])
  })

  test('an unknown option', () => {
    // @ts-expect-error
    void pool.map(tasks.square, [1], { chunksize: 2 })
    // @ts-expect-error callbacks are for the calls that do not wait
    void pool.map(tasks.square, [1], { callback: () => undefined })
    // @ts-expect-error
    void pool.imap(tasks.square, [1], { buffersize: 2 })
    // @ts-expect-error
    new Pool({ procesess: 2 })
    // @ts-expect-error
    new Pool({ processes: '2' })
    // @ts-expect-error
    new Pool('2')
  })

  test('options in the place of kwds', () => {
    // @ts-expect-error
    void pool.apply(tasks.nothing, [], { timeout: 300 })
    // @ts-expect-error
    void pool.apply(tasks.square, [1], { retries: 1, signal: AbortSignal.abort() })
    // @ts-expect-error
    pool.applyAsync(tasks.square, [1], { callback: (value: number) => value })
    // @ts-expect-error
    pool.applyAsync(tasks.square, [1], { errorCallback: () => undefined, more: 1 })
    // @ts-expect-error
    pool.applyAsync(tasks.square, [1], {}, (value: number) => value)
    // @ts-expect-error
    pool.mapAsync(tasks.square, [1], 1, (value: number[]) => value)
    // @ts-expect-error
    new Pool(4, tasks.nothing, [])
    // @ts-expect-error
    void pool.join(5000)
    expectTypeOf(pool.apply(tasks.nothing, [], {})).toEqualTypeOf<Promise<undefined>>()
    expectTypeOf(pool.apply(tasks.nothing, [], { timeout: 3 }, {})).toEqualTypeOf<Promise<undefined>>()
    expectTypeOf(pool.apply(tasks.square, [1], undefined, { timeout: 3 })).toEqualTypeOf<Promise<number>>()
  })

  test('options of another library in a connection', () => {
    // @ts-expect-error
    new Pool({ connection: { url: 'redis://localhost' } })
    // @ts-expect-error
    new Pool({ connection: { socket: { host: 'localhost' } } })
    // @ts-expect-error
    new Pool({ connection: new URL('redis://localhost') })
  })

  test('an async input of map', () => {
    async function* numbers() {
      yield 1
    }
    // @ts-expect-error its length is not known: imap takes it
    void pool.map(tasks.square, numbers())
  })

  test('what is no task function in defineTasks', () => {
    // @ts-expect-error
    defineTasks('file:///tasks.js', 'tasks', { five: 5 })
    // @ts-expect-error
    defineTasks('file:///tasks.js', 'tasks', { perhaps: undefined as undefined | ((x: number) => number) })
    // @ts-expect-error
    defineTasks('file:///tasks.js', 'tasks')
    // @ts-expect-error
    defineTasks(new URL('file:///tasks.js'), 'tasks', {})
  })
})

test('versions of tasks', () => {
  const versioned = defineTasks('file:///tasks.js', 'versioned', { square: (x: number) => x * x }, { version: '2' })
  expectTypeOf(pool.apply(versioned.square, [2])).toEqualTypeOf<Promise<number>>()
  expectTypeOf(taskRefs<typeof versioned>('versioned', { version: '2' }).square).toEqualTypeOf(
    taskRefs<typeof versioned>('versioned').square,
  )
  // @ts-expect-error a variable that may not be set
  taskRefs<typeof versioned>('versioned', { version: process.env.VERSION })
  // @ts-expect-error a version is a text
  taskRefs<typeof versioned>('versioned', { version: 2 })
})

test('an InlinePool has no options that would have no effect', () => {
  void new InlinePool({ processes: 2, concurrency: 2, name: 'x', maxBytes: 2 ** 20 })
  // @ts-expect-error nothing replaces a process
  void new InlinePool({ processes: 2, maxTasksPerChild: 10 })
  // @ts-expect-error
  void new InlinePool({ processes: 2, maxMemoryPerChild: 1e9 })
  // @ts-expect-error
  void new InlinePool({ processes: 2, maxAgePerChild: 1000 })
  // @ts-expect-error it is the only producer
  void new InlinePool({ name: 'x', share: { weight: 2 } })
})
