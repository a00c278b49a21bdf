/**
 * The program of a worker process. Its supervisor forks it; it ends with it. The line to the supervisor is listened to
 * from the first moment, as it may close while the rest is still being loaded.
 */
import { bearClosedOutput, isOutputWaiting, outputWritten } from '../closed-output.js'
import type { FromWorker, SupervisorChannel, ToWorker } from '../line/messages.js'
import { PrivateLine } from '../line/private-line.js'
import { exitAnyhow } from './exit-anyhow.js'
import type { WorkerBody } from './worker-body.js'

/** Messages that have not been handed to the system yet. */
let underWay = 0
let exitCode: number | undefined

// Without its supervisor nobody renews the lock: the chunk is another's as soon as the lock lapses.
const line = PrivateLine.toParent<ToWorker, FromWorker>(() => process.exit(exitCode ?? 1))
let body: WorkerBody | undefined
let isDraining = false

const channel: SupervisorChannel = {
  send: (message: FromWorker) => {
    underWay++
    line.send(message, () => {
      underWay--
      exitWhenSent()
    })
  },
  onMessage: (listener) => line.onMessage(listener),
  exit: (code) => {
    exitCode ??= code
    exitWhenSent()
  },
}

function exitWhenSent(): void {
  if (exitCode === undefined || underWay > 0) return
  const code = exitCode
  if (isOutputWaiting()) void outputWritten().then(() => exitAnyhow(code))
  else exitAnyhow(code)
}

// Ctrl-C, and a terminal that is closed, reach the whole process group; the supervisor decides what it means. SIGTERM to this
// process alone: drain.
process.on('SIGINT', () => undefined)
process.on('SIGHUP', () => undefined)
bearClosedOutput()
process.on('SIGTERM', () => {
  if (body === undefined) isDraining = true
  else body.drain()
})

const program = await import('./worker-body.js')
body = new program.WorkerBody(channel)
if (isDraining) body.drain()
