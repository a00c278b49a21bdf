/** The program of a worker process. Its supervisor forks it; it ends with it. */
import type { FromWorker, SupervisorChannel, ToWorker } from './messages.js'
import { WorkerBody } from './worker-body.js'

const channel: SupervisorChannel = {
  send: (message: FromWorker) => {
    if (process.connected) process.send?.(message)
  },
  onMessage: (listener) => void process.on('message', (message: ToWorker) => listener(message)),
  exit: (code) => {
    process.exitCode = code
    // Messages that are under way are handed over before the line is closed; then nothing may keep the process.
    if (process.connected) process.disconnect()
    setImmediate(() => process.exit(code))
  },
}

const body = new WorkerBody(channel)

// Ctrl-C reaches the whole process group; the supervisor decides what it means. SIGTERM to this process alone: drain.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => body.drain())
// Without its supervisor nobody renews the lock: the chunk is another's as soon as the lock lapses.
process.on('disconnect', () => process.exit(process.exitCode ?? 1))
