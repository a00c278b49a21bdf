/** The program of a thread that tells whether a module, loaded alone, defines tasks. */
import { parentPort, workerData } from 'node:worker_threads'
import { becomeWorker, taskIds } from '@poolmq/shared'

becomeWorker()
await import(workerData as string)
parentPort?.postMessage(taskIds().length > 0)
