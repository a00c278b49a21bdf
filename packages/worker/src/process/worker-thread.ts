/** The program of a worker thread. Its supervisor starts it; it ends with it. */
import { parentPort } from 'node:worker_threads'
import type { ToWorker } from '../line/messages.js'
import { WorkerBody } from './worker-body.js'

const port = parentPort
if (port === null) throw new Error('this module is the program of a worker thread')

new WorkerBody({
  send: (message) => port.postMessage(message),
  onMessage: (listener) => void port.on('message', (message: ToWorker) => listener(message)),
  exit: (code) => setImmediate(() => process.exit(code)),
})
