/**
 * The floor: what Redis and ioredis alone cost. A list in, a stream out, values as JSON; no leases, no redelivery, no
 * errors: a message whose worker dies is lost.
 */
import { Redis } from 'ioredis'
import { check, checkIdentities, serveJobs } from '../harness/contestant-process.js'
import { cut, numbers, texts } from '../harness/inputs.js'
import { forkWorkers } from './forked-workers.js'

const batch = 500

await serveJobs(async ({ processes }) => {
  const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379'
  const name = `bench-ioredis-${process.pid}`
  const redis = new Redis(url)
  const blocking = new Redis(url)
  const workers = forkWorkers(new URL('./ioredis-worker.js', import.meta.url), processes, name)
  await workers.started
  const waiting = new Map<string, (values: unknown[]) => void>()
  let closed = false
  let call = 0

  const read = async () => {
    for (let cursor = '0'; !closed; ) {
      const reply = await blocking.xread('COUNT', 256, 'BLOCK', 2000, 'STREAMS', `${name}:out`, cursor)
      for (const [id, fields] of reply?.[0]?.[1] ?? []) {
        cursor = id
        const head = fields[1] ?? ''
        waiting.get(head)?.(JSON.parse(fields[3] ?? '[]'))
        waiting.delete(head)
      }
      if (reply !== null) void redis.xtrim(`${name}:out`, 'MINID', cursor)
    }
  }
  read().catch((error: unknown) => {
    if (!closed) throw error
  })

  const run = async (chunks: readonly unknown[][], task: string): Promise<unknown[]> => {
    const prefix = `${task} ${call++}`
    const results: Promise<unknown[]>[] = []
    for (const group of cut(chunks, batch)) {
      const messages = group.map((items) => {
        const head = `${prefix}.${results.length}`
        results.push(new Promise((resolve) => waiting.set(head, resolve)))
        return `${head}\n${JSON.stringify(items)}`
      })
      await redis.rpush(`${name}:in`, ...messages)
    }
    const all: unknown[] = []
    for (const values of await Promise.all(results)) for (const value of values) all.push(value)
    return all
  }

  return {
    async map({ items, chunk }, clock) {
      const input = numbers(items)
      const size = chunk ?? Math.ceil(items / (4 * processes))
      checkIdentities(await clock.time(() => run(cut(input, size), 'identity')), items)
    },
    apply: ({ calls }, clock) => clock.timeEach(calls, async (i) => (await run([[i]], 'identity'))[0]),
    async echo({ items, bytes }, clock) {
      const input = texts(items, bytes)
      const results = await clock.time(() => run(cut(input, 1), 'echo'))
      check(results[items - 1] === input[items - 1], 'the texts differ')
    },
    async fib({ items, n }, clock) {
      await clock.time(() => run(new Array(items).fill([n]), 'fibonacci'))
    },
    async close() {
      closed = true
      workers.kill()
      blocking.disconnect()
      await redis.del(`${name}:in`, `${name}:out`)
      redis.disconnect()
    },
  }
})
