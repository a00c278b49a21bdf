// The methods that give their results one by one: order, laziness, errors in their place, and leaving early.
import { type ImapResults, Pool, TimeoutError } from '@poolmq/client'
import { afterAll, describe, expect, test } from 'vitest'
import { context } from '../fixtures/dist/context-tasks.js'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { RedisDatabase } from '../support/redis-database.js'
import { until } from '../support/until.js'

const pool = new Pool(2)
afterAll(() => pool.terminate())

/** All that an iterator gives: errors as they are. */
async function all<T>(results: ImapResults<T>): Promise<unknown[]> {
  const seen: unknown[] = []
  for (;;) {
    try {
      const step = await results.next()
      if (step.done) return seen
      seen.push(step.value)
    } catch (error) {
      seen.push(error)
    }
  }
}

/** Two items, of which the first is held until `go`; the second has `ended` long before. */
function heldFirst(scratch: Scratch) {
  const item = (name: string, value: number) => {
    const go = scratch.latch(`go-${name}`)
    return { go, held: { started: scratch.latch(`started-${name}`).path, go: go.path, value } }
  }
  const [first, second] = [item('first', 1), item('second', 2)]
  second.go.open()
  return { items: [first.held, second.held], go: first.go }
}

describe('order', () => {
  test('imap gives results in input order, whatever ends first', async () => {
    using scratch = new Scratch()
    const { items, go } = heldFirst(scratch)
    const results = pool.imap(latches.hold, items)
    await scratch.latch('started-second').opened()
    await expect(results.next(50)).rejects.toThrow(TimeoutError)
    go.open()
    expect(await all(results)).toEqual([1, 2])
  })

  test('imapUnordered gives results as they end', async () => {
    using scratch = new Scratch()
    const { items, go } = heldFirst(scratch)
    const results = pool.imapUnordered(latches.hold, items)
    expect(await results.next()).toEqual({ done: false, value: 2 })
    go.open()
    expect(await all(results)).toEqual([1])
  })

  test('chunks are as large as asked', async () => {
    const items = new Array(5).fill(0)
    expect(await all(pool.imap(context.place, items))).toEqual([0, 0, 0, 0, 0])
    expect(await all(pool.imap(context.place, items, 2))).toEqual([0, 1, 0, 1, 0])
    expect((await all(pool.imapUnordered(context.place, items, { chunkSize: 3 }))).sort()).toEqual([0, 0, 1, 1, 2])
  })
})

describe('input', () => {
  const numbers = function* (count: number) {
    for (let i = 1; i <= count; i++) yield i
  }
  const later = async function* (count: number) {
    for (const i of numbers(count)) yield await Promise.resolve(i)
  }
  const squares = [1, 4, 9, 16, 25]

  test.each([
    ['an array', () => [1, 2, 3, 4, 5]],
    ['a generator', () => numbers(5)],
    ['an async generator', () => later(5)],
  ])('%s', async (_what, input) => {
    expect(await all(pool.imap(math.square, input()))).toEqual(squares)
    expect(await all(pool.imap(math.square, input(), 2))).toEqual(squares)
    expect((await all(pool.imapUnordered(math.square, input()))).sort((a, b) => Number(a) - Number(b))).toEqual(squares)
  })

  test('nothing', async () => {
    expect(await all(pool.imap(math.square, []))).toEqual([])
    expect(await pool.imapUnordered(math.square, later(0)).next()).toEqual({ done: true, value: undefined })
  })

  test('is read no further than bufferSize beyond what was taken', async () => {
    let read = 0
    const counted = function* () {
      for (;;) yield ++read
    }
    const results = pool.imap(math.square, counted(), { bufferSize: 3 })
    for (let taken = 1; taken <= 10; taken++) {
      expect((await results.next()).value).toBe(taken * taken)
      expect(read).toBeLessThanOrEqual(taken + 3)
    }
    await until(
      'the buffer is filled again',
      () => read,
      (count) => count === 13,
    )
    await results.return()
  })

  test('that throws: the results before it, its error, the end', async () => {
    const broken = async function* () {
      yield* numbers(3)
      throw new Error('no more input')
    }
    expect(await all(pool.imap(math.square, broken(), 2))).toEqual([1, 4, 9, new Error('no more input')])
  })
})

