// Functions of the user's that a pool calls: in whose context they run, what they may throw, and what they cannot wait for.
import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AsyncResult, NestedPoolError, Pool, PoolTerminatedError, type TaskRef, ThreadPool } from '@poolmq/client'
import { afterAll, describe, expect, test } from 'vitest'
import { entering } from '../fixtures/dist/entering-tasks.js'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { throwing, thrown } from '../fixtures/dist/thrown-tasks.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'

const request = new AsyncLocalStorage<string>()
const pool = request.run('the start', () => new Pool(2))
const threads = new ThreadPool(1)
afterAll(async () => {
  await Promise.all([pool.terminate(), threads.terminate()])
})

const bad = { value: 2, bad: [2] }
const nothing = () => undefined

/** Resolves with what `start` reports. */
function reported<T>(start: (report: (value: T) => void) => unknown): Promise<T> {
  return new Promise((resolve) => void start(resolve))
}

describe('run in the context of the call', () => {
  type Report = (store: string | undefined) => void
  const after = async (first: PromiseLike<unknown>, then: () => void) => {
    await first
    then()
  }
  const tell = (report: Report) => () => report(request.getStore())

  test.each<[string, (report: Report) => unknown]>([
    ['callback of applyAsync', (told) => pool.applyAsync(math.square, [1], undefined, { callback: tell(told) })],
    ['callback of mapAsync', (told) => pool.mapAsync(math.square, [1, 2], { callback: tell(told) })],
    ['callback of an empty mapAsync', (told) => pool.mapAsync(math.square, [], { callback: tell(told) })],
    ['errorCallback', (told) => pool.starmapAsync(math.failOn, [[bad]], { errorCallback: tell(told) })],
    [
      'errorCallback of an input that cannot be encoded',
      (told) => pool.mapAsync(math.identity, [nothing], { errorCallback: tell(told) }),
    ],
    ['onProgress of map', (told) => pool.map(math.square, [1], { onProgress: tell(told) })],
    ['onProgress of imap', (told) => pool.imap(math.square, [1], { onProgress: tell(told) })],
    [
      'a callback after an await of its own',
      (told) => pool.applyAsync(math.square, [1], undefined, { callback: () => sleep(1).then(tell(told)) }),
    ],
    [
      'who hears of the end of a call',
      (told) => {
        const hear = (message: unknown) => {
          if ((message as { task: string }).task !== 'math.greet') return
          const store = request.getStore()
          if (store === expected) told(store)
        }
        const expected = request.getStore()
        subscribe('poolmq:call:end', hear)
        return pool.applyAsync(math.greet, ['Ada']).wait()
      },
    ],
    ['what awaits a handle', (told) => pool.applyAsync(math.square, [1]).then(tell(told))],
    ['what awaits a handle as it is', (told) => after(pool.applyAsync(math.none), tell(told))],
    ['what waits for a time', (told) => pool.applyAsync(math.square, [1]).wait(60_000).then(tell(told))],
    ['what awaits an item', (told) => after(pool.imap(math.square, [1]).next(), tell(told))],
    [
      'the input of an imap',
      (told) => {
        let read = 0
        function* input() {
          for (; read < 40; read++) yield read
          told(request.getStore())
        }
        return (async () => {
          for await (const _ of pool.imap(math.square, input(), { bufferSize: 1 }));
        })()
      },
    ],
    [
      'the end of an input that is left',
      async (told) => {
        async function* input() {
          try {
            for (;;) yield 1
          } finally {
            told(request.getStore())
          }
        }
        for await (const _ of pool.imap(math.square, input(), { bufferSize: 1 })) break
      },
    ],
    [
      'a getter of an item',
      (told) =>
        pool.imap(
          math.identity,
          (function* () {
            for (let i = 0; i < 20; i++) yield i
            yield {
              get x() {
                told(request.getStore())
                return 1
              },
            }
          })(),
          { bufferSize: 1 },
        ),
    ],
  ])('%s', async (_what, start) => {
    const stores = ['A', 'B'].map((store) =>
      request.run(store, () =>
        reported<string | undefined>((report) => {
          const started = start(report)
          // Somebody takes the results, in another context.
          request.run('somebody else', () => void drain(started))
        }),
      ),
    )
    expect(await Promise.all(stores)).toEqual(['A', 'B'])
  })

  async function drain(started: unknown): Promise<void> {
    if (typeof (started as { next?: unknown } | undefined)?.next !== 'function') return
    for await (const _ of started as AsyncIterable<unknown>);
  }

  test('of a call that another request cancels, or ends with its pool', async () => {
    const controller = new AbortController()
    const cancelled = request.run('A', () =>
      reported<string | undefined>((report) =>
        pool.mapAsync(math.sleep, [60_000], { signal: controller.signal, errorCallback: tell(report) }),
      ),
    )
    request.run('B', () => controller.abort())
    expect(await cancelled).toBe('A')
  })

  test('of calls whose callbacks stand behind one another', async () => {
    const seen: (string | undefined)[] = []
    const calls = ['A', 'B', 'C'].map((store) =>
      request.run(store, () =>
        pool.applyAsync(math.square, [1], undefined, {
          callback: async () => {
            await sleep(1)
            seen.push(request.getStore())
          },
        }),
      ),
    )
    await Promise.all(calls)
    expect(seen.sort()).toEqual(['A', 'B', 'C'])
  })

  test.each([
    ['processes', () => pool],
    ['threads', () => threads],
  ])('of their item, in %s: what a task enters is not seen by the next', async (_what, of) => {
    const tasks: TaskRef<(item: number) => unknown>[] = [entering.enter, entering.enterLater, entering.enterThenFail]
    for (const task of tasks) {
      const seen: unknown[] = []
      const results = of().imap(task, [1, 2, 3, 4, 5, 6], 3)
      for (let i = 0; i < 6; i++) {
        seen.push(
          await results.next().then(
            ({ value }) => value,
            (error: Error) => error.message,
          ),
        )
      }
      expect(seen).toEqual(new Array(6).fill('nobody'))
    }
    expect(await of().map(entering.kept, [0, 1, 2], 3)).toEqual([[0], [0, 1], [0, 1, 2]])
  })
})

