/** A plain BullMQ worker, as its manual shows it: so many jobs at a time (one by default), the result is the return value. */
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'bullmq'
import { fibonacci } from '../harness/inputs.js'

const [name = 'bench', concurrency = '1'] = process.argv.slice(2)
const { hostname: host, port } = new URL(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')

const worker = new Worker(
  name,
  async (job) => {
    if (job.name === 'wait') await delay(job.data)
    return job.name === 'fibonacci' ? job.data.map(fibonacci) : job.data
  },
  {
    connection: { host, port: Number(port || 6379), maxRetriesPerRequest: null },
    concurrency: Number(concurrency),
  },
)
process.on('disconnect', () => process.exit())
await worker.waitUntilReady()
if (process.connected) process.send?.('ready')
