/** A plain BullMQ worker, as its manual shows it: one job at a time, the result is the return value. */
import { Worker } from 'bullmq'
import { fibonacci } from '../harness/inputs.js'

const [name = 'bench'] = process.argv.slice(2)
const { hostname: host, port } = new URL(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')

const worker = new Worker(name, async (job) => (job.name === 'fibonacci' ? job.data.map(fibonacci) : job.data), {
  connection: { host, port: Number(port || 6379), maxRetriesPerRequest: null },
})
process.on('disconnect', () => process.exit())
await worker.waitUntilReady()
if (process.connected) process.send?.('ready')
