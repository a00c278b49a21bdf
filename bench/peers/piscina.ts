import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { serveJobs } from '../harness/contestant-process.js'
import { threadPlayer, threadTasks } from './thread-player.js'

await serveJobs(async ({ processes }) => {
  const pool = new Piscina({ filename: fileURLToPath(threadTasks), minThreads: processes, maxThreads: processes })
  return threadPlayer(
    (task, item) => pool.run(item, { name: task }),
    () => pool.destroy(),
  )
})
