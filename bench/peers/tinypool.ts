import { fileURLToPath } from 'node:url'
import { Tinypool } from 'tinypool'
import { serveJobs } from '../harness/contestant-process.js'
import { threadPlayer, threadTasks } from './thread-player.js'

await serveJobs(async ({ processes }) => {
  const pool = new Tinypool({ filename: fileURLToPath(threadTasks), minThreads: processes, maxThreads: processes })
  return threadPlayer(
    (task, item) => pool.run(item, { name: task }),
    () => pool.destroy(),
  )
})
