/** Forks worker programs of a contestant; each says when it takes work. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

export interface ForkedWorkers {
  /** Resolves when each of them takes work. */
  readonly started: Promise<void>
  kill(): void
}

export function forkWorkers(url: URL, count: number, ...args: readonly string[]): ForkedWorkers {
  const children = Array.from({ length: count }, () => fork(url, args, { stdio: ['ignore', 2, 2, 'ipc'] }))
  const started = Promise.all(children.map((child) => ready(child))).then(() => undefined)
  started.catch(() => undefined)
  return {
    started,
    kill: () => {
      for (const child of children) child.kill('SIGKILL')
    },
  }
}

async function ready(child: ChildProcess): Promise<void> {
  const [message] = await Promise.race([once(child, 'message'), once(child, 'exit')])
  if (message !== 'ready') throw new Error(`a worker program ended with ${String(message)}`)
}
