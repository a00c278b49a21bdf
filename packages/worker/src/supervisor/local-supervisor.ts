/**
 * The program of the supervisor that a Pool starts on its own host. It is what `poolmq worker` runs, but takes its
 * orders from the Pool's process over IPC and ends with it: when that process is gone, even by SIGKILL, what it left
 * in Redis is removed.
 */
import type { FromLocalSupervisor, LocalStart, ToLocalSupervisor } from '../line/local-messages.js'
import { unpackDescriptor } from '../line/packed-descriptor.js'
import { forkWorker } from './worker-handle.js'

// Worker processes are started before anything else is even loaded; where Redis is follows by message.
const start = JSON.parse(process.argv[2] ?? '{}') as LocalStart

// The line to the Pool is listened to from the first moment, as it may close while the rest is still being loaded.
const early: ToLocalSupervisor[] = []
let listener = (message: ToLocalSupervisor): void => void early.push(message)
let abandon = (): void => process.exit(1)
process.on('message', (message: ToLocalSupervisor) => listener(message))
process.on('disconnect', () => abandon())
// Ctrl-C reaches the whole process group: the Pool's process decides what it means, and its end is ours.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => listener({ type: 'drain' }))

const started = start.threads ? [] : Array.from({ length: start.processes }, forkWorker)
const [{ encodeError }, { Supervisor }] = await Promise.all([import('@poolmq/shared'), import('./supervisor.js')])

const send = (message: FromLocalSupervisor) => {
  if (process.connected) process.send?.(message)
}

const supervisor = new Supervisor({
  pool: start.pool,
  modules: start.modules,
  processes: start.processes,
  threads: start.threads,
  connection: undefined,
  local: true,
  started,
})
supervisor.ready.then(
  () => send({ type: 'ready' }),
  () => undefined, // `ended` tells
)
void supervisor.ended.then((failure) => {
  // Nothing is left to do; what is still open (a connection that is being tried) is no reason to stay.
  const exit = () => process.exit()
  if (!process.connected) return exit()
  const last: FromLocalSupervisor =
    failure === undefined ? { type: 'ended' } : { type: 'failed', error: encodeError(failure) }
  process.send?.(last, undefined, undefined, exit)
})

listener = (message) => {
  switch (message.type) {
    case 'start':
      supervisor.start(unpackDescriptor(message.connection), message.eager).catch(() => undefined) // `ended` tells
      break
    case 'load':
      supervisor.load(message.modules)
      break
    case 'drain':
      void supervisor.drain()
      break
    case 'stop':
      void supervisor.stop()
      break
  }
}
abandon = () => void supervisor.abandon(start.clientId)
for (const message of early.splice(0)) listener(message)
