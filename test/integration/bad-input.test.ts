// What is wrong in the producer's own code is an error where it is written, and says what would be right. The methods that
// give a promise reject with it, all others throw it at the call.
import { defineTasks, Pool, PoolStateError, type TaskRef, ThreadPool } from '@poolmq/client'
import { afterAll, describe, expect, test } from 'vitest'
import { badInput } from '../fixtures/dist/bad-input-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'

const pool = new Pool(1)
afterAll(() => pool.terminate())

/** As JavaScript sees it: nothing is known of any argument. */
const untyped = pool as unknown as Record<string, (...args: unknown[]) => unknown>
const waiting = ['apply', 'map', 'starmap'] as const
const others = [
  'applyAsync',
  'mapAsync',
  'starmapAsync',
  'imap',
  'imapUnordered',
  'istarmap',
  'istarmapUnordered',
] as const
const methods = [...waiting, ...others]
const mapping = methods.filter((method) => !method.startsWith('apply'))

function thrown(call: () => unknown): Error {
  try {
    call()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

/** The error of a call, which must come in the way of its method. */
async function refusal(method: string, ...args: unknown[]): Promise<Error> {
  if (!waiting.includes(method as never)) return thrown(() => untyped[method]?.(...args))
  const promise = untyped[method]?.(...args)
  expect(promise).toBeInstanceOf(Promise)
  return (promise as Promise<unknown>).then(
    () => expect.unreachable(`${method} did not reject`),
    (error: Error) => error,
  )
}

describe.each(methods)('%s: what is no task', (method) => {
  function square(x: number): number {
    return x * x
  }

  test.each<[string, unknown, string]>([
    ['a plain function', square, 'the plain function square'],
    [
      'an anonymous function',
      (
        () => (x: number) =>
          x
      )(),
      'the plain function (anonymous)',
    ],
    ['null', null, 'null'],
    ['undefined', undefined, 'undefined'],
    ['a name', 'math.square', 'string'],
    ['an object', { id: 'math.square' }, 'object'],
  ])('%s', async (_what, task, described) => {
    const error = await refusal(method, task, [])
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(`got ${described}`)
    expect(error.message).toContain('defineTasks(import.meta.url')
  })
})

describe.each(mapping)('%s: arguments', (method) => {
  test.each([
    [0, RangeError],
    [-1, RangeError],
    [1.5, RangeError],
    [Number.NaN, RangeError],
    [Number.POSITIVE_INFINITY, RangeError],
    ['2', TypeError],
    [null, TypeError],
    [true, TypeError],
  ])('chunk size %s', async (chunkSize, kind) => {
    for (const options of [chunkSize, { chunkSize }]) {
      const error = await refusal(method, math.square, [1], options)
      expect(error).toBeInstanceOf(kind)
      expect(error.message).toMatch(/^chunkSize must be a whole number of at least 1, got /)
    }
  })

  test.each([
    ['chunksize', 'it is called chunkSize'],
    ['chunk_size', 'it is called chunkSize'],
    ['retry', 'known are signal, timeout'],
  ])('an unknown option: %s', async (name, hint) => {
    const error = await refusal(method, math.square, [1], { [name]: 2 })
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(`${method}: unknown option "${name}"; ${hint}`)
  })

  test.each<[string, () => object]>([
    ['an AbortSignal', () => new AbortController().signal],
    ['a Map', () => new Map([['chunkSize', 1]])],
    ['an empty array', () => []],
    ['a promise', () => Promise.resolve({ chunkSize: 1 })],
  ])('%s in the place of the options', async (_what, make) => {
    const error = await refusal(method, math.square, [1], make())
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(`${method}: options must be an object like { signal: … }, got `)
  })

  test.each<[string, unknown, string]>([
    ['a number', 5, 'got 5'],
    ['null', null, 'got null'],
    ['nothing', undefined, 'got undefined'],
    ['something like an array', { length: 1 }, 'Array.from(items)'],
    ['an object', { a: 1 }, 'Object.values(items)'],
    ['a promise of items', Promise.resolve([1]), 'await it first'],
    ['a generator function', function* () {}, 'call it'],
  ])('items that cannot be iterated: %s', async (_what, items, hint) => {
    const error = await refusal(method, math.square, items)
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toMatch(/items must be iterable/)
    expect(error.message).toContain(hint)
  })
})

test.each([
  ['map', 'imap'],
  ['mapAsync', 'imap'],
  ['starmap', 'istarmap'],
  ['starmapAsync', 'istarmap'],
])('%s of an async iterable names %s', async (method, other) => {
  async function* numbers() {
    yield 1
  }
  for (const items of [numbers(), new ReadableStream()]) {
    const error = await refusal(method, math.square, items)
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(`use ${other}`)
  }
})

describe('what gives a promise never throws at the call', () => {
  const broken = () => ({
    [Symbol.iterator]() {
      throw new RangeError('no iterator today')
    },
  })
  const chained = (call: () => Promise<unknown>) => call().catch((error: unknown) => error)

  test('with an input that throws', async () => {
    expect(await chained(() => pool.map(math.square, broken()))).toEqual(new RangeError('no iterator today'))
    expect(await chained(() => pool.starmap(math.hypot, broken()))).toEqual(new RangeError('no iterator today'))
    expect(thrown(() => pool.mapAsync(math.square, broken()))).toEqual(new RangeError('no iterator today'))
  })

  test('while the pool runs, and when it is closed', async () => {
    const closed = new Pool({ processes: 0, name: 'closed-at-once', connection: '/no/such.sock' })
    expect(await chained(() => closed.join())).toEqual(new PoolStateError('Pool is still running'))
    closed.close()
    for (const call of [
      () => closed.apply(math.none),
      () => closed.map(math.square, []),
      () => closed.map(5 as never, []),
      () => closed.starmap(math.hypot, []),
    ]) {
      expect(await chained(call)).toEqual(new PoolStateError('Pool not running'))
    }
    for (const call of [
      () => closed.applyAsync(math.none),
      () => closed.mapAsync(math.square, []),
      () => closed.starmapAsync(math.hypot, []),
      () => closed.imap(math.square, []),
      () => closed.istarmapUnordered(math.hypot, []),
    ]) {
      expect(thrown(call)).toEqual(new PoolStateError('Pool not running'))
    }
    expect(await chained(() => (closed.join as (...args: unknown[]) => Promise<void>)(5000))).toBeInstanceOf(TypeError)
    await closed.terminate()
  })

  test('with a time that is none', async () => {
    const handle = pool.applyAsync(math.square, [2])
    const results = pool.imap(math.square, [2])
    for (const time of ['5', Number.NaN, null, Object.create(null)]) {
      for (const call of [() => handle.get(time), () => handle.wait(time), () => results.next(time)]) {
        const error = await chained(call)
        expect(error).toBeInstanceOf(TypeError)
        expect((error as Error).message).toContain('timeout must be a number of milliseconds')
      }
    }
  })
})

const nothing = () => undefined

describe('options and callbacks in the place of something else', () => {
  test.each<[string, string, unknown[], string]>([
    ['options for kwds', 'apply', [[], { timeout: 300 }], 'apply(task, args, undefined, { timeout })'],
    ['several', 'applyAsync', [[], { retries: 1, priority: 2 }], '(task, args, undefined, { retries, priority })'],
    ['of another method', 'apply', [[], { chunkSize: 2 }], 'apply(task, [...args, { chunkSize }])'],
    ['a callback for kwds', 'applyAsync', [[1], { callback: nothing }], '(task, args, undefined, { callback })'],
    ['and something else', 'applyAsync', [[1], { errorCallback: nothing, x: 1 }], 'the fourth'],
    ['a listener', 'apply', [[1], { onProgress: nothing, x: 1 }], 'the fourth'],
    ['a callback for kwds, and options', 'applyAsync', [[1], { callback: nothing }, { retries: 1 }], 'the fourth'],
    ['options for args', 'apply', [{ timeout: 300 }], 'apply(task, [], undefined, { … })'],
    ['a number for options', 'apply', [[1], undefined, 5], 'options must be an object, got 5'],
    ['a text for kwds', 'apply', [[1], 'x'], 'kwds must be an object, got "x"'],
    ['no list for args', 'applyAsync', [5], 'args must be an array of arguments, got 5'],
    ["Python's callback", 'applyAsync', [[1], {}, nothing], '(task, args, undefined, { callback, errorCallback })'],
    ["Python's callbacks", 'applyAsync', [[1], {}, nothing, nothing], '{ callback, errorCallback }'],
    ['a callback after args', 'applyAsync', [[1], nothing], '{ callback, errorCallback }'],
    [
      'a callback of apply',
      'apply',
      [[1], {}, nothing],
      'applyAsync(task, args, undefined, { callback, errorCallback })',
    ],
    ['one too many', 'apply', [[1], {}, {}, 5], 'at most four arguments, got 5'],
    ['a callback of apply by name', 'apply', [[1], {}, { callback: nothing }], 'use applyAsync'],
    ["map's, Python's way", 'mapAsync', [[1], 1, nothing], 'mapAsync(task, items, { callback, errorCallback })'],
    [
      'both',
      'starmapAsync',
      [[[1]], undefined, nothing, nothing],
      'starmapAsync(task, items, { callback, errorCallback',
    ],
    ['for options', 'mapAsync', [[1], nothing], 'mapAsync(task, items, { callback, errorCallback })'],
    ['of map', 'map', [[1], nothing], 'mapAsync(task, items, { callback, errorCallback })'],
    ['of starmap by name', 'starmap', [[1], { callback: nothing }], 'use starmapAsync'],
    ['of imap', 'imap', [[1], 1, nothing], 'iterate over its results'],
    ['of imap by name', 'imapUnordered', [[1], { errorCallback: nothing }], 'iterate over its results'],
    ['options behind a chunk size', 'map', [[1], 2, { timeout: 5 }], 'at most three arguments, got 4'],
  ])('%s: %s', async (_what, method, args, hint) => {
    const error = await refusal(method, math.square, ...args)
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(hint)
  })

  test('kwds that are kwds', async () => {
    const given = (kwds: object) => pool.apply(badInput.last as TaskRef<(kwds: object) => object>, [], kwds)
    expect(await given({})).toEqual({})
    expect(await given({ timeout: 3, host: 'a' })).toEqual({ timeout: 3, host: 'a' })
    expect(await given({ callback: 'a name', host: 'a' })).toEqual({ callback: 'a name', host: 'a' })
    // With options behind them, they stand where they were meant to.
    expect(await pool.apply(badInput.last, [], { timeout: 3 }, {})).toEqual({ timeout: 3 })
    expect(await pool.apply(badInput.last, [{ timeout: 3 }])).toEqual({ timeout: 3 })
  })

  test.each([[Pool], [ThreadPool]])("%o, Python's way", (kind) => {
    const make = kind as unknown as new (...args: unknown[]) => Pool
    expect(() => new make(1, math.none, [1])).toThrow(
      /takes one argument, got 3.*Pool\(\{ processes, initializer, initArgs/,
    )
  })
})

describe('defineTasks', () => {
  const define = defineTasks as unknown as (...args: unknown[]) => unknown
  const url = import.meta.url
  test.each<[string, unknown[], string]>([
    ['no functions', [url, 'm'], 'got undefined; write defineTasks(import.meta.url, "m", { name: fn })'],
    ['null', [url, 'm', null], 'got null; write defineTasks('],
    ['a list', [url, 'm', [nothing]], 'got an array; write defineTasks('],
    ['a function', [url, 'm', nothing], 'got function; write defineTasks('],
    ['no function', [url, 'm', { five: 5 }], 'm.five must be a function, got number'],
    ['null for a function', [url, 'm', { none: null }], 'm.none must be a function, got null'],
    ['a relative path', ['./tasks.js', 'm', {}], 'pathToFileURL(path).href'],
    ['a path of Windows', ['C:\\app\\tasks.js', 'm', {}], 'pathToFileURL(path).href'],
    ['a URL object', [new URL(url), 'm', {}], 'write .href behind it'],
    ['nothing', [undefined, 'm', {}], '(in CommonJS __filename), got undefined'],
    ['the namespace first', ['m', url, {}], 'defineTasks(import.meta.url, "m", { … })'],
    ['only functions', [{ nothing }], 'got object'],
  ])('%s', (_what, args, hint) => {
    const error = thrown(() => define(...args))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(hint)
  })
})

describe('connection', () => {
  test.each<[string, unknown, string]>([
    ['url', { url: 'redis://example.com' }, "connection: 'redis://"],
    ['uri', { uri: 'redis://example.com' }, "connection: 'redis://"],
    ['an url that is not set', { url: undefined }, "connection: 'redis://"],
    ['hostname', { hostname: 'example.com' }, 'it is called host'],
    ['another case', { HOST: 'example.com' }, 'it is called host'],
    ['database', { host: 'example.com', database: 3 }, 'it is called db'],
    ['socket of node-redis', { socket: { host: 'example.com' } }, 'host and port'],
    ['nodes', { nodes: [{ host: 'example.com' }] }, 'cluster: [{ host, port }]'],
    ['of a cluster', { cluster: [{ host: 'example.com' }], password: 'x' }, 'connection.password is no option'],
    ['what nobody knows', { host: 'example.com', prot: 6380 }, 'connection.prot is no option of ioredis'],
    ['a list', [{ host: 'example.com' }], 'got an array'],
    ['a URL object', new URL('redis://example.com'), 'url.href'],
    ['a promise', Promise.resolve({}), 'await it first'],
    ['a client of another library', { sendCommand: nothing, duplicate: nothing, options: {} }, 'of another library'],
  ])('%s', (_what, connection, hint) => {
    const error = thrown(() => new Pool({ processes: 1, connection: connection as never }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain(hint)
  })
})

test.each([[0], [-1], [1.5], ['2'], [Number.NaN]])('bufferSize %s', async (bufferSize) => {
  for (const method of ['imap', 'imapUnordered']) {
    expect((await refusal(method, math.square, [1], { bufferSize })).message).toMatch(/^bufferSize must be /)
  }
})

test.each(['applyAsync', 'mapAsync', 'starmapAsync'])('%s: callbacks that are no function', async (method) => {
  const behind = method === 'applyAsync' ? [undefined] : []
  for (const name of ['callback', 'errorCallback', 'onProgress']) {
    const error = await refusal(method, math.square, [5], ...behind, { [name]: 'x' })
    expect(error).toEqual(new TypeError(`${name} must be a function, got "x"`))
  }
})

describe('options of a pool', () => {
  const named = (options: object) => () => new Pool(options)

  test.each<[string, unknown, typeof TypeError | typeof RangeError, RegExp]>([
    ['no process', 0, RangeError, /at least 1, got 0/],
    ['fewer than none', -3, RangeError, /at least 1, got -3/],
    ['half a process', 1.5, TypeError, /whole number, got 1.5/],
    ['not a number', Number.NaN, RangeError, /at least 1, got NaN/],
    ['a text', '3', TypeError, /whole number, got "3"/],
    ['null', null, TypeError, /whole number, got null/],
  ])('processes: %s', (_what, processes, kind, says) => {
    for (const make of [() => new Pool(processes as never), named({ processes })]) {
      expect(thrown(make)).toBeInstanceOf(kind)
      expect(make).toThrow(says)
    }
  })

  test.each([[0], [-1], [0.5], ['12'], [null]])('maxTasksPerChild: %s', (maxTasksPerChild) => {
    expect(named({ processes: 1, maxTasksPerChild })).toThrow(/maxTasksPerChild must be a positive integer/)
  })

  test('an initializer that is no task, its arguments that are no list', () => {
    expect(named({ initializer: nothing })).toThrow(/^initializer: expected a task.*defineTasks/)
    expect(named({ initializer: math.none, initArgs: 'x' })).toThrow(TypeError)
    expect(named({ initArgs: [1] })).toThrow(/initArgs without an initializer/)
  })

  test('one that is unknown', () => {
    expect(named({ processes: 1, maxtasksperchild: 2 })).toThrow(
      /unknown option "maxtasksperchild"; it is called maxTasksPerChild/,
    )
    expect(named({ initializer: math.none, initargs: [] })).toThrow(/it is called initArgs/)
    expect(named({ procesess: 1 })).toThrow(/unknown option "procesess"/)
    expect(named([])).toThrow(/Pool: options must be an object like { processes: … }, got \[\]/)
    expect(named(new Map([['processes', 1]]))).toThrow(/Pool: options must be an object like/)
  })

  test.each([[''], ['a b'], ['a:b'], ['{a}'], ['x'.repeat(101)], [5], [null]])('name: %s', (name) => {
    expect(named({ name })).toThrow(/name must be /)
  })
})

test('after all that, the pool works', async () => {
  expect(await pool.map(math.square as TaskRef<(x: number) => number>, [1, 2, 3])).toEqual([1, 4, 9])
})
