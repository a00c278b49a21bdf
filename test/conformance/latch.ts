/** What a case and its tasks, in whatever process or thread, tell each other through files. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Shut until somebody opens it; a file that is absent or present. */
export class Latch {
  constructor(readonly path: string) {}

  open(): void {
    appendFileSync(this.path, '')
  }

  /** Resolves when it is open. The case's outer deadline bounds the wait. */
  async opened(): Promise<void> {
    await eventually(() => existsSync(this.path))
  }
}

/** Lines that tasks append. */
export class Log {
  constructor(readonly path: string) {}

  lines(): string[] {
    return existsSync(this.path) ? readFileSync(this.path, 'utf8').split('\n').filter(Boolean) : []
  }

  numbers(): number[] {
    return this.lines()
      .map(Number)
      .sort((a, b) => a - b)
  }

  async reaches(count: number): Promise<void> {
    await eventually(() => this.lines().length >= count)
  }
}

/** Waits until the condition holds; resolves with whether it did within the time. */
export async function eventually(condition: () => boolean, milliseconds = 20_000): Promise<boolean> {
  const deadline = Date.now() + milliseconds
  while (!condition()) {
    if (Date.now() > deadline) return false
    await sleep(5)
  }
  return true
}
