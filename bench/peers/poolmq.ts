/** PoolMQ, with nothing set but what a job asks for. */
import { Pool } from '@poolmq/client'
import { check, checkIdentities, serveJobs } from '../harness/contestant-process.js'
import { countTo, numbers, texts } from '../harness/inputs.js'
import { startObservers } from './observers.js'
import { tasks } from './tasks.js'

await serveJobs(async ({ processes, concurrency, pool: name, weight, observed }) => {
  const pool = new Pool({
    processes,
    ...(concurrency && { concurrency }),
    ...(name !== undefined && { name }),
    ...(weight !== undefined && { share: { weight } }),
  })
  const observers = observed === true && name !== undefined ? await startObservers(name) : undefined
  const iterate = async (method: 'imap' | 'imapUnordered', items: number, chunk: number | undefined) => {
    let count = 0
    let sum = 0
    for await (const value of pool[method](tasks.identity, countTo(items), chunk)) {
      count++
      sum += value
    }
    check(count === items && sum === (items * (items - 1)) / 2, `${count} results with the sum ${sum}`)
  }
  return {
    async map({ items, chunk }, clock) {
      const input = numbers(items)
      checkIdentities(await clock.time(() => pool.map(tasks.identity, input, chunk)), items)
    },
    imapUnordered: ({ items, chunk }, clock) => clock.time(() => iterate('imapUnordered', items, chunk)),
    imap: ({ items, chunk }, clock) => clock.time(() => iterate('imap', items, chunk)),
    apply: ({ calls }, clock) => clock.timeEach(calls, (i) => pool.apply(tasks.identity, [i])),
    async echo({ items, bytes }, clock) {
      const input = texts(items, bytes)
      const results = await clock.time(() => pool.map(tasks.echo, input, 1))
      check(results.length === items && results[items - 1] === input[items - 1], 'the texts differ')
    },
    async request({ items, url }, clock) {
      const results = await clock.time(() => pool.map(tasks.request, new Array<string>(items).fill(url)))
      check(results.length === items && results.every((status) => status === 200), 'not all were answered')
    },
    async spin({ items, chunk: chunkSize, microseconds, seconds, after = 0 }, clock) {
      const control = new AbortController()
      const input = new Array<number>(items).fill(microseconds)
      let [all, before] = [0, 0]
      const timers = [
        setTimeout(() => control.abort(), seconds * 1000),
        setTimeout(() => {
          before = all
        }, after * 1000),
      ]
      const { signal } = control
      const onProgress = ({ done }: { done: number }) => {
        all = done
      }
      await clock.time(() =>
        pool.map(tasks.spin, input, { chunkSize, signal, onProgress }).catch((error: unknown) => {
          if (!signal.aborted) throw error
        }),
      )
      for (const timer of timers) clearTimeout(timer)
      clock.done = all - before
    },
    async fib({ items, n }, clock) {
      await clock.time(() => pool.map(tasks.fibonacci, new Array<number>(items).fill(n), 1))
    },
    async close() {
      observers?.stop()
      await pool.terminate()
    },
  }
})
