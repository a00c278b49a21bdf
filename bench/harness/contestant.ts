/**
 * A contestant: a process of its own that holds one library's client and starts its workers, and does jobs on demand.
 * Time is taken inside it, so that this line of JSON costs the figures nothing. It stays open between the rounds, idle
 * while others have their turn.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Answer, Hello, Job, Op } from './job.js'

/** Milliseconds that opening, a job and closing may take before the contestant is given up. */
const openLimit = 60_000
const jobLimit = 180_000
const closeLimit = 15_000

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export class Contestant {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #said: string[] = []
  #ops: ReadonlySet<Op> = new Set()

  private constructor({ program, args, env }: Command) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    this.#child.on('error', (error) => this.#said.push(error.message))
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said.push(text)
      if (this.#said.length > 200) this.#said.shift()
    })
    const { stdout } = this.#child
    if (stdout === null) throw new Error('a contestant without a standard output')
    this.#lines = createInterface(stdout)[Symbol.asyncIterator]()
  }

  /** @throws Error with the last lines of its standard error when it does not come up. */
  static async open(command: Command): Promise<Contestant> {
    const contestant = new Contestant(command)
    try {
      const hello = (await contestant.#read(openLimit)) as unknown as Hello
      contestant.#ops = new Set(hello.ops)
      return contestant
    } catch (error) {
      await contestant.close()
      throw error
    }
  }

  /** Starts a program that needs no orders. */
  static start(command: Command): Contestant {
    return new Contestant(command)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  can(op: Op): boolean {
    return this.#ops.has(op)
  }

  /** @throws Error when the contestant fails at the job, or gives a wrong result. */
  async run(job: Job): Promise<Answer> {
    this.#child.stdin?.write(`${JSON.stringify(job)}\n`)
    return this.answer()
  }

  /** The next answer, without having asked. */
  async answer(): Promise<Answer> {
    return (await this.#read(jobLimit)) as unknown as Answer
  }

  /** Lets it end its workers and itself. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined) return
    const exited = once(this.#child, 'exit')
    this.#child.stdin?.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), closeLimit)
    await exited
    clearTimeout(timer)
  }

  async #read(limit: number): Promise<Record<string, unknown>> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), limit)
    try {
      for (;;) {
        const { value: line, done } = await this.#lines.next()
        if (done === true)
          throw new Error(`the contestant ended, or took more than ${limit} ms:\n${this.#said.join('')}`)
        if (!line.startsWith('{')) continue // a library that prints
        const answer = JSON.parse(line) as Record<string, unknown>
        if (typeof answer.error === 'string') throw new Error(answer.error)
        return answer
      }
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Runs a program that gives one answer and ends. */
export async function runOnce(command: Command): Promise<Answer> {
  const contestant = Contestant.start(command)
  try {
    return await contestant.answer()
  } finally {
    await contestant.close()
  }
}
