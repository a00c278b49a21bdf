/** The program of a worker process. Its supervisor forks it; it ends with it. */
import type { FromWorker, SupervisorChannel, ToWorker } from './messages.js'
import { WorkerBody } from './worker-body.js'

/** Messages that have not been handed to the system yet. */
let underWay = 0
let exitCode: number | undefined

const channel: SupervisorChannel = {
  send: (message: FromWorker) => {
    if (!process.connected) return
    underWay++
    process.send?.(message, undefined, undefined, () => {
      underWay--
      exitWhenSent()
    })
  },
  onMessage: (listener) => void process.on('message', (message: ToWorker) => listener(message)),
  exit: (code) => {
    exitCode ??= code
    exitWhenSent()
  },
}

function exitWhenSent(): void {
  if (exitCode !== undefined && underWay === 0) process.exit(exitCode)
}

const body = new WorkerBody(channel)

// Ctrl-C reaches the whole process group; the supervisor decides what it means. SIGTERM to this process alone: drain.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => body.drain())
// Without its supervisor nobody renews the lock: the chunk is another's as soon as the lock lapses.
process.on('disconnect', () => process.exit(exitCode ?? 1))
