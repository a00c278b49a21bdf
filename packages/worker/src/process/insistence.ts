/**
 * How a worker process asks Redis for what it cannot go on without: again and again, until Redis lets it. Its supervisor
 * ends the process when there is no more point in it.
 */
import { setTimeout as delay } from 'node:timers/promises'

/** Does it until it succeeds. @param isFinal - errors that are no reason to ask again */
export type Insist = <T>(action: () => Promise<T>, isFinal?: (error: unknown) => boolean) => Promise<T>

/** @param log - is told of the first failure in a row, and of each tenth after it */
export function insistence(log: (error: unknown) => void): Insist {
  const again = async <T>(
    error: unknown,
    action: () => Promise<T>,
    isFinal: (error: unknown) => boolean,
  ): Promise<T> => {
    let failure = error
    for (let tries = 0; ; tries++) {
      if (isFinal(failure)) throw failure
      if (tries % 10 === 0) log(failure)
      await delay(Math.min(50 * 2 ** tries, 1000))
      try {
        return await action()
      } catch (error) {
        failure = error
      }
    }
  }
  // What succeeds at once, as nearly all does, costs one promise.
  return (action, isFinal = () => false) => action().catch((error: unknown) => again(error, action, isFinal))
}
