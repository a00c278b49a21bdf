// The methods that give one value or one list: what comes back, what is thrown, what callbacks hear.
import {
  type AsyncResult,
  type Callbacks,
  Pool,
  PoolStateError,
  PoolTerminatedError,
  RemoteTraceback,
  TimeoutError,
} from '@poolmq/client'
import { afterAll, describe, expect, test } from 'vitest'
import { context } from '../fixtures/dist/context-tasks.js'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { Scratch } from '../support/latch.js'
import { NarrowRelay } from '../support/narrow-relay.js'

const pool = new Pool(2)
afterAll(() => pool.terminate())

const bad = (value: number) => ({ value, bad: [2, 5] })

describe('apply', () => {
  test('gives the result of a sync and of an async task', async () => {
    expect(await pool.apply(math.square, [7])).toBe(49)
    expect(await pool.apply(math.sleep, [1])).toBe(1)
    expect(await pool.apply(math.none)).toBeUndefined()
  })

  test('runs in a process that is neither this one nor a thread of it', async () => {
    const pid = await pool.apply(math.pid)
    expect(pid).not.toBe(process.pid)
    expect(await pool.apply(math.thread)).toBe(0)
  })

  test('passes kwds as the last argument', async () => {
    expect(await pool.apply(math.greet, ['Ada'])).toBe('Hello Ada')
    expect(await pool.apply(math.greet, ['Ada'], { greeting: 'Bye' })).toBe('Bye Ada')
    expect(await pool.applyAsync(math.greet, ['Ada'], { greeting: 'Bye' }).get()).toBe('Bye Ada')
  })

  test('rejects with what the task threw, and the remote trace as its cause', async () => {
    const error: unknown = await pool.apply(math.failOn, [bad(2)]).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({ name: 'RangeError', message: 'bad 2' })
    expect((error as Error).cause).toBeInstanceOf(RemoteTraceback)
    expect(String((error as Error).cause)).toContain('math-tasks')
  })
})

describe('map and starmap', () => {
  test('give the results in input order, whatever the chunk size', async () => {
    const items = Array.from({ length: 25 }, (_, i) => i)
    const squares = items.map((x) => x * x)
    expect(await pool.map(math.square, items)).toEqual(squares)
    for (const chunkSize of [1, 7, 25, 100]) expect(await pool.map(math.square, items, chunkSize)).toEqual(squares)
    expect(await pool.map(math.square, items, { chunkSize: 7 })).toEqual(squares)
    expect(await pool.mapAsync(math.square, items).get()).toEqual(squares)
  })

  test('cut the input as asked, and by default into four chunks a worker process', async () => {
    const items = new Array(10).fill(0)
    expect(await pool.map(context.place, items, 4)).toEqual([0, 1, 2, 3, 0, 1, 2, 3, 0, 1])
    expect(await pool.map(context.place, items)).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
    expect(
      await pool.starmap(
        context.place,
        items.map((x) => [x] as const),
        5,
      ),
    ).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4])
  })

  test('take what an instance of a class that extends Array iterates over, and run no constructor of it', async () => {
    class Named extends Array<number> {
      constructor(readonly title: string) {
        super()
        if (typeof title !== 'string') throw new TypeError('a list needs a title')
      }
    }
    const named = new Named('numbers')
    named.push(1, 2, 3, 4)
    expect(await pool.map(math.square, named, 2)).toEqual([1, 4, 9, 16])
    const own = Object.assign([1, 2], {
      *[Symbol.iterator]() {
        yield 5
      },
    }) as unknown as number[]
    expect(await pool.map(math.square, own)).toEqual([25])
    const lengthless = {
      get length(): number {
        throw new Error('it has no length')
      },
      *[Symbol.iterator]() {
        yield 6
      },
    }
    expect(await pool.map(math.square, lengthless)).toEqual([36])
    expect(await pool.imap(math.square, lengthless).next()).toEqual({ done: false, value: 36 })
  })

  test('take any iterable, and nothing', async () => {
    const three = function* () {
      yield* [1, 2, 3]
    }
    expect(await pool.map(math.square, three())).toEqual([1, 4, 9])
    expect(await pool.map(math.square, new Set([1, 2, 3]))).toEqual([1, 4, 9])
    expect(await pool.map(math.square, [])).toEqual([])
    expect(await pool.starmap(math.hypot, [])).toEqual([])
  })

  test('use every worker process', async () => {
    using scratch = new Scratch()
    const [a, b, go] = ['a', 'b', 'go'].map((name) => scratch.latch(name).path) as [string, string, string]
    const both = pool.mapAsync(
      latches.hold,
      [
        { started: a, go, value: 1 },
        { started: b, go, value: 2 },
      ],
      1,
    )
    await Promise.all([scratch.latch('a').opened(), scratch.latch('b').opened()])
    scratch.latch('go').open()
    expect(await both).toEqual([1, 2])
  })

  test('spread argument lists', async () => {
    expect(
      await pool.starmap(math.hypot, [
        [3, 4],
        [5, 12],
      ]),
    ).toEqual([5, 13])
    expect(await pool.starmapAsync(math.hypot, [[6, 8]], { chunkSize: 1 }).get()).toEqual([10])
  })

  test("reject with an item's error when all other chunks have run", async () => {
    using scratch = new Scratch()
    const log = scratch.log('ran')
    const calls = [0, 1, 2, 3].map((i) => [log.path, String(i)] as const)
    const noted = pool.starmapAsync(math.note, calls, 1)
    await expect(pool.map(math.failOn, [0, 1, 2, 3, 4, 5].map(bad), 6)).rejects.toThrow('bad 2')
    await expect(pool.starmap(math.failOn, [[bad(1)], [bad(5)]], 1)).rejects.toThrow(new RangeError('bad 5'))
    await noted
    expect(log.lines.map((line) => line.split(' ')[1]).sort()).toEqual(['0', '1', '2', '3'])
    expect(await pool.map(math.failOn, [1, 3].map(bad))).toEqual([1, 3])
  })

  test('reject with what the input throws', async () => {
    const broken = function* () {
      yield 1
      throw new Error('no more input')
    }
    await expect(pool.map(math.square, broken())).rejects.toThrow('no more input')
  })
})

