import { setTimeout as sleep } from 'node:timers/promises'
import { defineTasks } from '@poolmq/client'

/** The functions of seed.ts. They are in a module of their own, as worker processes import it. */
export const greetings = defineTasks(import.meta.url, 'greetings', {
  init: (kind: string) => {
    console.log(`Initializing PID ${process.pid} of the ${kind} pool`)
  },

  hello: async (name: string) => {
    console.log(`Hello ${name} from PID ${process.pid}`)
    await sleep(200)
    return `Bye ${name} from PID ${process.pid}`
  },
})
