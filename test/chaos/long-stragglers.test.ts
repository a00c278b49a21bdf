// A map while one of its hosts is ten times slower than the other: what it costs, with `backup` and without.
import { Pool } from '@poolmq/client'
import { expect, inject, test } from 'vitest'
import { chaos } from '../fixtures/dist/chaos-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { RedisServer } from './redis-server.js'
import { sendSignal, WorkerHost } from './worker-host.js'

const redisProgram = inject('redisProgram')
const longTest = test.skipIf(redisProgram === '')

const chunks = 400
/** Steps of an item, a second about. */
const steps = 48
/** Milliseconds for which the slow host is stopped, and goes on, in turns. */
const stopped = 450
const going = 50
/** What the run beside a slow host may take, in runs without it. */
const most = 1.3

/** Lets a host have a tenth of its time. */
class Brake implements Disposable {
  readonly #host: WorkerHost
  /** The supervisor first, and last to go on: it must not find that its processes are stopped. */
  #pids: readonly number[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(host: WorkerHost) {
    this.#host = host
    this.#stop()
  }

  #stop(): void {
    // Anew each time: a task that does not end when it is told to is ended with its process.
    this.#pids = [this.#host.pid, ...this.#host.workers]
    for (const pid of this.#pids) sendSignal(pid, 'SIGSTOP')
    this.#timer = setTimeout(() => this.#go(), stopped)
  }

  #go(): void {
    for (const pid of this.#pids.toReversed()) sendSignal(pid, 'SIGCONT')
    this.#timer = setTimeout(() => this.#stop(), going)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    for (const pid of this.#pids.toReversed()) sendSignal(pid, 'SIGCONT')
  }
}

longTest(
  'a map of 400 chunks with one host slowed ten times: with backup within 1.3 of the run without that host',
  async () => {
    await using redis = await RedisServer.start(redisProgram)
    const name = uniqueName('slow')
    const options = { pool: name, redis: redis.url, processes: 2, concurrency: 50, lease: 10_000 }
    await using host = await WorkerHost.start(options)
    await using pool = new Pool({ name, connection: redis.url })
    const items = Array.from({ length: chunks }, () => steps)
    const seconds = async (backup: boolean) => {
      const began = performance.now()
      expect(await pool.map(chaos.steps, items, { chunkSize: 1, backup })).toEqual(items)
      return (performance.now() - began) / 1000
    }
    const alone = await seconds(false)
    await using slow = await WorkerHost.start(options)
    using _brake = new Brake(slow)
    const without = await seconds(false)
    const withBackup = await seconds(true)
    expect(host.complaints).not.toMatch(/died|lost/)
    const times = (figure: number) => `${figure.toFixed(1)} s, ${(figure / alone).toFixed(2)} times`
    console.log(
      `${chunks} chunks: ${alone.toFixed(1)} s on a host alone; beside a slow one ${times(withBackup)} with backup, ${times(without)} without`,
    )
    expect(withBackup / alone).toBeLessThan(most)
  },
  200_000,
)
