/** A pool of worker threads that runs one task a message: no Redis, no chunks, one item a task. */
import { check, checkIdentities, type Player } from '../harness/contestant-process.js'
import { numbers, texts } from '../harness/inputs.js'

export const threadTasks = new URL('./thread-tasks.js', import.meta.url)

export type ThreadTask = 'identity' | 'echo' | 'fibonacci'

export function threadPlayer(
  run: (task: ThreadTask, item: unknown) => PromiseLike<unknown>,
  close: () => Promise<unknown>,
): Player {
  const all = (task: ThreadTask, input: readonly unknown[]) => Promise.all(input.map((item) => run(task, item)))
  return {
    async map({ items, chunk = 1 }, clock) {
      if (chunk !== 1) throw new Error('it has no chunks')
      const input = numbers(items)
      checkIdentities(await clock.time(() => all('identity', input)), items)
    },
    apply: ({ calls }, clock) => clock.timeEach(calls, async (i) => run('identity', i)),
    async echo({ items, bytes }, clock) {
      const input = texts(items, bytes)
      const results = await clock.time(() => all('echo', input))
      check(results[items - 1] === input[items - 1], 'the texts differ')
    },
    async fib({ items, n }, clock) {
      await clock.time(() => all('fibonacci', new Array<number>(items).fill(n)))
    },
    async close() {
      await close()
    },
  }
}
