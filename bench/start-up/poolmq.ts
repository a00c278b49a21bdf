/** From `new Pool(2)` to the first result. */
import { Pool } from '@poolmq/client'
import { tasks } from '../peers/tasks.js'
import { reportSeconds } from './stopwatch.js'

let pool: Pool | undefined
await reportSeconds(
  async () => {
    pool = new Pool(2)
    return pool.apply(tasks.identity, [42])
  },
  async () => pool?.terminate(),
)
