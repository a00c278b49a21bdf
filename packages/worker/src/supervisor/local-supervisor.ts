/**
 * The program of the supervisor that a Pool starts on its own host. It is what `poolmq worker` runs, but takes its
 * orders from the Pool's process over a line of their own and ends with it: when that process is gone, even by SIGKILL, what it left
 * in Redis is removed.
 */
import type { FromLocalSupervisor, LocalStart, ToLocalSupervisor } from '../line/local-messages.js'
import { unpackDescriptor } from '../line/packed-descriptor.js'
import { PrivateLine } from '../line/private-line.js'
import { forkWorker, type StartedWorker } from './worker-handle.js'

// Worker processes are started before anything else is even loaded; where Redis is follows by message.
const start = JSON.parse(process.argv[2] ?? '{}') as LocalStart

// The line to the Pool is listened to from the first moment, as it may close while the rest is still being loaded.
let abandon = (): void => process.exit(1)
const line = PrivateLine.toParent<ToLocalSupervisor, FromLocalSupervisor>(() => abandon())
// Ctrl-C reaches the whole process group: the Pool's process decides what it means, and its end is ours.
process.on('SIGINT', () => undefined)
let isDraining = false
let drain = (): void => {
  isDraining = true
}
process.on('SIGTERM', () => drain())

const started = start.threads ? [] : Array.from({ length: start.processes }, startedWorker)
const [{ encodeError }, { Supervisor }] = await Promise.all([import('@poolmq/shared'), import('./supervisor.js')])

const supervisor = new Supervisor({
  pool: start.pool,
  modules: start.modules,
  processes: start.processes,
  threads: start.threads,
  connection: undefined,
  client: start.clientId,
  started,
})
supervisor.ready.then(
  () => line.send({ type: 'ready' }),
  () => undefined, // `ended` tells
)
void supervisor.ended.then((failure) => {
  const last: FromLocalSupervisor =
    failure === undefined ? { type: 'ended' } : { type: 'failed', error: encodeError(failure) }
  // Nothing is left to do; what is still open (a connection that is being tried) is no reason to stay.
  line.send(last, () => process.exit())
})

abandon = () => void supervisor.abandon(start.clientId)
drain = () => void supervisor.drain()
if (isDraining) drain()
line.onMessage((message) => {
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
})
if (!line.isOpen) abandon()

/** One that cannot be started now is started by its seat, which tries again. */
function startedWorker(): StartedWorker | undefined {
  try {
    return forkWorker()
  } catch {
    return undefined
  }
}
