/** A bare script: forks two processes, each with one BullMQ `Worker`, adds a job, and waits for its result. */
import { fork } from 'node:child_process'
import { Queue, QueueEvents } from 'bullmq'
import { reportSeconds } from './stopwatch.js'

const name = `bench-start-up-${process.pid}`
const { hostname: host, port } = new URL(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')
const connection = { host, port: Number(port || 6379) }
const program = new URL('../peers/bullmq-worker.js', import.meta.url)

await reportSeconds(
  async () => {
    for (let i = 0; i < 2; i++) fork(program, [name], { stdio: ['ignore', 2, 2, 'ipc'] })
    const queue = new Queue(name, { connection })
    const events = new QueueEvents(name, { connection })
    await events.waitUntilReady()
    const job = await queue.add('identity', 42, { removeOnComplete: true })
    return job.waitUntilFinished(events)
  },
  async () => new Queue(name, { connection }).obliterate({ force: true }),
)
