/**
 * The program of the supervisor that a Pool starts on its own host. It is what `poolmq worker` runs, but takes its
 * orders from the Pool's process over a line of their own and ends with it: when that process is gone, at any moment and even
 * by SIGKILL, what it left in Redis is removed. It writes nothing there before this program has said that it listens: a Ctrl-C
 * reaches both, and would end this one too while it starts.
 */
import { closeSync, openSync } from 'node:fs'
import { bearClosedOutput, outputWritten } from '../closed-output.js'
import type { FromLocalSupervisor, LocalStart, ToLocalSupervisor } from '../line/local-messages.js'
import { unpackDescriptor } from '../line/packed-descriptor.js'
import { PrivateLine } from '../line/private-line.js'
import { startsAtOnce } from './start-gate.js'
import { forkWorker, lanesOf, type StartedWorker } from './worker-handle.js'

/** Milliseconds that the end may take when nobody waits for it any more. */
const longestFarewell = 15_000

// Worker processes are started before anything else is even loaded; where Redis is follows by message.
const start = JSON.parse(process.argv[2] ?? '{}') as LocalStart

// The line to the Pool is listened to from the first moment, as it may close while the rest is still being loaded.
let abandon = (): void => {
  letGo()
  for (const worker of started) worker?.child.kill('SIGKILL')
}
const line = PrivateLine.toParent<ToLocalSupervisor, FromLocalSupervisor>(() => abandon())
// Ctrl-C, and a terminal that is closed, reach the whole process group: the Pool's process decides what it means, and its
// end is ours.
process.on('SIGINT', () => undefined)
process.on('SIGHUP', () => undefined)
bearClosedOutput()
line.send({ type: 'listening' })
let isDraining = false
let drain = (): void => {
  isDraining = true
}
process.on('SIGTERM', () => drain())

const started = start.threads
  ? []
  : Array.from({ length: Math.min(start.processes, startsAtOnce()) }, (_, seat) => startedWorker(seat))
let order: (ToLocalSupervisor & { type: 'start' }) | undefined
const [{ encodeError }, { Supervisor }] = await Promise.all([import('@poolmq/shared'), import('./supervisor.js')])

const supervisor = new Supervisor({
  pool: start.pool,
  modules: start.modules,
  processes: line.isOpen ? start.processes : 0,
  lanes: start.lanes,
  threads: start.threads,
  connection: undefined,
  client: start.clientId,
  shared: start.shared,
  ...(start.build !== undefined && { build: start.build }),
  onWarning: (text) => line.send({ type: 'warning', text }),
  started: line.isOpen ? started : [],
})
supervisor.ready.then(
  () => line.send({ type: 'ready' }),
  () => undefined, // `ended` tells
)
void supervisor.ended.then((failure) => {
  const last: FromLocalSupervisor =
    failure === undefined ? { type: 'ended' } : { type: 'failed', error: encodeError(failure) }
  // Nothing is left to do but to say what threads have said; what is still open (a connection that is being tried) is no reason to stay.
  line.send(last, () => void outputWritten().then(() => (start.threads ? leave() : process.exit())))
})

/** Without a Redis that has anything of the Pool's there is no reason to stay: the worker processes end with this one. */
abandon = () => {
  if (order === undefined || order.embedded) leave()
  letGo()
  void supervisor.abandon()
}
// To this process alone: the Pool lives, and starts another.
drain = () => void supervisor.drain()
if (isDraining) drain()
line.onMessage((message) => {
  switch (message.type) {
    case 'start':
      order = message
      supervisor.start(unpackDescriptor(message.connection), message.eager).catch(() => undefined) // `ended` tells
      break
    case 'load':
      supervisor.load(message.modules)
      break
    case 'drain':
      void supervisor.endWithClient('drain')
      break
    case 'stop':
      void supervisor.endWithClient('stop')
      break
    case 'abandon':
      abandon()
      break
  }
})
if (!line.isOpen) abandon()

/** One that cannot be started now is started by its seat, which tries again. */
function startedWorker(seat: number): StartedWorker | undefined {
  try {
    return forkWorker(lanesOf(seat, start.processes, start.lanes))
  } catch {
    return undefined
  }
}

/** Whoever reads what the Pool's process says waits for the last one that could say something: this one cannot any more. */
function letGo(): void {
  for (const descriptor of [1, 2]) {
    closeSync(descriptor)
    openSync('/dev/null', 'w') // takes the number that has just become free
  }
  setTimeout(leave, longestFarewell)
}

/** Not `process.exit`, which waits for threads, and they for what they wait for in the system. */
function leave(): void {
  process.kill(process.pid, 'SIGKILL')
}
