/**
 * A worker process or thread as its supervisor sees it: messages both ways, one exit. The exit is told after the last
 * message, so that what a process said before it died is known when its chunk is given back.
 */
import { closeSync, existsSync } from 'node:fs'
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { attempt } from '@poolmq/shared'
import { passOn } from '../closed-output.js'
import { HandReader, type HeldChunk, openHand } from '../line/hand.js'
import type { FromWorker, ToWorker } from '../line/messages.js'
import {
  extraInChild,
  followProgram,
  type ProgramExit,
  type StartedProgram,
  startProgram,
} from '../line/started-program.js'
import type { Tally } from '../line/tally.js'
import { inheritedExecArgv } from './exec-argv.js'
import { guardedStart } from './orphan-guard.js'

export interface WorkerHandle {
  readonly pid: number
  /** Where this worker tells what it has in hand, as its own descriptor. */
  readonly handDescriptor: number
  /** The chunks in hand; none after its exit. */
  readonly held: HeldChunk[]
  /** When it last told what it has in hand, in milliseconds of any clock. */
  readonly lastTold: number
  /** What it has run, where it is tallied. */
  tally(): Tally
  send(message: ToWorker): void
  /** Ends it now, whatever it does. */
  kill(): void
}

export interface WorkerListener {
  onMessage(message: FromWorker): void
  /**
   * @param held - what it had in hand
   * @param hadWork - whether it has ever had anything in hand
   */
  onExit(exit: ProgramExit, held: readonly HeldChunk[], tally: Tally, hadWork: boolean): void
}

/** A worker process that was started and has not been spoken to. */
export interface StartedWorker extends StartedProgram {
  readonly hand: number
}

/** The lanes of one of several seats, among which so many are spread evenly. */
export function lanesOf(seat: number, seats: number, lanes: number): number {
  return Math.floor(lanes / seats) + (seat < lanes % seats ? 1 : 0)
}

/** Starts a worker process of so many lanes, which waits for its configuration. @throws Error when this host has no room for it */
export function forkWorker(lanes: number): StartedWorker {
  const hand = openHand(lanes)
  try {
    const program = new URL('../process/worker-process.js', import.meta.url)
    return { ...startProgram(program, [], { ...guardedStart(inheritedExecArgv()), extra: hand }), hand }
  } catch (error) {
    closeSync(hand)
    throw error
  }
}

/** @param started - a worker process that was started already */
export function startProcess(listener: WorkerListener, lanes: number, started?: StartedWorker): WorkerHandle {
  try {
    return handleOf(started ?? forkWorker(lanes), listener, lanes)
  } catch (error) {
    return stillborn(listener, error)
  }
}

const nothing: Tally = { tasks: new Map(), recent: [] }

/** What could not even be started ends as what has died at its start. */
function stillborn(listener: WorkerListener, error: unknown): WorkerHandle {
  setImmediate(() => listener.onExit({ code: 1, signal: null, cause: error }, [], nothing, false))
  const tally = () => nothing
  return { pid: 0, handDescriptor: 0, held: [], lastTold: 0, tally, send: () => undefined, kill: () => undefined }
}

function handleOf(started: StartedWorker, listener: WorkerListener, lanes: number): WorkerHandle {
  const { child } = started
  const hand = new HandReader(started.hand, lanes)
  const line = followProgram<FromWorker, ToWorker>(
    started,
    (message) => listener.onMessage(message),
    (exit) => {
      const [held, tally, hadWork] = [hand.read(), hand.tally(), hand.hasHeld()]
      hand.close()
      listener.onExit(exit, held, tally, hadWork)
    },
  )
  return {
    pid: child.pid ?? 0,
    handDescriptor: extraInChild,
    get held() {
      return hand.read()
    },
    get lastTold() {
      return hand.lastTold()
    },
    tally: () => hand.tally(),
    send: (message) => line?.send(message), // to a process that has just died it is void; its exit tells what happened
    kill: () => child.kill('SIGKILL'),
  }
}

export function startThread(listener: WorkerListener, lanes: number): WorkerHandle {
  try {
    return threadHandle(listener, lanes)
  } catch (error) {
    return stillborn(listener, error)
  }
}

function threadHandle(listener: WorkerListener, lanes: number): WorkerHandle {
  const descriptor = openHand(lanes)
  const hand = new HandReader(descriptor, lanes)
  const { port1: line, port2: end } = new MessageChannel()
  const thread = startWorker(hand)
  // Its `parentPort` is user code's: the line is one of our own, and this is all that is ever said there.
  thread.postMessage({ line: end }, [end])
  let cause: unknown
  line.on('message', (message: FromWorker) => listener.onMessage(message))
  thread.on('error', (error) => {
    cause = error
  })
  thread.on('exit', (code) => {
    for (let last = receiveMessageOnPort(line); last !== undefined; last = receiveMessageOnPort(line)) {
      listener.onMessage(last.message as FromWorker)
    }
    line.close()
    const [held, tally, hadWork] = [hand.read(), hand.tally(), hand.hasHeld()]
    hand.close()
    listener.onExit({ code, signal: null, ...(cause !== undefined && { cause }) }, held, tally, hadWork)
  })
  return {
    pid: process.pid,
    handDescriptor: descriptor,
    get held() {
      return hand.read()
    },
    get lastTold() {
      return hand.lastTold()
    },
    tally: () => hand.tally(),
    send: (message) => line.postMessage(message),
    kill: () => void thread.terminate(),
  }
}

/** Where this process was started. */
const place = attempt(() => process.cwd())

/**
 * A thread asks at its start where it is, and dies where nothing is any more: a deploy may have removed the directory of a program that
 * runs. `process.cwd()` alone says what it said before.
 */
function standSomewhere(): void {
  const here = attempt(() => {
    process.chdir('.')
    return process.cwd()
  })
  if (here === undefined) attempt(() => process.chdir(place !== undefined && existsSync(place) ? place : '/'))
}

function startWorker(hand: HandReader): Worker {
  try {
    standSomewhere()
    const thread = new Worker(new URL('../process/worker-thread.js', import.meta.url), { stdout: true, stderr: true })
    passOn(thread.stdout, process.stdout)
    passOn(thread.stderr, process.stderr)
    return thread
  } catch (error) {
    hand.close()
    throw error
  }
}
