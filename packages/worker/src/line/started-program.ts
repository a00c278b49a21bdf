/** How a program of ours is started: with a private line to it, and with a channel of Node's that leads nowhere. */

import { ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { setImmediate, setTimeout } from 'node:timers'
import { fileURLToPath } from 'node:url'
import { PrivateLine } from './private-line.js'

export interface ProgramStart {
  readonly execPath: string
  readonly execArgv: readonly string[]
  /** A descriptor of this process that becomes `extraInChild` there. */
  readonly extra?: number
}

/** The descriptor of what else a program is given: the one after the private line. */
export const extraInChild = 5

/**
 * User code may find Node's channel and use it (`process.send`, as pm2, jest and cluster have it). It works, and nobody
 * listens: Node's end of it in this process would believe what it hears, down to messages about handles.
 */
const channel = { NODE_CHANNEL_FD: '3', NODE_CHANNEL_SERIALIZATION_MODE: 'json' }

export interface StartedProgram {
  readonly child: ChildProcess
  /** This end of the line; undefined when the process could not be started. */
  readonly socket: Socket | undefined
  /** What the system said that refused to start it. */
  readonly refusal?: unknown
}

/** How a process has ended. */
export interface ProgramExit {
  readonly code: number | null
  readonly signal: string | null
  /** Why it could not be started, or what a thread has died of. */
  readonly cause?: unknown
}

/** Milliseconds that the rest of a dead process's messages is waited for. */
const drainMessages = 500

/** Starts a program as a process. What it says waits until somebody follows it; that there is no room for it is its exit. */
export function startProgram(program: URL | string, args: readonly string[], start: ProgramStart): StartedProgram {
  const path = typeof program === 'string' ? program : fileURLToPath(program)
  let child: ChildProcess
  try {
    child = spawn(start.execPath, [...start.execArgv, path, ...args], {
      env: { ...process.env, ...channel },
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe', ...(start.extra === undefined ? [] : [start.extra])],
    })
  } catch (refusal) {
    return { child: new ChildProcess(), socket: undefined, refusal }
  }
  const [, , , unheard, socket] = (child.stdio ?? []) as unknown as Socket[]
  unheard?.on('error', ignore).resume()
  ;(unheard as Partial<Socket> | undefined)?.unref?.()
  if (child.pid !== undefined) return { child, socket }
  // There are pipes also to a process that the system has refused, and they fail.
  for (const pipe of [unheard, socket]) pipe?.on('error', ignore).destroy()
  return { child, socket: undefined }
}

/** What becomes of a pipe is told by the exit of its process. */
function ignore(): void {}

/**
 * The line to a program. Its exit is told once, after the last message, so that what it said before it died is known
 * then; also that of one that could not be started.
 */
export function followProgram<Heard, Said>(
  { child, socket, refusal }: StartedProgram,
  onMessage: (message: Heard) => void,
  onExit: (exit: ProgramExit) => void,
): PrivateLine<Heard, Said> | undefined {
  let exit: ProgramExit | undefined
  let told = false
  const tell = () => {
    if (told || exit === undefined) return
    told = true
    onExit(exit)
  }
  const exited = (code: number | null, signal: string | null) => {
    exit = { code, signal }
    if (line === undefined || !line.isOpen) tell()
    // This process may itself have stood still meanwhile: what has arrived is read first.
    else setTimeout(() => setImmediate(() => setImmediate(tell)), drainMessages).unref()
  }
  const line = socket && new PrivateLine<Heard, Said>(socket, tell)
  line?.onMessage(onMessage)
  child.on('error', (cause) => {
    // The process could not be started, or a signal not be sent: the latter is followed by its exit.
    if (child.pid !== undefined) return
    exit = { code: 1, signal: null, cause }
    tell()
  })
  if (refusal !== undefined) {
    exit = { code: 1, signal: null, cause: refusal }
    setImmediate(tell)
  }
  child.on('exit', exited)
  if (child.exitCode !== null || child.signalCode !== null) {
    const { exitCode, signalCode } = child
    setImmediate(() => exited(exitCode, signalCode))
  }
  return line
}
