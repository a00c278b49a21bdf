/** From `new Pool(2)`, or of another size, to the first result. */
import { Pool } from '@poolmq/client'
import { tasks } from '../peers/tasks.js'
import { reportSeconds } from './stopwatch.js'

const [processes = '2'] = process.argv.slice(2)

let pool: Pool | undefined
await reportSeconds(
  async () => {
    pool = new Pool(Number(processes))
    return pool.apply(tasks.identity, [42])
  },
  async () => pool?.terminate(),
)
