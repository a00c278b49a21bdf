/** PoolMQ without a Redis that is there already: its pool is opened when the clock runs. */
import { Pool, ThreadPool } from '@poolmq/client'
import { check, serveJobs } from '../harness/contestant-process.js'
import { tasks } from './tasks.js'

await serveJobs(async ({ processes, concurrency = 1, threads = false }) => {
  let pool: Pool | undefined
  const open = () =>
    threads
      ? new ThreadPool({ processes: processes * concurrency, threads: processes })
      : new Pool({ processes, concurrency })
  return {
    async first(_job, clock) {
      const result = await clock.time(() => {
        pool = open()
        return pool.apply(tasks.wait, [0])
      })
      check(result === 0, 'no result')
    },
    async wait({ items, milliseconds }, clock) {
      pool ??= open()
      const opened = pool
      const input = new Array<number>(items).fill(milliseconds)
      const results = await clock.time(() => opened.map(tasks.wait, input, 1))
      check(results.length === items && results[items - 1] === milliseconds, `${results.length} results`)
    },
    close: async () => pool?.terminate(),
  }
})
