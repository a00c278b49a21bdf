/** Plain BullMQ with two forked workers of so many jobs at a time, which are started when the clock runs. */
import { check, serveJobs } from '../harness/contestant-process.js'
import type { Setup } from '../harness/job.js'
import { type EventsPlayer, openBullmq } from './bullmq-results.js'

await serveJobs(async (setup: Setup) => {
  let opened: EventsPlayer | undefined
  return {
    async first(_job, clock) {
      const results = await clock.time(async () => {
        opened = await openBullmq(`bench-waiting-${process.pid}`, setup)
        return opened.run([0], 'wait')
      })
      check(results[0] === 0, 'no result')
    },
    async wait({ items, milliseconds }, clock) {
      if (opened === undefined) throw new Error('it was not opened')
      const { run } = opened
      const results = await clock.time(() => run(new Array<number>(items).fill(milliseconds), 'wait'))
      check(results.length === items && results[items - 1] === milliseconds, `${results.length} results`)
    },
    close: async () => opened?.close(),
  }
})