describe('may throw anything', () => {
  test.each(Object.keys(thrown))('%s', async (name) => {
    const what = thrown[name]?.()
    const fail = () => {
      throw what
    }
    const later = async () => {
      await null
      throw what
    }
    const handles = [fail, later].flatMap((callback): AsyncResult<unknown>[] => [
      pool.applyAsync(math.square, [1], undefined, { callback }),
      pool.mapAsync(math.square, [1], { callback }),
      pool.mapAsync(math.square, [1], { onProgress: callback }),
      pool.mapAsync(math.failOn, [bad], { errorCallback: callback }),
      pool.mapAsync(math.square, [1], { onProgress: fail, errorCallback: callback }),
    ])
    for (const [i, handle] of handles.entries()) {
      // A promise of onProgress that rejects may be later than the result.
      if (i === 7) continue
      await handle.wait()
      expect(handle.successful()).toBe(false)
      const error = await handle.get().then(
        () => expect.unreachable(),
        (reason: unknown) => [reason],
      )
      expect(Object.is((error as unknown[])[0], what)).toBe(true)
    }
    // The tasks' own: whatever it was, an error comes back, also where it is to be tried again.
    const tasks: TaskRef<(name: string) => unknown>[] = [throwing.throw, throwing.reject]
    for (const task of tasks) {
      await expect(pool.apply(task, [name])).rejects.toBeInstanceOf(Error)
      await expect(
        pool.apply(task, [name], undefined, { retries: 1, retryDelay: 0, retryIf: ['E'] }),
      ).rejects.toBeInstanceOf(Error)
    }
    expect(await threads.apply(throwing.throwOnce, [name], undefined, { retries: 1, retryDelay: 0 })).toBe(1)
    expect(await pool.applyAsync(math.square, [2], undefined, { callback: nothing })).toBe(4)
  })

  test('what they return may throw as well', async () => {
    const returned = Promise.resolve()
    Object.assign(returned, {
      then: () => {
        throw new Error('then')
      },
    })
    for (const value of [returned, thrown.thenable?.()]) {
      const handle = pool.applyAsync(math.square, [2], undefined, { callback: () => value })
      await expect(handle.get()).rejects.toThrow(/then/)
    }
    for (const value of [thrown.revoked?.(), thrown.trapped?.()]) {
      const handle = pool.applyAsync(math.square, [2], undefined, { callback: () => value })
      await expect(handle.get()).rejects.toThrow(TypeError)
    }
    expect(await pool.applyAsync(math.square, [2], undefined, { callback: nothing })).toBe(4)
  })

  test("the task's own error stays behind that of its callback, where that one can hold it", async () => {
    const own = new Error('of the callback')
    const handle = pool.applyAsync(math.failOn, [bad], undefined, {
      errorCallback: () => {
        throw own
      },
    })
    await expect(handle.get()).rejects.toBe(own)
    expect(own.cause).toMatchObject({ message: 'bad 2' })
  })
})

