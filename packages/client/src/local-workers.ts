/**
 * The worker processes that a Pool has on its own host: a supervisor in a process of its own, the program that remote
 * hosts run as well. It starts at once, with the Pool; where Redis is it learns later.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { type ConnectionDescriptor, decodeError, WorkerLostError, within } from '@poolmq/shared'
import {
  type EagerSpec,
  type FromLocalSupervisor,
  type LocalStart,
  localSupervisorProgram,
  type ToLocalSupervisor,
} from '@poolmq/worker'

/** Milliseconds that a supervisor has to end after it was told to stop. */
const stopTimeout = 5000

export class LocalWorkers {
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  readonly #modules: Set<string>
  #ending = false

  /**
   * @param onFailed - the supervisor could not keep its worker processes running, or has died
   */
  constructor(start: LocalStart, onFailed: (error: Error) => void) {
    this.#modules = new Set(start.modules)
    this.#child = fork(localSupervisorProgram, [JSON.stringify(start)], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    let failed = false
    const fail = (error: Error) => {
      if (failed || this.#ending) return
      failed = true
      onFailed(error)
    }
    this.#child.on('message', (message: FromLocalSupervisor) => {
      if (message.type === 'failed') fail(decodeError(message.error))
    })
    this.#exited = new Promise((resolve) => {
      this.#child.on('error', (error) => {
        fail(error)
        resolve()
      })
      this.#child.on('exit', (exitCode, signal) => {
        const how = signal === null ? `exited with code ${exitCode}` : `was killed by ${signal}`
        const details = { starts: 1, ...(exitCode !== null && { exitCode }), ...(signal !== null && { signal }) }
        fail(new WorkerLostError(`the pool's own supervisor (pid ${this.#child.pid}) ${how}`, details))
        resolve()
      })
    })
    // Neither the child nor its line keeps this process; open calls do.
    this.#child.unref()
    this.#child.channel?.unref()
  }

  /** Tells where Redis is. */
  start(connection: ConnectionDescriptor, eager: EagerSpec | undefined): void {
    this.#send({ type: 'start', connection, ...(eager && { eager }) })
  }

  /** Has the worker processes import the module of a task that was defined after the Pool was made. */
  load(url: string | undefined): void {
    if (url === undefined || this.#modules.has(url)) return
    this.#modules.add(url)
    this.#send({ type: 'load', modules: [url] })
  }

  /** Ends the supervisor and its worker processes: `drain` after the chunks in hand, `stop` now. */
  async end(how: 'drain' | 'stop'): Promise<void> {
    this.#ending = true
    this.#send({ type: how })
    if (how === 'drain') return this.#exited
    if (!(await within(stopTimeout, this.#exited))) this.#child.kill('SIGKILL')
    await this.#exited
  }

  #send(message: ToLocalSupervisor): void {
    if (this.#child.connected) this.#child.send(message, () => undefined) // its exit tells what became of it
  }
}
