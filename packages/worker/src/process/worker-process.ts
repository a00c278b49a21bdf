/**
 * The program of a worker process. Its supervisor forks it; it ends with it. The line to the supervisor is listened to
 * from the first moment, as it may close while the rest is still being loaded.
 */
import type { FromWorker, SupervisorChannel, ToWorker } from '../line/messages.js'
import type { WorkerBody } from './worker-body.js'

/** Messages that have not been handed to the system yet. */
let underWay = 0
let exitCode: number | undefined

const early: ToWorker[] = []
let listener = (message: ToWorker): void => void early.push(message)
let body: WorkerBody | undefined

const channel: SupervisorChannel = {
  send: (message: FromWorker) => {
    if (!process.connected) return
    underWay++
    process.send?.(message, undefined, undefined, () => {
      underWay--
      exitWhenSent()
    })
  },
  onMessage: (heard) => {
    listener = heard
    for (const message of early.splice(0)) heard(message)
  },
  exit: (code) => {
    exitCode ??= code
    exitWhenSent()
  },
}

function exitWhenSent(): void {
  if (exitCode !== undefined && underWay === 0) process.exit(exitCode)
}

process.on('message', (message: ToWorker) => listener(message))
// Without its supervisor nobody renews the lock: the chunk is another's as soon as the lock lapses.
process.on('disconnect', () => process.exit(exitCode ?? 1))
// Ctrl-C reaches the whole process group; the supervisor decides what it means. SIGTERM to this process alone: drain.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => (body === undefined ? listener({ type: 'drain' }) : body.drain()))

const program = await import('./worker-body.js')
body = new program.WorkerBody(channel)
