import { decodeError, encodeError, type InitializerError, type PoolSpec, type SharedContent } from '@poolmq/shared'
import { givenUp, initialize } from '../process/initializer.js'
import { mostRounds } from '../supervisor/initializer-failures.js'
import { decodedHere, outside } from './inline-chunk.js'

/**
 * A pool's initializer, run once in this process, at once. One that throws is tried as often as on a host, without the pauses:
 * what it needs is not away for a second here.
 *
 * @param shared - the shared values that its arguments hold
 * @returns what resolves when it has run, and rejects with InitializerError
 */
export function runInitializer(
  initializer: PoolSpec['initializer'],
  shared: readonly SharedContent[],
): () => Promise<void> {
  const done = initializer === undefined ? Promise.resolve(undefined) : outside(() => tryAll(initializer, shared))
  return async () => {
    const failure = await done
    if (failure !== undefined) throw failure
  }
}

/** What it fails with in the end, if it does. */
async function tryAll(
  initializer: NonNullable<PoolSpec['initializer']>,
  shared: readonly SharedContent[],
): Promise<InitializerError | undefined> {
  for (let tries = 1; ; tries++) {
    try {
      await initialize(initializer, decodedHere(shared))
      return undefined
    } catch (error) {
      if (tries === mostRounds) return givenUp(decodeError(encodeError(error)))
    }
  }
}
