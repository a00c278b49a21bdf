// Many worker processes or threads: a few start at a time, and what they need of a connection is not cut off meanwhile.
import { appendFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { Pool, ThreadPool } from '@poolmq/client'
import { availableCores } from '@poolmq/shared'
import { expect, inject, test } from 'vitest'
import { RedisLink } from '../../packages/shared/src/redis/redis-link.js'
import { latches } from '../fixtures/dist/latch-tasks.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { Scratch } from '../support/latch.js'
import { TaskFolder } from '../support/task-folder.js'
import { until } from '../support/until.js'
import { listen } from './connection-server.js'

const atOnce = Math.max(2, availableCores())

/** A module that notes when its loading begins and ends, and takes some time for it. */
const slowModule = (log: string, kind: string) => `
import { appendFileSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import { defineTasks } from '@poolmq/client'
const note = (what) => appendFileSync(${JSON.stringify(log)}, what + ' ' + process.pid + '/' + threadId + '\\n')
note('begin')
for (const end = Date.now() + 50; Date.now() < end; );
await new Promise((resolve) => setTimeout(resolve, 50))
note('end')
export const tasks = defineTasks(import.meta.url, 'starting-${kind}', { nothing: () => undefined })
`

/** How many were loading at the same time, at most; the caller's own loading is not counted. */
function mostLoading(lines: readonly string[]): number {
  let [loading, most] = [0, 0]
  for (const line of lines) {
    loading += line.startsWith('begin') ? 1 : -1
    most = Math.max(most, loading)
  }
  return most
}

test.each([
  ['processes', (seats: number) => new Pool(seats)],
  ['threads', (seats: number) => new ThreadPool({ processes: seats, threads: seats })],
])('of more %s than there are cores a few load at a time, and all serve in the end', async (kind, open) => {
  using folder = new TaskFolder()
  using scratch = new Scratch()
  const log = scratch.log('loads')
  appendFileSync(log.path, '')
  folder.write('slow.js', slowModule(log.path, kind))
  await import(folder.url('slow.js'))
  const own = log.lines.length
  const seats = atOnce + 4
  await using pool = open(seats)
  expect(await pool.apply(math.square, [3])).toBe(9)
  const ends = () => log.lines.slice(own).filter((line) => line.startsWith('end'))
  await until(
    'all to have loaded',
    () => new Set(ends()).size,
    (count) => count === seats,
  )
  expect(mostLoading(log.lines.slice(own))).toBeLessThanOrEqual(atOnce)
})

test('an initializer that waits for all others is reached by all', async () => {
  using scratch = new Scratch()
  const seats = atOnce + 3
  await using pool = new Pool({
    processes: seats,
    initializer: latches.meet,
    initArgs: [{ directory: scratch.directory, count: seats }],
  })
  expect(await pool.map(math.square, [1, 2, 3], 1)).toEqual([1, 4, 9])
  expect(scratch.names()).toHaveLength(seats)
})

test('one that dies while others still wait for their start is replaced, and all serve', async () => {
  using scratch = new Scratch()
  const seats = atOnce + 2
  await using pool = new Pool(seats)
  process.kill(await pool.apply(math.pid), 'SIGKILL')
  const meet = { directory: scratch.directory, count: seats }
  expect(new Set(await pool.map(latches.meet, new Array(seats).fill(meet), 1)).size).toBe(seats)
})

test('a pool that ends while most of its processes wait for their start ends at once', async () => {
  const pool = new Pool(200)
  await pool.apply(math.square, [2])
  await pool.terminate()
})

test.each([
  ['the first', 1],
  ['the second', 2],
])('a connection whose process has no processor meanwhile waits for %s answer', async (_which, held) => {
  const { hostname, port: real } = new URL(inject('redisUrl'))
  // This answer comes so late, by the clock.
  const late = 2000
  const port = await listen(
    createServer((socket) => {
      const server = connect(Number(real), hostname)
      const sockets: Socket[] = [socket, server]
      for (const one of sockets)
        one.on('error', () => undefined).on('close', () => sockets.map((each) => each.destroy()))
      socket.pipe(server)
      let answers = 0
      server.on('data', (data) => {
        if (++answers !== held) socket.write(data)
        else setTimeout(() => socket.write(data), late)
      })
    }),
  )
  let isOpen = false
  const opening = RedisLink.open(`redis://127.0.0.1:${port}`, { connectTimeout: 700 }).finally(() => {
    isOpen = true
  })
  opening.catch(() => undefined)
  // The event loop turns every 400 ms only.
  while (!isOpen) {
    for (const end = performance.now() + 400; performance.now() < end; );
    for (let i = 0; i < 10; i++) await turn()
  }
  const link = await opening
  expect(await link.client.ping()).toBe('PONG')
  await link.close()
})
