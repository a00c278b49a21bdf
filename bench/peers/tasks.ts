/** The tasks of all contestants, for PoolMQ. */
import { setTimeout as delay } from 'node:timers/promises'
import { defineTasks } from '@poolmq/client'
import { fibonacci } from '../harness/inputs.js'
import { request } from './request.js'

export const tasks = defineTasks(import.meta.url, 'bench', {
  identity: (x: number) => x,
  echo: (text: string) => text,
  fibonacci: (n: number) => fibonacci(n),
  wait: async (milliseconds: number) => {
    await delay(milliseconds)
    return milliseconds
  },
  spin: (microseconds: number) => {
    for (const end = performance.now() + microseconds / 1000; performance.now() < end; );
    return microseconds
  },
  request: (url: string) => request(url),
})
