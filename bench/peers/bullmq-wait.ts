/** Plain BullMQ as its manual shows it for one result: `waitUntilFinished` of each job. */
import { serveJobs } from '../harness/contestant-process.js'
import { addJobs, bullmqPlayer } from './bullmq-player.js'

await serveJobs((setup) =>
  bullmqPlayer(`bench-bullmq-wait-${process.pid}`, setup, (queue, events) => {
    events.setMaxListeners(0)
    return {
      keepsJobs: true,
      async run(datas, task) {
        const jobs = await addJobs(queue, task, datas)
        return Promise.all(jobs.map((job) => job.waitUntilFinished(events)))
      },
    }
  }),
)
