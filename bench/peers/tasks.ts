/** The tasks of all contestants, for PoolMQ. */
import { defineTasks } from '@poolmq/client'
import { fibonacci } from '../harness/inputs.js'

export const tasks = defineTasks(import.meta.url, 'bench', {
  identity: (x: number) => x,
  echo: (text: string) => text,
  fibonacci: (n: number) => fibonacci(n),
})