describe('callbacks', () => {
  test('hear the very value that get gives, before the handle is ready', async () => {
    const heard: unknown[] = []
    const results: AsyncResult<unknown>[] = []
    const hear = (value: unknown) => void heard.push(value, results[0]?.ready())
    results.push(pool.mapAsync(math.square, [1, 2], { callback: hear, errorCallback: () => heard.push('never') }))
    const value = await results[0]?.get()
    expect(heard).toEqual([[1, 4], false])
    expect(heard[0]).toBe(value)
  })

  test.each([
    ['mapAsync', (options: Callbacks<unknown>) => pool.mapAsync(math.failOn, [bad(2)], options)],
    ['starmapAsync', (options: Callbacks<unknown>) => pool.starmapAsync(math.failOn, [[bad(2)]], options)],
    ['applyAsync', (options: Callbacks<unknown>) => pool.applyAsync(math.failOn, [bad(2)], undefined, options)],
  ])('of %s hear the very error that get throws, each time', async (_method, call) => {
    const heard: unknown[] = []
    const result = call({ callback: () => heard.push('never'), errorCallback: (error) => heard.push(error) })
    const error: unknown = await result.get().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(RangeError)
    expect(await result.get().catch((reason: unknown) => reason)).toBe(error)
    expect(heard).toHaveLength(1)
    expect(heard[0]).toBe(error)
  })

  test('of applyAsync hear its value', async () => {
    const heard: number[] = []
    const result = pool.applyAsync(math.square, [3], undefined, { callback: (value) => heard.push(value) })
    expect(await result).toBe(9)
    expect(heard).toEqual([9])
  })
})

test('AsyncResult: not ready, not in time, then ready', async () => {
  using scratch = new Scratch()
  const [started, go] = [scratch.latch('started'), scratch.latch('go')]
  const result = pool.applyAsync(latches.hold, [{ started: started.path, go: go.path, value: 5 }])
  await started.opened()
  expect(result.ready()).toBe(false)
  expect(() => result.successful()).toThrow(PoolStateError)
  await expect(result.get(0)).rejects.toThrow(TimeoutError)
  await expect(result.get(20)).rejects.toMatchObject({ code: 'ERR_POOL_TIMEOUT' })
  expect(await result.wait(20)).toBeUndefined()
  go.open()
  await result.wait()
  expect([result.ready(), result.successful(), await result.get(0), await result]).toEqual([true, true, 5, 5])

  const failed = pool.applyAsync(math.failOn, [bad(2)])
  await failed.wait()
  expect([failed.ready(), failed.successful()]).toEqual([true, false])
})

describe('the end of a pool', () => {
  test('close and join: what was submitted runs, nothing more is taken', async () => {
    const closed = new Pool(1)
    await expect(closed.join()).rejects.toThrow(new PoolStateError('Pool is still running'))
    const result = closed.mapAsync(math.square, [1, 2, 3], 1)
    closed.close()
    await expect(closed.apply(math.none)).rejects.toThrow(new PoolStateError('Pool not running'))
    expect(() => closed.imap(math.square, [])).toThrow(new PoolStateError('Pool not running'))
    await closed.join()
    expect(result.ready()).toBe(true)
    expect(await result).toEqual([1, 4, 9])
  })

  test('terminate: what runs is stopped, what is pending rejects', async () => {
    using scratch = new Scratch()
    const started = scratch.latch('started')
    const terminated = new Pool(1)
    const results = [terminated.applyAsync(latches.spin, [started.path]), terminated.mapAsync(math.square, [1], 1)]
    await started.opened()
    const [pending] = [terminated.imap(math.square, [1]).next()]
    const gone = terminated.terminate()
    for (const result of results) {
      await expect(result.get(1000)).rejects.toThrow(PoolTerminatedError)
      expect([result.ready(), result.successful()]).toEqual([true, false])
    }
    await expect(pending).rejects.toThrow(PoolTerminatedError)
    await gone
    await terminated.join()
    await expect(terminated.map(math.square, [])).rejects.toThrow('Pool not running')
  })

  test.each([
    ['terminate', 4400], // at once, before they have given up
    ['join', 20_000], // when they have given up, after 5 s
  ] as const)('%s returns while the worker processes are still connecting', { retry: 2 }, async (how, limit) => {
    await using relay = await NarrowRelay.start()
    const starting = new Pool({ processes: 1, connection: relay.url })
    await relay.holds(2) // the pool's own second connection, and its supervisor's first
    const began = performance.now()
    if (how === 'join') starting.close()
    await starting[how]()
    expect(performance.now() - began).toBeLessThan(limit)
  })

  test('await using: terminates, unless the pool was closed', async () => {
    let [left, kept]: AsyncResult<unknown>[] = []
    {
      await using dropped = new Pool(1)
      await using closed = new Pool(1)
      left = dropped.applyAsync(math.sleep, [60_000])
      kept = closed.applyAsync(math.square, [2])
      closed.close()
    }
    await expect(left.get(0)).rejects.toThrow(PoolTerminatedError)
    expect(await kept.get(0)).toBe(4)
  })
})
