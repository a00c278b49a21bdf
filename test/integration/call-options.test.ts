// The options that PoolMQ adds to Python's calls: signal, timeout, retries, priority, onProgress, bufferSize, istarmap.
import { CancelledError, Pool, type Progress, TaskTimeoutError, taskRefs } from '@poolmq/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { optional } from '../fixtures/dist/option-tasks.js'
import { Scratch } from '../support/latch.js'

let pool: Pool
beforeAll(async () => {
  pool = new Pool(2)
  await pool.apply(math.none)
})
afterAll(() => pool.terminate())

async function bothProcesses(): Promise<number[]> {
  using meeting = new Scratch()
  const item = { directory: meeting.directory, count: 2 }
  return (await pool.map(latches.meet, [item, item], 1)).sort((a, b) => a - b)
}

describe('signal', () => {
  test('cancels what runs and what waits, with the reason as the cause', async () => {
    using scratch = new Scratch()
    const controller = new AbortController()
    const started = scratch.latch('started')
    const spinning = pool.mapAsync(latches.spin, new Array(6).fill(started.path), {
      chunkSize: 1,
      signal: controller.signal,
    })
    await started.opened()
    controller.abort(new Error('enough'))
    const error = await spinning.get().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(CancelledError)
    expect((error as CancelledError).cause).toEqual(new Error('enough'))
    // The seats are free again, although their tasks would have spun for ever.
    expect(await pool.map(math.square, [1, 2, 3, 4], 1)).toEqual([1, 4, 9, 16])
  })

  // Its process is killed if it does not end within half a second, which one that the machine does not run can miss.
  test('reaches a task that listens, and its process lives on', { retry: 2 }, async () => {
    using scratch = new Scratch()
    const before = await bothProcesses()
    const [started, ended] = [scratch.latch('started'), scratch.latch('ended')]
    const controller = new AbortController()
    const call = pool.applyAsync(optional.untilAborted, [started.path, ended.path], undefined, {
      signal: controller.signal,
    })
    await started.opened()
    controller.abort()
    await expect(call).rejects.toBeInstanceOf(CancelledError)
    await ended.opened()
    expect(await bothProcesses()).toEqual(before)
  })

  test('that is aborted already rejects at once', async () => {
    await expect(pool.map(math.square, [1], { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(CancelledError)
  })

  test('leaves no listener behind', async () => {
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    for (let i = 0; i < 5; i++) await pool.map(math.square, [i], { signal })
    expect(listeners).toBe(0)
  })
})

describe('timeout', () => {
  test.each(['busy', 'sleep'] as const)('ends a task that does not end by itself: %s', async (name) => {
    const task = taskRefs<Record<typeof name, (ms: number) => number>>('math')[name]
    const error = await pool.apply(task, [60_000], undefined, { timeout: 100 }).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(TaskTimeoutError)
    expect(error).toMatchObject({ code: 'ERR_POOL_TASK_TIMEOUT', timeout: 100 })
  })

  test('is each item’s own, and its neighbours are delivered', async () => {
    const results = pool.imap(math.busy, [0, 60_000, 0, 1], { timeout: 1000, chunkSize: 4 })
    expect((await results.next()).value).toBe(0)
    await expect(results.next()).rejects.toBeInstanceOf(TaskTimeoutError)
    expect((await results.next()).value).toBe(0)
    expect((await results.next()).value).toBe(1)
    expect((await results.next()).done).toBe(true)
  })

  test('does not count the wait in the queue', async () => {
    using scratch = new Scratch()
    const go = scratch.latch('go')
    const held = [0, 1].map((value) => ({ started: scratch.latch(`started-${value}`), value }))
    const holding = held.map(({ started, value }) =>
      pool.applyAsync(latches.hold, [{ started: started.path, go: go.path, value }]),
    )
    for (const { started } of held) await started.opened()
    const waiting = pool.applyAsync(math.square, [3], undefined, { timeout: 1000 })
    await waiting.wait(1500)
    expect(waiting.ready()).toBe(false)
    go.open()
    expect(await waiting).toBe(9)
    expect(await Promise.all(holding)).toEqual([0, 1])
  })
})

describe('retries', () => {
  test('try an item again, as often as asked', async () => {
    using scratch = new Scratch()
    const log = scratch.log('tries')
    const flaky = (times: number) => ({ log: log.path, fails: times })
    expect(await pool.apply(optional.flaky, [flaky(2)], undefined, { retries: 2, retryDelay: 1 })).toBe(3)
    expect(log.lines).toEqual(['1', '2', '3'])
  })

  test('end with the task’s own error', async () => {
    using scratch = new Scratch()
    const log = scratch.log('tries')
    const call = pool.apply(optional.flaky, [{ log: log.path, fails: 9 }], undefined, { retries: 2, retryDelay: 1 })
    await expect(call).rejects.toMatchObject({ name: 'RangeError', code: 'E_FLAKY' })
    expect(log.lines).toEqual(['1', '2', '3'])
  })

  test.each([
    [['E_FLAKY'], 3],
    [['RangeError'], 3],
    [['TypeError', 'E_OTHER'], 1],
  ])('are for the errors that were named: %j', async (retryIf, tries) => {
    using scratch = new Scratch()
    const log = scratch.log('tries')
    const options = { retries: 2, retryDelay: 1, retryIf }
    await expect(pool.apply(optional.flaky, [{ log: log.path, fails: 9 }], undefined, options)).rejects.toThrow('flaky')
    expect(log.lines.length).toBe(tries)
  })

  test('are not made unless asked for', async () => {
    using scratch = new Scratch()
    const log = scratch.log('tries')
    await expect(pool.apply(optional.flaky, [{ log: log.path, fails: 1 }])).rejects.toThrow('flaky')
    expect(log.lines).toEqual(['1'])
  })
})

test('priority: what is more urgent runs first', async () => {
  await using single = new Pool(1)
  using scratch = new Scratch()
  const [started, go] = [scratch.latch('started'), scratch.latch('go')]
  const first = single.applyAsync(latches.hold, [{ started: started.path, go: go.path, value: 0 }])
  await started.opened()
  const order: string[] = []
  const later = (name: string, priority: number) =>
    single.applyAsync(math.identity, [name], undefined, { priority, callback: () => order.push(name) })
  const calls = [later('low', 9), later('high', 1), later('none', 0)]
  // All three wait in Redis before the seat is free: chunks are added in order, on one connection.
  const marker = single.applyAsync(math.identity, ['last'], undefined, { priority: 10 })
  await marker.wait(200)
  go.open()
  await Promise.all([first, marker, ...calls])
  expect(order).toEqual(['none', 'high', 'low'])
})

describe('onProgress', () => {
  test('tells of every chunk of a map', async () => {
    const seen: Progress[] = []
    await pool.map(math.square, [1, 2, 3, 4, 5], { chunkSize: 2, onProgress: (progress) => seen.push(progress) })
    expect(seen.map(({ done }) => done).at(-1)).toBe(5)
    expect(seen.length).toBe(3)
    expect(seen.every(({ total }) => total === 5)).toBe(true)
  })

  test('that throws fails the call, and the pool goes on', async () => {
    const fail = () => {
      throw new Error('no more')
    }
    await expect(pool.map(math.square, [1, 2, 3], { chunkSize: 1, onProgress: fail })).rejects.toThrow('no more')
    expect(await pool.apply(math.square, [3])).toBe(9)
  })

  test('that is async and throws fails the call, also at its last chunk', async () => {
    const fail = async () => {
      throw new Error('no more')
    }
    await expect(pool.map(math.square, [1], { onProgress: fail })).rejects.toThrow('no more')
    await expect(pool.apply(math.square, [1], undefined, { onProgress: fail })).rejects.toThrow('no more')
    const told: unknown[] = []
    const tell = { callback: () => told.push('value'), errorCallback: (error: unknown) => told.push(error) }
    const error = await pool.mapAsync(math.square, [1], { onProgress: fail, ...tell }).catch((thrown) => thrown)
    expect(told).toEqual([error])
    expect(error).toEqual(new Error('no more'))
    expect(await pool.map(math.square, [1, 2], { chunkSize: 1, onProgress: async () => undefined })).toEqual([1, 4])
  })
})

describe('bufferSize', () => {
  test('bounds what is read of the input ahead of the consumer', async () => {
    let read = 0
    function* numbers() {
      for (;;) yield read++
    }
    const results = pool.imap(math.identity, numbers(), { bufferSize: 3 })
    for (let i = 0; i < 10; i++) {
      expect((await results.next()).value).toBe(i)
      expect(read).toBeLessThanOrEqual(i + 1 + 3)
    }
    await results.return()
  })
})

test('istarmap and istarmapUnordered take argument lists', async () => {
  const pairs = [
    [3, 4],
    [5, 12],
    [8, 15],
  ] as [number, number][]
  const ordered: number[] = []
  for await (const value of pool.istarmap(math.hypot, pairs)) ordered.push(value)
  expect(ordered).toEqual([5, 13, 17])
  const unordered: number[] = []
  for await (const value of pool.istarmapUnordered(math.hypot, pairs, 2)) unordered.push(value)
  expect(unordered.sort((a, b) => a - b)).toEqual([5, 13, 17])
})

test.each([
  [{ timeout: 0 }, RangeError],
  [{ timeout: 'soon' }, TypeError],
  [{ retries: -1 }, RangeError],
  [{ retries: 1.5 }, RangeError],
  [{ retryDelay: 5 }, TypeError],
  [{ retries: 1, retryIf: 'TypeError' }, TypeError],
  [{ priority: 2 ** 21 }, RangeError],
  [{ signal: {} }, TypeError],
  [{ onProgress: 1 }, TypeError],
  [{ bufferSize: 4 }, TypeError],
  [{ timeOut: 4 }, TypeError],
])('refuses %j at the call', async (options, type) => {
  expect(() => pool.mapAsync(math.square, [1], options as never)).toThrow(type)
  await expect(pool.map(math.square, [1], options as never)).rejects.toThrow(type)
})

test('an object of options may be used, and changed, for the next call', async () => {
  const heard: string[] = []
  const options: { callback?: (value: number[]) => void; chunkSize: number } = { chunkSize: 1 }
  const handles = [1, 2, 3].map((n) => {
    options.callback = (value) => void heard.push(`${n}: ${value}`)
    return pool.mapAsync(math.square, [n], options)
  })
  options.chunkSize = -1
  await Promise.all(handles)
  expect(heard.sort()).toEqual(['1: 1', '2: 4', '3: 9'])
  class Defaults {
    #reads = 0
    get chunkSize() {
      return this.#reads++ === 0 ? 1 : -1
    }
  }
  expect(await pool.map(math.square, [1, 2], new Defaults())).toEqual([1, 4])
})