test("an item's error comes in its place, and iteration goes on, whatever the chunk size", async () => {
  const items = [1, 2, 3, 4, 5].map((value) => ({ value, bad: [2, 4] }))
  const expected = [1, new RangeError('bad 2'), 3, new RangeError('bad 4'), 5]
  expect(await all(pool.imap(math.failOn, items))).toEqual(expected)
  expect(await all(pool.imap(math.failOn, items, 3))).toEqual(expected)
  const unordered = await all(pool.imapUnordered(math.failOn, items, 2))
  expect(unordered.filter((value) => value instanceof RangeError)).toHaveLength(2)
  expect(unordered.filter((value) => typeof value === 'number').sort()).toEqual([1, 3, 5])
})

test('an error ends for await, with that error', async () => {
  const seen: number[] = []
  const loop = async () => {
    for await (const value of pool.imap(math.failOn, [
      { value: 1, bad: [2] },
      { value: 2, bad: [2] },
    ]))
      seen.push(value)
  }
  await expect(loop()).rejects.toThrow(new RangeError('bad 2'))
  expect(seen).toEqual([1])
})

describe.each(['imap', 'imapUnordered'] as const)('leaving %s early', (method) => {
  test('break ends the input, and lets the pool be joined', async () => {
    const leaving = new Pool(1)
    let cleaned = false
    const endless = async function* () {
      try {
        for (let i = 0; ; i++) yield i
      } finally {
        cleaned = true
      }
    }
    for await (const value of leaving[method](math.square, endless())) if (value >= 4) break
    await until('the generator is told to return', () => cleaned, Boolean)
    expect(await leaving.apply(math.square, [3])).toBe(9)
    leaving.close()
    await leaving.join()
  })

  test('await using ends the input, also behind an error of an item, which leaves the loop without', async () => {
    let cleaned = false
    const endless = function* () {
      try {
        for (let value = 0; ; value++) yield { value, bad: [2] }
      } finally {
        cleaned = true
      }
    }
    const seen: number[] = []
    const taking = async () => {
      await using results = pool[method](math.failOn, endless())
      for await (const value of results) seen.push(value)
    }
    await expect(taking()).rejects.toThrow(RangeError)
    await until('the generator is told to return', () => cleaned, Boolean)
    expect(seen.every((value) => value !== 2)).toBe(true)
  })

  test('through yield*: what the generator is given arrives, and the input ends', async () => {
    const ends = { return: false, throw: false }
    const endless = function* (how: keyof typeof ends) {
      try {
        for (;;) yield 2
      } finally {
        ends[how] = true
      }
    }
    async function* taking(how: keyof typeof ends): AsyncGenerator<number, number> {
      yield* pool[method](math.square, endless(how))
      return 0
    }
    const [returned, thrown] = [taking('return'), taking('throw')]
    expect(await returned.next()).toEqual({ done: false, value: 4 })
    expect(await returned.return(7)).toEqual({ done: true, value: 7 })
    await thrown.next()
    await expect(thrown.throw(new RangeError('given'))).rejects.toThrow('given')
    await until('both inputs have ended', () => ends.return && ends.throw, Boolean)
  })

  test('what waits is removed', async () => {
    using scratch = new Scratch()
    const name = uniqueName('leaving')
    await using redis = await RedisDatabase.open(0)
    const waits = () => redis.client.llen(`poolmq:{${name}}:chunks:wait`)
    const [log, started, go] = [scratch.log('ran'), scratch.latch('started'), scratch.latch('go')]
    await using single = new Pool({ name, processes: 1 })
    const running = single.applyAsync(latches.hold, [{ started: started.path, go: go.path, value: 0 }])
    await started.opened()
    const waiting = single[method](latches.notePid, [log.path, log.path, log.path], { bufferSize: 2 })
    await until('two chunks wait', waits, (length) => length === 2)
    await waiting.return()
    await until('no chunk waits', waits, (length) => length === 0)
    go.open()
    await running
    expect(await single.apply(math.square, [2])).toBe(4)
    expect(log.lines).toEqual([])
  })
})
