/**
 * Runs the initializer of a pool once in this worker process, before the first chunk of that pool, and knows the pools
 * whose initializer has failed for good on this host. One initializer leaves its state in a process: a pool of another
 * needs another process. Pools whose initializer and arguments are the same share one. It never retries in the same
 * process: like Python's, a worker process whose initializer threw is given up, and its supervisor starts another.
 */
import { createHash } from 'node:crypto'
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
import { Recent } from './recent.js'

export class InitializerFailure extends Error {
  constructor(
    readonly clientId: string,
    readonly reason: unknown,
  ) {
    super('the initializer of a pool threw')
  }
}

/** What a pool asks of the worker processes that run its chunks, without what only its initializer needs. */
export interface KnownSpec {
  readonly limits: Omit<PoolSpec, 'initializer'>
  /** Stands for the initializer and its arguments; undefined: there is none, and any process will do. */
  readonly key: string | undefined
}

/** Clients whose specs are remembered: a host may see many in its life, and each can be read again. */
const remembered = 100

export class Initializer {
  readonly #link: RedisLink
  readonly #keys: PoolKeys
  readonly #broken: ReadonlyMap<string, WireError>
  readonly #onInitialized: (clientId: string, key: string) => void
  readonly #specs = new Recent<string, KnownSpec>(remembered)
  /** The initializer of this process. */
  #run: { readonly key: string; readonly done: Promise<void> } | undefined

  constructor(
    link: RedisLink,
    keys: PoolKeys,
    broken: readonly (readonly [string, WireError])[],
    onInitialized: (clientId: string, key: string) => void,
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

  /** The clients that are known to be served by this process as it is. */
  get suited(): string[] {
    const key = this.#run?.key
    return key === undefined ? [] : this.#specs.keysOf((spec) => spec.key === key)
  }

  /**
   * Sees to it that the client's initializer has run in this process; returns the client's spec. Undefined when the
   * spec is gone with its client. Where another initializer has run before, `isSuited` tells.
   *
   * @throws InitializerFailure when the initializer throws.
   */
  async ensure(clientId: string, given?: PoolSpec): Promise<KnownSpec | undefined> {
    const known = this.#specs.get(clientId) ?? (await this.#meet(clientId, given))
    if (known !== undefined && this.#run?.key === known.key) await this.#run?.done
    return known
  }

  /** Whether this process may run the chunks of a pool. */
  isSuited({ key }: KnownSpec): boolean {
    return key === undefined || this.#run?.key === key
  }

  /** The initializer of the first pool that has one is this process's. */
  async #meet(clientId: string, given: PoolSpec | undefined): Promise<KnownSpec | undefined> {
    const spec = given ?? (await this.#read(clientId))
    if (spec === undefined) return undefined
    const { initializer, ...limits } = spec
    const key = initializer && keyOf(initializer)
    if (initializer !== undefined && key !== undefined && this.#run === undefined) {
      const done = initialize(clientId, initializer).then(() => this.#onInitialized(clientId, key))
      this.#run = { key, done }
    }
    const known = { limits, key }
    this.#specs.set(clientId, known)
    return known
  }

  async #read(clientId: string): Promise<PoolSpec | undefined> {
    const text = await this.#link.client.get(this.#keys.spec(clientId))
    return text === null ? undefined : parseSpec(text)
  }
}

/** The same for the same initializer with the same arguments, whoever asks for it. */
function keyOf({ task, args }: NonNullable<PoolSpec['initializer']>): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([task, args.encoding]))
    .update(args.text)
  return hash.digest('base64url').slice(0, 16)
}

async function initialize(clientId: string, initializer: NonNullable<PoolSpec['initializer']>): Promise<void> {
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
