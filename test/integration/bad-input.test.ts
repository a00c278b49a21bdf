// What is wrong in the producer's own code is an error where it is written, and says what would be right.
import { Pool, type TaskRef } from '@poolmq/client'
import { afterAll, describe, expect, test } from 'vitest'
import { math } from '../fixtures/dist/math-tasks.js'

const pool = new Pool(1)
afterAll(() => pool.terminate())

/** As JavaScript sees it: nothing is known of any argument. */
const untyped = pool as unknown as Record<string, (...args: unknown[]) => unknown>
const methods = ['apply', 'applyAsync', 'map', 'mapAsync', 'starmap', 'starmapAsync', 'imap', 'imapUnordered'] as const
const mapping = methods.slice(2)

function thrown(call: () => unknown): Error {
  try {
    call()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
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
  ])('%s', (_what, task, described) => {
    const error = thrown(() => untyped[method]?.(task, []))
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
  ])('chunk size %s', (chunkSize, kind) => {
    for (const options of [chunkSize, { chunkSize }]) {
      const error = thrown(() => untyped[method]?.(math.square, [1], options))
      expect(error).toBeInstanceOf(kind)
      expect(error.message).toMatch(/^chunkSize must be a whole number of at least 1, got /)
    }
  })

  test('an unknown option', () => {
    const error = thrown(() => untyped[method]?.(math.square, [1], { chunksize: 2 }))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toMatch(/unknown option "chunksize".*chunkSize/)
  })

  test.each([[5], [null], [undefined], [{ length: 1 }]])('items that cannot be iterated: %s', (items) => {
    const error = thrown(() => untyped[method]?.(math.square, items))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toContain('items must be iterable')
  })
})

test.each([[0], [-1], [1.5], ['2'], [Number.NaN]])('bufferSize %s', (bufferSize) => {
  for (const method of ['imap', 'imapUnordered']) {
    expect(() => untyped[method]?.(math.square, [1], { bufferSize })).toThrow(/^bufferSize must be /)
  }
})

test('arguments of apply that are no list, kwds that are no object, callbacks that are no function', () => {
  for (const method of ['apply', 'applyAsync']) {
    expect(() => untyped[method]?.(math.square, 5)).toThrow(new TypeError('args must be an array of arguments, got 5'))
    expect(() => untyped[method]?.(math.square, [5], 'x')).toThrow(TypeError)
  }
  const message = 'callback must be a function, got "x"'
  expect(() => untyped.applyAsync?.(math.square, [5], undefined, { callback: 'x' })).toThrow(new TypeError(message))
  expect(() => untyped.mapAsync?.(math.square, [5], { callback: 'x' })).toThrow(new TypeError(message))
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
    expect(named({ initializer: () => undefined })).toThrow(/defineTasks/)
    expect(named({ initializer: math.none, initArgs: 'x' })).toThrow(TypeError)
    expect(named({ initArgs: [1] })).toThrow(/initArgs without an initializer/)
  })

  test('one that is unknown', () => {
    expect(named({ processes: 1, maxtasksperchild: 2 })).toThrow(/unknown option "maxtasksperchild".*maxTasksPerChild/)
    expect(named({ procesess: 1 })).toThrow(/unknown option "procesess"/)
  })

  test.each([[''], ['a b'], ['a:b'], ['{a}'], ['x'.repeat(101)], [5], [null]])('name: %s', (name) => {
    expect(named({ name })).toThrow(/name must be /)
  })
})

test('after all that, the pool works', async () => {
  expect(await pool.map(math.square as TaskRef<(x: number) => number>, [1, 2, 3])).toEqual([1, 4, 9])
})
