import { fileURLToPath } from 'node:url'
import workerpool from 'workerpool'
import { serveJobs } from '../harness/contestant-process.js'
import { threadPlayer, threadTasks } from './thread-player.js'

await serveJobs(async ({ processes }) => {
  const pool = workerpool.pool(fileURLToPath(threadTasks), {
    workerType: 'thread',
    minWorkers: processes,
    maxWorkers: processes,
    workerThreadOpts: { argv: ['workerpool'] },
  })
  return threadPlayer(
    (task, item) => pool.exec(task, [item]),
    async () => pool.terminate(true),
  )
})
