/** Forks worker programs of a contestant, and waits until each says that it takes work. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

export async function forkWorkers(url: URL, count: number, argument: string): Promise<{ kill(): void }> {
  const children = Array.from({ length: count }, () => fork(url, [argument], { stdio: ['ignore', 2, 2, 'ipc'] }))
  await Promise.all(children.map((child) => ready(child)))
  return {
    kill: () => {
      for (const child of children) child.kill('SIGKILL')
    },
  }
}

async function ready(child: ChildProcess): Promise<void> {
  const [message] = await Promise.race([once(child, 'message'), once(child, 'exit')])
  if (message !== 'ready') throw new Error(`a worker program ended with ${String(message)}`)
}