describe('cannot wait for themselves', () => {
  // Two threads serve all the pools that are closed here.
  const name = uniqueName('self-wait')
  const host = new ThreadPool({ name, processes: 2 })
  afterAll(() => host.terminate())

  const refusal = expect.objectContaining({ name: 'NestedPoolError', code: 'ERR_POOL_NESTED' })

  /** Pools of their own, as they are closed; all at once, as each is waited for. */
  const cases: [string, (own: Pool, own2: () => AsyncResult<number>) => unknown][] = [
    [
      'close and join',
      async (own) => {
        own.close()
        await own.join()
      },
    ],
    [
      'join, returned',
      (own) => {
        own.close()
        return own.join()
      },
    ],
    [
      'join, some awaits later',
      async (own) => {
        await sleep(20)
        own.close()
        await Promise.all([own.join(), sleep(1)])
      },
    ],
    [
      'the end of a scope',
      async (own) => {
        own.close()
        await own[Symbol.asyncDispose]()
      },
    ],
    ['its own handle, awaited', async (_, handle) => await handle()],
    ['its own handle, got', (_, handle) => handle().get()],
    ['its own handle, waited for', (_, handle) => handle().wait()],
    [
      'a later handle with a callback',
      async (own) => await own.applyAsync(math.square, [3], undefined, { callback: nothing }),
    ],
    ['an errorCallback of a later handle', (own) => own.mapAsync(math.square, [3], { errorCallback: nothing }).get()],
  ]

  test('a wait that never ends is an error that says so; the pool goes on', async () => {
    await Promise.all(
      cases.map(async ([what, wait]) => {
        const own = new Pool({ name })
        const handle: AsyncResult<number> = own.applyAsync(math.square, [2], undefined, {
          callback: () => wait(own, () => handle),
        })
        const error = await handle.get().catch((reason: unknown) => reason)
        expect(error, what).toBeInstanceOf(NestedPoolError)
        expect(error, what).toEqual(refusal)
        expect((error as Error).message, what).toContain('a callback of the pool waits for')
        own.close()
        await own.join()
      }),
    )
  })

  test('a wait that ends is none', async () => {
    await using own = new Pool({ name })
    const ended: string[] = []
    const note = (what: string) => () => void ended.push(what)
    const call = (callback: () => unknown) => own.applyAsync(math.square, [2], undefined, { callback })
    // What has no callback does not stand behind this one.
    await call(async () => {
      ended.push(String(await own.applyAsync(math.square, [3])))
      ended.push(String(await own.apply(math.square, [4])))
      for await (const value of own.imap(math.square, [5])) ended.push(String(value))
    })
    expect(ended.splice(0)).toEqual(['9', '16', '25'])
    // Waits with a limit end.
    const limited: AsyncResult<number> = call(async () => {
      await limited.wait(10)
      await limited.get(10).catch((error: Error) => ended.push(error.name))
    })
    await limited
    expect(ended.splice(0)).toEqual(['TimeoutError'])
    // Other pools are other pools.
    await call(() => threads.applyAsync(math.square, [2], undefined, { callback: note('other') }).get())
    expect(ended.splice(0)).toEqual(['other'])
    // Begun in a callback, and not awaited by it: `.then`, and what goes on when it has ended.
    let chain: Promise<unknown> | undefined
    const begun: AsyncResult<number> = call(() => {
      chain = begun.then(note('then'))
    })
    await begun
    await chain
    let rest: Promise<unknown> | undefined
    await call(() => {
      rest = sleep(20).then(() => {
        own.close()
        return own.join()
      })
    })
    await rest
    expect(ended.splice(0)).toEqual(['then'])
  })

  test('join that is begun and not awaited, by a callback that takes its time', async () => {
    const own = new Pool({ name })
    let joined: Promise<void> | undefined
    const handle = own.applyAsync(math.square, [2], undefined, {
      callback: async () => {
        own.close()
        joined = own.join()
        await sleep(100)
      },
    })
    expect(await handle).toBe(4)
    await joined
  })

  test('join in a callback waits for what else there is', async () => {
    using scratch = new Scratch()
    const [started, go] = [scratch.latch('started'), scratch.latch('go')]
    const own = new Pool({ name })
    const held = own.applyAsync(latches.hold, [{ started: started.path, go: go.path, value: 5 }])
    await started.opened()
    let hasEnded = false
    const handle = own.applyAsync(math.square, [2], undefined, {
      callback: async () => {
        own.close()
        await own.join()
      },
    })
    void handle.wait().then(() => {
      hasEnded = true
    })
    await sleep(3000)
    expect(hasEnded).toBe(false)
    go.open()
    await expect(handle.get()).rejects.toEqual(refusal)
    expect(await held).toBe(5)
    await own.join()
  })

  test('terminate in a callback does not wait for it', async () => {
    const own = new Pool({ name })
    const handle = own.applyAsync(math.square, [2], undefined, { callback: () => own.terminate() })
    const error = await handle.get().catch((reason: unknown) => reason)
    // Told of its value already, or not at all.
    if (error !== 4) expect(error).toBeInstanceOf(PoolTerminatedError)
  })
})
