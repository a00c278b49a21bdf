// Reads lazily, within its bound, whatever the input does.
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { AutoSize, type ChunkSizer, fixedSize } from '../../../../packages/client/src/calls/chunk-sizer.js'
import { ImapFeeder } from '../../../../packages/client/src/calls/imap-feeder.js'

function feed(
  input: Iterable<unknown> | AsyncIterable<unknown>,
  options: { sizer?: ChunkSizer; bufferSize?: number; liftable?: boolean; chunks?: unknown[][] } = {},
) {
  const { chunks = [] } = options
  let ended: { chunks: number; items: number; error?: unknown } | undefined
  const feeder = new ImapFeeder({
    input,
    sizer: options.sizer ?? fixedSize(2),
    bufferSize: options.bufferSize ?? Number.POSITIVE_INFINITY,
    liftable: options.liftable ?? true,
    submit: (items) => {
      chunks.push(items)
    },
    onEnd: (count, items, ending) => {
      ended = { chunks: count, items, ...(ending && { error: ending.error }) }
    },
  })
  return { feeder, chunks, running: feeder.run(), ended: () => ended }
}

function* numbers(count = Number.POSITIVE_INFINITY) {
  for (let i = 0; i < count; i++) yield i
}

test('cuts the input into chunks, the last one short', async () => {
  const { chunks, running, ended } = feed(numbers(5))
  await running
  expect(chunks).toEqual([[0, 1], [2, 3], [4]])
  expect(ended()).toEqual({ chunks: 3, items: 5 })
})

test('an empty input ends at once', async () => {
  const { running, ended } = feed([])
  await running
  expect(ended()).toEqual({ chunks: 0, items: 0 })
})

describe('the bound', () => {
  test('holds until a chunk is taken', async () => {
    const { feeder, chunks } = feed(numbers(), { bufferSize: 2 })
    await sleep(0)
    expect(chunks.length).toBe(2)
    feeder.chunkTaken()
    await sleep(0)
    expect(chunks.length).toBe(3)
    feeder.stop()
  })

  test('is lifted by join when it is the default', async () => {
    const { feeder, running, ended } = feed(numbers(20), { bufferSize: 2 })
    await sleep(0)
    feeder.joined()
    await running
    expect(ended()?.items).toBe(20)
  })

  test('ends the input on close when it was asked for', async () => {
    const { feeder, running, ended } = feed(numbers(), { bufferSize: 2, liftable: false })
    await sleep(0)
    feeder.closed()
    await running
    expect(ended()).toEqual({ chunks: 2, items: 4 })
  })
})

test('what came before an error is not lost', async () => {
  const error = new Error('no more')
  function* failing() {
    yield* numbers(3)
    throw error
  }
  const { chunks, running, ended } = feed(failing())
  await running
  expect(chunks).toEqual([[0, 1], [2]])
  expect(ended()).toEqual({ chunks: 2, items: 3, error })
})

test('a stop lets the input clean up, and ends a feeder whose input is blocked', async () => {
  let left = false
  async function* blocked() {
    try {
      yield 1
      yield 2
      await new Promise(() => undefined)
    } finally {
      left = true
    }
  }
  const { feeder, running, chunks } = feed(blocked())
  await sleep(5)
  feeder.stop()
  await running
  expect(chunks).toEqual([[1, 2]])
  const { feeder: second, running: ended } = feed(
    (function* () {
      try {
        yield* numbers()
      } finally {
        left = true
      }
    })(),
    { bufferSize: 1 },
  )
  await sleep(0)
  second.stop()
  await ended
  expect(left).toBe(true)
})

test('with automatic sizes a slow input does not hold back what is there', async () => {
  const sizer = new AutoSize(2, undefined)
  for (let i = 0; i < 5; i++) sizer.observe(sizer.next(0), 0.001, 10)
  expect(sizer.next(0)).toBeGreaterThan(100)
  const chunks: unknown[][] = []
  /** Has the next item when the one before has been handed on. */
  async function* slow() {
    for (const item of [1, 2, 3]) {
      yield item
      while (chunks.length < item) await sleep(1)
    }
  }
  const { running } = feed(slow(), { sizer, chunks })
  await running
  expect(chunks).toEqual([[1], [2], [3]])
})

describe('steps are taken as the language takes them', () => {
  test.each<unknown>([[1], ['yes'], [{}]])('done: %j ends the input', async (done) => {
    let read = 0
    const input = { [Symbol.iterator]: () => ({ next: () => ({ done: read === 3 ? done : 0, value: read++ }) }) }
    const { chunks, running, ended } = feed(input as Iterable<unknown>)
    await running
    expect(chunks).toEqual([[0, 1], [2]])
    expect(ended()).toEqual({ chunks: 2, items: 3 })
  })

  test.each<[unknown, string]>([
    [5, '5'],
    ['abc', '"abc"'],
    [null, 'null'],
    [undefined, 'undefined'],
  ])('%j is no step: an error behind what came before', async (step, got) => {
    for (const form of [Symbol.iterator, Symbol.asyncIterator]) {
      let read = 0
      const next = () => (read < 3 ? { done: false, value: read++ } : step)
      const input: unknown = { [form]: () => ({ next: form === Symbol.iterator ? next : async () => next() }) }
      const { chunks, running, ended } = feed(input as Iterable<unknown>)
      await running
      expect(chunks).toEqual([[0, 1], [2]])
      expect(ended()?.error).toBeInstanceOf(TypeError)
      expect(String(ended()?.error)).toContain(`an object with done and value, or a promise of one, got ${got}`)
    }
  })
})
