/**
 * A worker process or thread as its supervisor sees it: messages both ways, one exit. The exit is told after the last
 * message, so that what a process said before it died is known when its chunk is given back.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { Worker } from 'node:worker_threads'
import { HandReader, openHand } from '../line/hand.js'
import type { FromWorker, ToWorker } from '../line/messages.js'
import { inheritedExecArgv } from './exec-argv.js'
import { guardedStart } from './orphan-guard.js'

export interface WorkerExit {
  readonly code: number | null
  readonly signal: string | null
}

export interface WorkerHandle {
  readonly pid: number
  /** Where this worker tells what it has in hand, as its own descriptor. */
  readonly handDescriptor: number
  /** The chunk in hand; undefined when there is none, and after its exit. */
  readonly jobId: string | undefined
  /** When it last told what it has in hand, in milliseconds of any clock. */
  readonly lastTold: number
  send(message: ToWorker): void
  /** Ends it now, whatever it does. */
  kill(): void
}

export interface WorkerListener {
  onMessage(message: FromWorker): void
  onExit(exit: WorkerExit): void
}

/** Milliseconds that the rest of a dead process's messages is waited for. */
const drainMessages = 500

/** The descriptor of the record of what is in hand, in a worker process: the one after the line to its supervisor. */
const handInChild = 4

/** A worker process that was started and has not been spoken to. */
export interface StartedWorker {
  readonly child: ChildProcess
  readonly hand: number
}

/** Starts a worker process that waits for its configuration. */
export function forkWorker(): StartedWorker {
  const hand = openHand()
  const child = fork(new URL('../process/worker-process.js', import.meta.url), [], {
    ...guardedStart(inheritedExecArgv()),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', hand],
  })
  return { child, hand }
}

/** @param started - a worker process that was started already */
export function startProcess(listener: WorkerListener, started = forkWorker()): WorkerHandle {
  const { child } = started
  const hand = new HandReader(started.hand)
  let exit: WorkerExit | undefined
  let told = false
  const tell = () => {
    if (told || exit === undefined) return
    told = true
    hand.close()
    listener.onExit(exit)
  }
  child.on('message', (message: FromWorker) => listener.onMessage(message))
  child.on('error', (error) => {
    // The process could not be started, or a message not be sent: the latter is followed by its exit.
    if (child.pid !== undefined) return
    exit = { code: 1, signal: error.message }
    tell()
  })
  child.on('exit', (code, signal) => {
    exit = { code, signal }
    if (!child.connected) tell()
    else setTimeout(tell, drainMessages).unref()
  })
  child.on('disconnect', tell)
  if (child.exitCode !== null || child.signalCode !== null) {
    exit = { code: child.exitCode, signal: child.signalCode }
    setImmediate(tell)
  }
  return {
    pid: child.pid ?? 0,
    handDescriptor: handInChild,
    get jobId() {
      return hand.read()
    },
    get lastTold() {
      return hand.lastTold()
    },
    send: (message) => {
      if (child.connected) child.send(message, ignoreClosed)
    },
    kill: () => child.kill('SIGKILL'),
  }
}

/** A message to a process that has just died is void; its exit tells what happened. */
function ignoreClosed(): void {}

export function startThread(listener: WorkerListener): WorkerHandle {
  const thread = new Worker(new URL('../process/worker-thread.js', import.meta.url))
  const descriptor = openHand()
  const hand = new HandReader(descriptor)
  let failure: string | null = null
  thread.on('message', (message: FromWorker) => listener.onMessage(message))
  thread.on('error', (error) => {
    failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  })
  thread.on('exit', (code) => {
    hand.close()
    listener.onExit({ code, signal: failure })
  })
  return {
    pid: process.pid,
    handDescriptor: descriptor,
    get jobId() {
      return hand.read()
    },
    get lastTold() {
      return hand.lastTold()
    },
    send: (message) => thread.postMessage(message),
    kill: () => void thread.terminate(),
  }
}
