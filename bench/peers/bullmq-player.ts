/** Plain BullMQ with two forked workers; how results come back is the caller's choice. */
import { type Job as BullJob, Queue, QueueEvents } from 'bullmq'
import { check, checkIdentities, type Player } from '../harness/contestant-process.js'
import { cut, numbers, texts } from '../harness/inputs.js'
import type { Setup } from '../harness/job.js'
import { forkWorkers } from './forked-workers.js'

/** Adds jobs, one for each datum, and resolves with their results in order. */
export interface Returns {
  run(datas: readonly unknown[], task: string): Promise<unknown[]>
  /** The jobs must be there when their results are asked for. */
  readonly keepsJobs: boolean
}

const batch = 500

export async function bullmqPlayer(
  name: string,
  setup: Setup,
  returns: (queue: Queue, events: QueueEvents) => Returns,
): Promise<Player> {
  const { queue, events, close } = await openQueue(name, setup)
  const { run, keepsJobs } = returns(queue, events)
  queue.jobsOpts = { removeOnComplete: !keepsJobs }
  const clean = async () => {
    await queue.trimEvents(0)
    if (keepsJobs) await queue.clean(0, 0, 'completed')
  }
  return {
    async map({ items, chunk = 1 }, clock) {
      const input = chunk === 1 ? numbers(items) : cut(numbers(items), chunk)
      const results = await clock.time(() => run(input, 'identity'))
      checkIdentities(chunk === 1 ? results : results.flat(), items)
      await clean()
    },
    apply: ({ calls }, clock) => clock.timeEach(calls, async (i) => (await run([i], 'identity'))[0]),
    async echo({ items, bytes }, clock) {
      const input = texts(items, bytes)
      const results = await clock.time(() => run(input, 'echo'))
      check(results[items - 1] === input[items - 1], 'the texts differ')
      await clean()
    },
    async fib({ items, n }, clock) {
      await clock.time(() => run(new Array(items).fill([n]), 'fibonacci'))
    },
    close,
  }
}

/** Forks the workers, and opens what a client needs. */
export async function openQueue(name: string, setup: Setup, waitsForWorkers = true) {
  const { hostname: host, port } = new URL(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')
  const connection = { host, port: Number(port || 6379) }
  const worker = new URL('./bullmq-worker.js', import.meta.url)
  const workers = forkWorkers(worker, setup.processes, name, String(setup.concurrency ?? 1))
  const queue = new Queue(name, {
    connection,
    // The events of a large batch must not be trimmed before they are read, or results are lost.
    streams: { events: { maxLen: 1_000_000 } },
  })
  await queue.waitUntilReady()
  const events = new QueueEvents(name, { connection })
  await events.waitUntilReady()
  if (waitsForWorkers) await workers.started
  const close = async () => {
    await Promise.all([queue.obliterate({ force: true }).catch(() => undefined), events.close()])
    await queue.close()
    workers.kill()
  }
  return { queue, events, close }
}

/** Adds jobs in batches; one alone by itself. */
export async function addJobs(
  queue: Queue,
  task: string,
  datas: readonly unknown[],
  ids?: readonly string[],
): Promise<BullJob[]> {
  const jobs: BullJob[] = []
  for (const [k, group] of cut(datas, batch).entries()) {
    const entries = group.map((data, i) => {
      const jobId = ids?.[k * batch + i]
      return { name: task, data, ...(jobId !== undefined && { opts: { jobId } }) }
    })
    const [only] = entries
    if (entries.length === 1 && only !== undefined) jobs.push(await queue.add(only.name, only.data, only.opts))
    else jobs.push(...(await queue.addBulk(entries)))
  }
  return jobs
}
