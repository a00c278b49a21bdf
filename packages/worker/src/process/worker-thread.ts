/** The program of a worker thread. Its supervisor starts it; it ends with it. */
import { type MessagePort, parentPort } from 'node:worker_threads'
import { bearClosedOutput } from '../closed-output.js'
import type { ToWorker } from '../line/messages.js'
import { exitAnyhow } from './exit-anyhow.js'
import { WorkerBody } from './worker-body.js'

if (parentPort === null) throw new Error('this module is the program of a worker thread')
bearClosedOutput()

// The first message, before any user code is loaded, is our line to the supervisor. From then on `parentPort` is user code's.
parentPort.once('message', ({ line }: { line: MessagePort }) => {
  new WorkerBody({
    send: (message) => line.postMessage(message),
    onMessage: (listener) => void line.on('message', (message: ToWorker) => listener(message)),
    exit: (code) => setImmediate(() => exitAnyhow(code)),
  })
})
