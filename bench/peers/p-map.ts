/** p-map: all in this process, so many at a time. */
import { setTimeout as delay } from 'node:timers/promises'
import pMap from 'p-map'
import { check, serveJobs } from '../harness/contestant-process.js'
import { request } from './request.js'

await serveJobs(async ({ processes, concurrency = 1 }) => {
  const lanes = { concurrency: processes * concurrency }
  const wait = async (milliseconds: number) => {
    await delay(milliseconds)
    return milliseconds
  }
  return {
    async first(_job, clock) {
      const results = await clock.time(() => pMap([0], wait, lanes))
      check(results[0] === 0, 'no result')
    },
    async wait({ items, milliseconds }, clock) {
      const input = new Array<number>(items).fill(milliseconds)
      const results = await clock.time(() => pMap(input, wait, lanes))
      check(results.length === items && results[items - 1] === milliseconds, `${results.length} results`)
    },
    async request({ items, url }, clock) {
      const results = await clock.time(() => pMap(new Array<string>(items).fill(url), request, lanes))
      check(results.length === items && results.every((status) => status === 200), 'not all were answered')
    },
    close: async () => undefined,
  }
})
