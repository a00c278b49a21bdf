/**
 * Runs the initializer of a pool once in this worker process, before the first chunk of that pool, and knows the pools
 * whose initializer has failed for good on this host. It never retries in the same process: like Python's, a worker
 * process whose initializer threw is given up, and its supervisor starts another, three times at most.
 */
import {
  decodeError,
  decodePayload,
  findTask,
  InitializerError,
  type PoolKeys,
  type PoolSpec,
  parseSpec,
  type RedisLink,
  UnknownTaskError,
  type WireError,
} from '@poolmq/shared'

export class InitializerFailure extends Error {
  constructor(
    readonly clientId: string,
    readonly reason: unknown,
  ) {
    super('the initializer of a pool threw')
  }
}

export class Initializer {
  readonly #link: RedisLink
  readonly #keys: PoolKeys
  readonly #broken: ReadonlyMap<string, WireError>
  readonly #specs = new Map<string, Promise<PoolSpec>>()

  readonly #onInitialized: (clientId: string) => void

  constructor(
    link: RedisLink,
    keys: PoolKeys,
    broken: readonly (readonly [string, WireError])[],
    onInitialized: (clientId: string) => void,
  ) {
    this.#onInitialized = onInitialized
    this.#link = link
    this.#keys = keys
    this.#broken = new Map(broken)
  }

  /** The error of a client's pool whose initializer has failed for good on this host. */
  brokenBy(clientId: string): InitializerError | undefined {
    const wire = this.#broken.get(clientId)
    if (wire === undefined) return undefined
    const cause = decodeError(wire)
    return new InitializerError(
      `the initializer failed in three worker processes one after the other: ${cause.message}`,
      {
        cause,
      },
    )
  }

  /**
   * Sees to it that the client's initializer has run in this process; returns the client's spec. Undefined when the
   * spec is gone with its client.
   *
   * @throws InitializerFailure when the initializer throws.
   */
  async ensure(clientId: string, given?: PoolSpec): Promise<PoolSpec | undefined> {
    let running = this.#specs.get(clientId)
    if (running === undefined) {
      const spec = given ?? (await this.#read(clientId))
      if (spec === undefined) return undefined
      running = initialize(clientId, spec).then(() => {
        this.#onInitialized(clientId)
        return spec
      })
      this.#specs.set(clientId, running)
    }
    return running
  }

  async #read(clientId: string): Promise<PoolSpec | undefined> {
    const text = await this.#link.client.get(this.#keys.spec(clientId))
    return text === null ? undefined : parseSpec(text)
  }
}

async function initialize(clientId: string, spec: PoolSpec): Promise<void> {
  const { initializer } = spec
  if (initializer === undefined) return
  try {
    const task = findTask(initializer.task)
    if (task === undefined) {
      throw new UnknownTaskError(`this worker has no task ${initializer.task}, the initializer of the pool`, {
        taskId: initializer.task,
      })
    }
    await task(...(decodePayload(initializer.args) as unknown[]))
  } catch (error) {
    throw new InitializerFailure(clientId, error)
  }
}
