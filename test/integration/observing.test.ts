// What a process can hear of itself: channels, and spans of a tracer.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { context, trace } from '@opentelemetry/api'
import { Pool } from '@poolmq/client'
import { afterEach, describe, expect, test } from 'vitest'
import { heard } from '../fixtures/dist/hearing-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { type SeenSpan, seenSpans, traced } from '../fixtures/dist/traced-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { redisUrl } from '../support/redis-database.js'

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
