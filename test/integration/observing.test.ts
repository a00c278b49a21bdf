// What a process can hear of itself: channels, and spans of a tracer.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { context, trace } from '@opentelemetry/api'
import { Pool } from '@poolmq/client'
import { durableId } from '@poolmq/shared'
import { afterEach, describe, expect, test } from 'vitest'
import { heard } from '../fixtures/dist/hearing-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { type SeenSpan, seenSpans, traced } from '../fixtures/dist/traced-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { redisUrl } from '../support/redis-database.js'
import { until } from '../support/until.js'

const ended: (() => void)[] = []
afterEach(() => {
  for (const end of ended.splice(0)) end()
})

/** All that is told on a channel from now on. */
function listen(name: string): Record<string, unknown>[] {
  const told: Record<string, unknown>[] = []
  const onMessage = (message: unknown) => void told.push(message as Record<string, unknown>)
  subscribe(name, onMessage)
  ended.push(() => unsubscribe(name, onMessage))
  return told
}

describe('channels in a producer', () => {
  test('a call that ends, one that fails, one that is cancelled', async () => {
    const [opened, closed] = [listen('poolmq:call:open'), listen('poolmq:call:end')]
    const name = uniqueName('observing')
    await using pool = new Pool({ name, connection: redisUrl(), processes: 1 })
    await pool.map(math.square, [1, 2, 3], 1)
    await pool.apply(math.failOn, [{ value: 1, bad: [1] }]).catch(() => undefined)
    const stop = new AbortController()
    const cancelled = pool.applyAsync(math.sleep, [60_000], undefined, { signal: stop.signal })
    stop.abort()
    await cancelled.wait()
    expect(opened).toEqual([
      { pool: name, call: expect.stringMatching(/^\w+\.0$/), method: 'map', task: 'math.square' },
      expect.objectContaining({ method: 'apply', task: 'math.failOn' }),
      expect.objectContaining({ method: 'applyAsync', task: 'math.sleep' }),
    ])
    expect(closed).toEqual([
      { ...opened[0], done: 3, failed: 0, duration: expect.any(Number) },
      { ...opened[1], done: 1, failed: 1, duration: expect.any(Number) },
      {
        ...opened[2],
        done: 0,
        failed: 0,
        duration: expect.any(Number),
        error: expect.objectContaining({ name: 'CancelledError' }),
      },
    ])
  })
})

describe('a durable call', () => {
  test('is told of by each process that passes its items, with its key and its run', async () => {
    const [opened, closed] = [listen('poolmq:call:open'), listen('poolmq:call:end')]
    const [name, key] = [uniqueName('observing'), uniqueName('key')]
    await using pool = new Pool({ name, connection: redisUrl(), processes: 1 })
    const items = [1, 2, 3].map((value) => ({ value, bad: [2] }))
    const options = { durable: key, chunkSize: 1 }
    await expect(pool.mapAsync(math.failOn, items, options).get()).rejects.toThrow()
    await pool.attach(key).wait()
    const about = { pool: name, durable: key, method: 'mapAsync', task: 'math.failOn' }
    const call = expect.stringMatching(new RegExp(`^${durableId(key)}\\.\\d+$`))
    expect(opened).toEqual([{ ...about, call }])
    expect(closed).toEqual([{ ...opened[0], done: 3, failed: 1, duration: expect.any(Number) }])
    // Joined, when it has ended; and run again.
    await pool.mapAsync(math.failOn, items, options).wait()
    await pool.mapAsync(math.failOn, items, { ...options, ifDone: 'rerun-failed' }).wait()
    expect(closed.map(({ done, failed }) => [done, failed])).toEqual([
      [3, 1],
      [3, 1],
      [3, 1],
    ])
    expect(opened[1]).toEqual(opened[0])
    expect(opened[2]?.call).not.toBe(opened[0]?.call)
    // One that another call has the key of was never begun.
    await pool.mapAsync(math.square, [1], options).wait()
    expect(opened).toHaveLength(3)
    const stop = new AbortController()
    const cancelled = pool.applyAsync(math.sleep, [60_000], undefined, { durable: `${key}-2`, signal: stop.signal })
    await until(
      'it has been begun',
      () => opened.length,
      (length) => length === 4,
    )
    stop.abort()
    await cancelled.wait()
    expect(closed.at(-1)).toMatchObject({ method: 'applyAsync', done: 0, error: { name: 'CancelledError' } })
    for (const one of [key, `${key}-2`]) await pool.attach(one).forget()
  })

  test('is a span of who began it, with a child for each chunk; one that was left has not failed', async () => {
    const [name, key] = [uniqueName('observing'), uniqueName('key')]
    await using other = new Pool({ name, connection: redisUrl(), processes: 1 })
    let there: SeenSpan[]
    {
      await using pool = new Pool({ name, connection: redisUrl() })
      await pool.mapAsync(traced.work, [1, 2], { durable: key, chunkSize: 2 })
      there = await other.apply(traced.spans)
      const held = pool.applyAsync(math.sleep, [60_000], undefined, { durable: `${key}-2` })
      await held.info()
    }
    const [call] = seenSpans().filter((span) => span.name === 'mapAsync traced.work') as [SeenSpan]
    const left = seenSpans().findLast((span) => span.name === 'applyAsync math.sleep')
    const [chunk] = there.filter((span) => span.name === 'chunk traced.work') as [SeenSpan]
    expect(call).toMatchObject({ kind: 3, failed: false, attributes: { 'poolmq.items': 2, 'poolmq.items.failed': 0 } })
    expect(chunk).toMatchObject({ kind: 4, trace: call.trace, parent: call.span, links: [call.span] })
    expect(left).toMatchObject({ failed: false, attributes: { 'poolmq.items': 0 } })
    for (const one of [key, `${key}-2`]) await other.attach(one).forget()
  })
})

