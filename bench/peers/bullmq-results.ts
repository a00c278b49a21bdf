/** Plain BullMQ at its best: jobs in bulk, results from one listener on `QueueEvents`. */
import type { Queue, QueueEvents } from 'bullmq'
import type { Setup } from '../harness/job.js'
import { addJobs, openQueue, type Returns } from './bullmq-player.js'

/** Results by one listener, whatever their number. */
export function resultsOf(queue: Queue, events: QueueEvents): Returns {
  let call = 0
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
}

export interface EventsPlayer extends Pick<Returns, 'run'> {
  close(): Promise<void>
}

/** Starts its workers and connects, without waiting for the former: what is added meanwhile waits for them. */
export async function openBullmq(name: string, setup: Setup): Promise<EventsPlayer> {
  const { queue, events, close } = await openQueue(name, setup, false)
  queue.jobsOpts = { removeOnComplete: true }
  return { run: resultsOf(queue, events).run, close }
}
