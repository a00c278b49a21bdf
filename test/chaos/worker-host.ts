/**
 * A worker host: the command `poolmq worker` in a process of its own, started again when it has ended. Its processes are
 * found by a mark in their environment, whoever their parent is by then.
 */
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'

export interface WorkerHostOptions {
  readonly pool: string
  readonly redis: string
  readonly processes?: number
  /** Tasks at a time in each worker process. @defaultValue 1 */
  readonly concurrency?: number
  /** Milliseconds. */
  readonly lease?: number
  readonly drain?: number
  /** The compiled fixtures with its tasks. */
  readonly tasks?: string | readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

export class WorkerHost implements AsyncDisposable {
  readonly #options: WorkerHostOptions
  #run: ProgramRun
  /** What it said in the runs that have ended. */
  #earlier = ''

  constructor(options: WorkerHostOptions) {
    this.#options = options
    this.#run = this.#spawn()
  }

  /** Resolves when its worker processes take chunks. */
  static async start(options: WorkerHostOptions): Promise<WorkerHost> {
    const host = new WorkerHost(options)
    await host.serves()
    return host
  }

  #spawn(): ProgramRun {
    const {
      pool,
      redis,
      processes = 2,
      concurrency,
      lease = 2000,
      drain = 20_000,
      tasks = 'chaos-tasks',
      env = {},
    } = this.#options
    const lanes = concurrency === undefined ? [] : ['--concurrency', String(concurrency)]
    const limits = ['--processes', String(processes), ...lanes, '--lease', String(lease), '--drain', String(drain)]
    const modules = [tasks].flat().map(fixture)
    return new ProgramRun([poolmqCommand, 'worker', '--pool', pool, ...limits, '--redis', redis, ...modules], { env })
  }

  get pid(): number {
    return this.#run.pid
  }

  /** All that it has said on standard error. */
  get complaints(): string {
    return `${this.#earlier}${this.#run.stderr}`
  }

  async serves(limit = 30_000): Promise<void> {
    await this.#run.says('serving pool', limit)
  }

  /** The process ids of its worker processes. */
  get workers(): number[] {
    return [...this.#run.processes().keys()].filter((pid) => pid !== this.#run.pid)
  }

  /** The command lines of all its processes, by pid. */
  get processes(): Map<number, string> {
    return this.#run.processes()
  }

  /** Kills the supervisor and its worker processes, as the loss of the machine does. */
  kill(): void {
    // The supervisor first: it starts no other worker process then.
    for (const pid of [this.#run.pid, ...this.workers]) sendSignal(pid, 'SIGKILL')
  }

  /** Sends a signal to the supervisor alone. */
  signal(signal: NodeJS.Signals): void {
    sendSignal(this.#run.pid, signal)
  }

  exit(limit = 30_000): Promise<number | NodeJS.Signals> {
    return this.#run.exit(limit)
  }

  /** Starts it again after its end. */
  async restart(): Promise<void> {
    this.#earlier = this.complaints.slice(-100_000)
    await this.#run[Symbol.asyncDispose]()
    this.#run = this.#spawn()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run[Symbol.asyncDispose]()
  }
}

/** A process may have ended before the signal reaches it. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