test('channels in a worker process: chunks and items, with what became of them', async () => {
  const name = uniqueName('observing')
  await using pool = new Pool({ name, connection: redisUrl(), processes: 1 })
  await pool.apply(heard.listen)
  await pool
    .imap(heard.failOn, [1, 2, 3], { chunkSize: 3 })
    .next()
    .catch(() => undefined)
  await pool.map(heard.square, [4, 5], 2)
  const told = await pool.apply(heard.told)
  const chunks = told.filter(([channel]) => channel === 'poolmq:chunk:take').map(([, event]) => event)
  expect(chunks.map((event) => event.task)).toEqual(['heard.failOn', 'heard.square', 'heard.told'])
  expect(chunks[0]).toEqual({ pool: name, chunk: expect.stringMatching(/^\w+\.1\.0$/), task: 'heard.failOn' })
  const items = told.filter(([channel]) => channel === 'poolmq:item:end').map(([, event]) => event)
  expect(items.map((event) => [event.task, event.offset, event.outcome])).toEqual([
    ['heard.listen', 0, 'ok'],
    ['heard.failOn', 0, 'ok'],
    ['heard.failOn', 1, 'failed'],
    ['heard.failOn', 2, 'ok'],
    ['heard.square', 0, 'ok'],
    ['heard.square', 1, 'ok'],
  ])
  for (const event of items) expect(event.duration).toBeGreaterThanOrEqual(0)
})

describe('tracing', () => {
  test('one trace: the caller’s span, the call’s, the chunk’s, and what the task made', async () => {
    await using pool = new Pool(1)
    const outer = trace.getTracer('test').startSpan('request')
    await context.with(trace.setSpan(context.active(), outer), () => pool.map(traced.work, [1, 2], 2))
    outer.end()
    await pool.map(traced.work, [-1], 1).catch(() => undefined)
    const there = await pool.apply(traced.spans)
    const named = (spans: readonly SeenSpan[], name: string) => spans.filter((span) => span.name === name)
    const [call, failedCall] = named(seenSpans(), 'map traced.work') as [SeenSpan, SeenSpan]
    const [chunk, failedChunk] = named(there, 'chunk traced.work') as [SeenSpan, SeenSpan]
    const [inside] = named(there, 'inside 1') as [SeenSpan]
    const id = outer.spanContext()
    expect(call).toMatchObject({ kind: 3, trace: id.traceId, parent: id.spanId, failed: false })
    expect(call.attributes).toMatchObject({ 'poolmq.task': 'traced.work', 'poolmq.items': 2, 'poolmq.items.failed': 0 })
    expect(chunk).toMatchObject({ kind: 4, trace: id.traceId, parent: call.span, links: [call.span], failed: false })
    expect(inside).toMatchObject({ trace: id.traceId, parent: chunk.span })
    expect(failedCall).toMatchObject({ failed: true, parent: undefined })
    expect(failedCall.trace).not.toBe(call.trace)
    expect(failedChunk).toMatchObject({ failed: true, trace: failedCall.trace, parent: failedCall.span })
  })
})
