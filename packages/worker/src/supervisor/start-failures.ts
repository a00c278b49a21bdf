/**
 * Worker processes of a host that end before they are ready: when the next is started, and whether there is to be a next.
 * Only a host that never had one that was ready is given up. Once one was, all that one needs is there: what is missing now
 * (memory, processes, descriptors, a file) may be there again, and to give up would leave the pool without this host.
 */
import {
  ConnectionError,
  decodeError,
  ModuleError,
  PoolError,
  type WireError,
  WorkerLostError,
  withAdvice,
} from '@poolmq/shared'
import type { ProgramExit } from '../line/started-program.js'
import { Rounds } from './rounds.js'

/** Rounds of tries on a host that has never served. */
const mostRounds = 3
/** The same where the system refused to start a process: that may pass within seconds, and about 25 are given. */
const mostRefusals = 9
/** Milliseconds between two tries at most. */
const longestPause = 30_000
/** Milliseconds before the next try of a worker process that could not reach Redis, as its supervisor can. */
const connectionPause = 1000

export interface StartFailure {
  readonly error: unknown
  /** It was the system that could not start a process. */
  readonly refused: boolean
  /** When it was started, in milliseconds of the same clock as `now`. */
  readonly began: number
}

export class StartFailures {
  readonly #rounds = new Rounds((round) => Math.min(50 * 2 ** round, longestPause))
  #served = false

  /** A worker process is ready. */
  succeeded(): void {
    this.#served = true
    this.#rounds.succeeded()
  }

  /** Whether it is told as the last word of this host, if that is what it comes to: a module that has never loaded. */
  isFirstHope(error: unknown): boolean {
    return error instanceof ModuleError && !this.#served
  }

  /** Returns the milliseconds before the next start, or the error for which the host is given up. */
  failed({ error, refused, began }: StartFailure, now = performance.now()): number | PoolError {
    if (error instanceof ConnectionError) return connectionPause
    this.#rounds.failed(began, now)
    const { count } = this.#rounds
    if (!this.#served && count >= (refused ? mostRefusals : mostRounds)) return asPoolError(error, count)
    return this.#rounds.rests(now)
  }
}

function asPoolError(error: unknown, starts: number): PoolError {
  if (error instanceof PoolError) return error
  return new WorkerLostError(`no worker process can be started on this host: ${withAdvice(error)}`, {
    starts,
    cause: error,
  })
}

/** What the exit of a worker process that was never ready tells. */
export function startError({ code, signal, cause }: ProgramExit, crash?: WireError): unknown {
  if (crash === undefined && cause !== undefined) return cause
  const how = `a worker process ended with ${signal ?? `exit code ${code}`} before it was ready`
  if (crash === undefined) return new Error(`${how}; its own output says why`)
  return new Error(`${how}: ${crash.name}: ${crash.message}`, { cause: decodeError(crash) })
}

/** The system could not start it, or has killed it (it was out of memory): that says nothing about what was started. */
export function isRefused({ signal, cause }: ProgramExit): boolean {
  const { code } = (cause ?? {}) as { code?: unknown }
  return signal === 'SIGKILL' || /^(E[A-Z]+|ERR_WORKER_(INIT_FAILED|OUT_OF_MEMORY))$/.test(String(code))
}
