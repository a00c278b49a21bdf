/**
 * A program under test in a process of its own, with all that it says, and with a mark in its environment by which it and
 * all its descendants are found in /proc, whoever their parent is by then.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { until } from './until.js'

export interface ProgramOptions {
  readonly env?: NodeJS.ProcessEnv
  /** In a process group of its own, as a terminal runs it. @defaultValue false */
  readonly group?: boolean
  /** What to run it with, before its own arguments. @defaultValue this Node */
  readonly command?: readonly string[]
}

export class ProgramRun implements AsyncDisposable {
  readonly pid: number
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  readonly #mark = `POOLMQ_TEST_MARK=${randomUUID()}`
  readonly #ended: Promise<unknown>
  readonly #silent: Promise<unknown>

  constructor(args: readonly string[], options: ProgramOptions = {}) {
    const [program = process.execPath, ...first] = options.command ?? [process.execPath]
    const [name = '', value = ''] = this.#mark.split('=')
    this.#child = spawn(program, [...first, ...args], {
      // Of the test's environment, what vitest has put there for itself is of no use to a program.
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...options.env, [name]: value },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: options.group === true,
    })
    this.pid = this.#child.pid ?? 0
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.#ended = once(this.#child, 'exit')
    this.#silent = once(this.#child, 'close')
  }

  /** The program's lines on standard error. */
  get complaints(): string[] {
    return this.stderr.split('\n').filter(Boolean)
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** What Ctrl-C in a terminal does. */
  killGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal)
  }

  /** Resolves when it has said this; rejects when it has ended without. */
  async says(what: string | RegExp, limit = 30_000): Promise<void> {
    const said = () => `${this.stdout}${this.stderr}`
    const found = (text: string) => (typeof what === 'string' ? text.includes(what) : what.test(text))
    const over = () => this.#child.exitCode !== null || this.#child.signalCode !== null
    await until(`the program says ${String(what)}`, said, (text) => found(text) || over(), limit)
    if (!found(said())) throw new Error(`the program ended without saying ${String(what)}; it said ${said()}`)
  }

  /** Its exit code, or the signal that ended it. Rejects when it does not end by itself in time. */
  async exit(limit = 30_000): Promise<number | NodeJS.Signals> {
    await this.#within(limit, this.#ended, 'did not end')
    return this.#child.exitCode ?? (this.#child.signalCode as NodeJS.Signals)
  }

  /** Resolves when nobody can say anything more in its name: it has ended, and no other process holds its output. */
  async silent(limit = 30_000): Promise<void> {
    await this.#within(limit, this.#silent, 'has left its output open')
  }

  async #within(limit: number, promise: Promise<unknown>, what: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const give = () =>
        reject(new Error(`the program ${what} within ${limit} ms; it said ${this.stdout}${this.stderr}`))
      timer = setTimeout(give, limit)
    })
    try {
      await Promise.race([promise, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** The command lines of the processes that are left of it, by pid: its own, and those of its descendants. */
  processes(): Map<number, string> {
    const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    const marked = new Set(all.filter((pid) => read(pid, 'environ').includes(this.#mark)))
    // A redis-server writes its title over its environment: it is known by the session of the shell that started it.
    const its = all.filter((pid) => marked.has(pid) || marked.has(sessionOf(pid)))
    const commands = its.map((pid) => [Number(pid), read(pid, 'cmdline').replaceAll('\0', ' ').trim()] as const)
    // One that has ended, and that nobody has waited for yet, has none.
    return new Map(commands.filter(([, command]) => command !== ''))
  }

  /** Nothing of a test outlives it, whatever became of the test. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.processes().keys()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // it has ended meanwhile
      }
    }
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.#ended
  }
}

/** What /proc says of a process; nothing when it has ended meanwhile. */
function read(pid: string, file: 'environ' | 'cmdline' | 'stat'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return ''
  }
}

/** The process that leads the session of this one. */
function sessionOf(pid: string): string {
  const stat = read(pid, 'stat')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3] ?? ''
}

/** The path of a compiled fixture. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/dist/${name}.js`, import.meta.url))
}

/** The path of the command `poolmq`. */
export const poolmqCommand = fileURLToPath(new URL('../../packages/worker/bin/poolmq.js', import.meta.url))
