/** Polls for what cannot be waited for: the state of other processes, of Redis, of files. Everything else is a latch. */
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Resolves with the first answer that satisfies; rejects, with the last answer, when there is none in time.
 *
 * @param limit - milliseconds
 */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  satisfies: (answer: T) => boolean,
  limit = 30_000,
): Promise<T> {
  for (const end = Date.now() + limit; ; await sleep(20)) {
    const answer = await ask()
    if (satisfies(answer)) return answer
    if (Date.now() > end) throw new Error(`${what}: not within ${limit} ms; the last was ${JSON.stringify(answer)}`)
  }
}
