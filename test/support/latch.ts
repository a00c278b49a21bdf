/** What a test and its tasks, which run in other processes, tell each other: files in a directory of the test's own. */
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './until.js'

/** A directory for latches and logs, removed when the test's scope ends. */
export class Scratch implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'poolmq-test-'))

  latch(name: string): Latch {
    return new Latch(join(this.directory, name))
  }

  log(name: string): Log {
    return new Log(join(this.directory, name))
  }

  /** Shuts a latch again. */
  remove(name: string): void {
    rmSync(join(this.directory, name), { force: true })
  }

  /** What is in it. */
  names(): string[] {
    return readdirSync(this.directory)
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Shut until somebody opens it. */
export class Latch {
  constructor(readonly path: string) {}

  get isOpen(): boolean {
    return existsSync(this.path)
  }

  open(): void {
    appendFileSync(this.path, '')
  }

  /** Resolves when it is open, by a task as a rule. */
  async opened(): Promise<void> {
    await until(`the latch ${this.path}`, () => this.isOpen, Boolean)
  }
}

/** Lines that tasks append. */
export class Log {
  constructor(readonly path: string) {}

  get lines(): string[] {
    return existsSync(this.path) ? readFileSync(this.path, 'utf8').split('\n').filter(Boolean) : []
  }
}
