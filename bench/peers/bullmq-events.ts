/** Plain BullMQ at its best: jobs in bulk, results from one listener on `QueueEvents`. */
import { serveJobs } from '../harness/contestant-process.js'
import { addJobs, bullmqPlayer } from './bullmq-player.js'

let call = 0

await serveJobs((setup) =>
  bullmqPlayer(`bench-bullmq-events-${process.pid}`, setup, (queue, events) => {
    const waiting = new Map<string, (value: unknown) => void>()
    events.on('completed', ({ jobId, returnvalue }) => {
      waiting.get(jobId)?.(returnvalue)
      waiting.delete(jobId)
    })
    return {
      keepsJobs: false,
      async run(datas, task) {
        const prefix = `c${call++}`
        const ids = datas.map((_, i) => `${prefix}-${i}`)
        const results = ids.map((id) => new Promise<unknown>((resolve) => waiting.set(id, resolve)))
        await addJobs(queue, task, datas, ids)
        return Promise.all(results)
      },
    }
  }),
)
