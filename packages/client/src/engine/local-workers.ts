/**
 * The worker processes that a Pool has on its own host: a supervisor in a process of its own, the program that remote
 * hosts run as well. It starts at once, with the Pool; where Redis is it learns later. A supervisor that is killed is
 * started again, and takes up what its predecessor had in hand as it would another host's.
 */

import type { ChildProcess } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers'
import {
  Deferred,
  decodeError,
  isReloaded,
  moduleMark,
  type RedisLink,
  type SharedContent,
  type TaskInfo,
  WorkerLostError,
  within,
} from '@poolmq/shared'
import {
  type EagerSpec,
  type FromLocalSupervisor,
  followProgram,
  inheritedExecArgv,
  type LocalStart,
  localSupervisorProgram,
  type PrivateLine,
  packDescriptor,
  SharedFiles,
  StartFailures,
  startProgram,
  type ToLocalSupervisor,
} from '@poolmq/worker'
import type { PoolLog } from '../pool-logger.js'

/** Milliseconds that a supervisor has to begin to listen; it may be started again meanwhile. */
const listenTimeout = 10_000
/** Milliseconds that a supervisor has to end after it was told to stop. */
const stopTimeout = 5000
/** Supervisors that may be killed one after the other before the pool is given up. */
const maxLost = 3

export class LocalWorkers {
  /** Modules of tasks that were defined after the Pool was made. */
  readonly #late = new Set<string>()
  readonly #start: LocalStart
  readonly #onFailed: (error: Error) => void
  readonly #log: PoolLog
  readonly #failures = new StartFailures()
  readonly #workDone: () => number
  #child: ChildProcess
  #line: PrivateLine<FromLocalSupervisor, ToLocalSupervisor> | undefined
  #exited: Promise<void>
  #orders: ToLocalSupervisor | undefined
  /** Supervisors that were lost one after the other: without any work done in between. */
  #lost = 0
  #doneAtLoss = 0
  /** A supervisor listens, or none will. */
  readonly #listening = new Deferred()
  #ending = false

  /**
   * @param onFailed - worker processes cannot be kept running here
   * @param workDone - how many chunks of the pool have come back so far
   */
  constructor(start: LocalStart, onFailed: (error: Error) => void, workDone: () => number, log: PoolLog) {
    this.#workDone = workDone
    this.#log = log
    this.#start = start
    this.#onFailed = onFailed
    ;[this.#child, this.#exited] = this.#spawn()
  }

  /**
   * Tells where Redis is. Resolves when something may be written there: whenever this process ends from then on, there is
   * somebody who removes it.
   */
  async start(link: Pick<RedisLink, 'descriptor' | 'isEmbedded'>, eager: EagerSpec | undefined): Promise<void> {
    const connection = packDescriptor(link.descriptor)
    this.#orders = { type: 'start', connection, embedded: link.isEmbedded, ...(eager && { eager }) }
    this.#send(this.#orders)
    await within(listenTimeout, this.#listening.promise)
  }

  /**
   * Has the worker processes import the module of a task that was defined after the Pool was made. Returns the module's
   * mark, for the task's chunks, unless its id says enough.
   */
  load({ id, url }: TaskInfo): string | undefined {
    if (url === undefined) return undefined
    const isLate = !this.#start.modules.includes(url)
    if (isLate && !this.#late.has(url)) {
      this.#late.add(url)
      this.#send({ type: 'load', modules: [url] })
    }
    return isLate || isReloaded(id) ? moduleMark(url) : undefined
  }

  /** Puts a shared value where the worker processes look for it first. Never rejects: else they fetch it from Redis. */
  place(content: SharedContent): Promise<void> {
    return new SharedFiles(this.#start.shared).put(content)
  }

  /**
   * Ends the supervisor and its worker processes: `drain` after the chunks in hand, `stop` now, `abandon` at once, as this
   * process itself can say nothing to Redis any more.
   */
  async end(how: 'drain' | 'stop' | 'abandon'): Promise<void> {
    this.#ending = true
    this.#listening.resolve()
    this.#send({ type: how })
    if (how === 'drain') return this.#exited
    if (!(await within(stopTimeout, this.#exited))) this.#child.kill('SIGKILL')
    await this.#exited
  }

  #spawn(): [ChildProcess, Promise<void>] {
    const started = startProgram(localSupervisorProgram(), [JSON.stringify(this.#start)], {
      execPath: process.execPath,
      execArgv: inheritedExecArgv(),
    })
    const { child } = started
    let failed = false
    const fail = (error: Error) => {
      failed = true
      this.#listening.resolve()
      if (!this.#ending) this.#onFailed(error)
    }
    const exited = new Promise<void>((resolve) => {
      this.#line = followProgram<FromLocalSupervisor, ToLocalSupervisor>(
        started,
        (message) => {
          if (message.type === 'listening') this.#listening.resolve()
          if (message.type === 'warning') this.#log.warn('POOLMQ_SLOW_START', message.text)
          if (message.type === 'failed') fail(decodeError(message.error))
        },
        ({ code, signal, cause }) => {
          if (cause !== undefined) this.#refused(cause, fail)
          else if (!failed) this.#left(child, code, signal)
          resolve()
        },
      )
    })
    // Neither the child nor its line keeps this process; open calls do.
    child.unref()
    this.#line?.unref()
    return [child, exited]
  }

  /** The system has no room for a supervisor now: it may have in a moment. */
  #refused(cause: unknown, fail: (error: Error) => void): void {
    if (this.#ending) return
    const next = this.#failures.failed({ error: cause, refused: true, began: performance.now() })
    if (typeof next !== 'number') fail(next)
    else
      setTimeout(() => {
        if (!this.#ending) this.#startAgain()
      }, next)
  }

  #startAgain(): void {
    ;[this.#child, this.#exited] = this.#spawn()
    if (this.#orders !== undefined) this.#send(this.#orders)
    if (this.#late.size > 0) this.#send({ type: 'load', modules: [...this.#late] })
  }

  #left(child: ChildProcess, exitCode: number | null, signal: string | null): void {
    if (this.#ending) return
    const lost = { supervisor: child.pid, exitCode, signal }
    this.#log.tell('warn', 'the supervisor of the pool’s own worker processes was lost', lost)
    if (this.#workDone() > this.#doneAtLoss) this.#lost = 0
    this.#doneAtLoss = this.#workDone()
    if (++this.#lost <= maxLost) {
      this.#startAgain()
      return
    }
    this.#listening.resolve() // nobody will
    const how = signal === null ? `exited with code ${exitCode}` : `was killed by ${signal}`
    const details = { starts: this.#lost, ...(exitCode !== null && { exitCode }), ...(signal !== null && { signal }) }
    const times = `${this.#lost} supervisors of this pool were lost one after the other`
    this.#onFailed(new WorkerLostError(`${times}; the last one (pid ${child.pid}) ${how}`, details))
  }

  #send(message: ToLocalSupervisor): void {
    this.#line?.send(message) // its exit tells what became of it
  }
}
