/**
 * Runs the initializer of a pool once in this worker process, before the first chunk of that pool, and knows which have
 * failed on this host. One initializer leaves its state in a process: a pool of another needs another process. Pools whose
 * initializer and arguments are the same share one. It never retries in the same process: like Python's, a worker process
 * whose initializer threw is given up, and its supervisor starts another.
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
  Recent,
  type RedisLink,
  type SharedValues,
  UnknownTaskError,
} from '@poolmq/shared'
import { hostNow } from '../line/host-clock.js'
import type { InitializerState } from '../line/messages.js'
import type { SharedValueCache } from './shared-values.js'

export class InitializerFailure extends Error {
  constructor(
    readonly clientId: string,
    readonly key: string,
    /** When it was begun, by the host's clock. */
    readonly began: number,
    readonly reason: unknown,
  ) {
    super('the initializer of a pool threw')
  }
}

/** What a pool asks of the worker processes that run its chunks, without what only its initializer needs. */
interface KnownSpec {
  readonly limits: Limits
  /** Stands for the initializer and its arguments; undefined: there is none, and any process will do. */
  readonly key: string | undefined
}

export type Limits = Omit<PoolSpec, 'initializer'>

/** Whether this process may run the chunks of a client. */
export type Fitness =
  | { readonly fit: 'now'; readonly limits: Limits }
  /** Its initializer has failed, and rests for so many milliseconds; or what it is given is `missing` in Redis. */
  | { readonly fit: 'later'; readonly milliseconds: number; readonly missing?: true }
  /** Another has run here. */
  | { readonly fit: 'never'; readonly key: string }
  /** It is not here in the version that is meant. */
  | { readonly fit: 'elsewhere'; readonly task: string; readonly version: string }

/** Milliseconds before it is looked again for a shared value among the arguments, which its client has not sent yet, or sends again. */
const sharedPause = 100
/** Clients that are remembered: a host may see many in its life, and each can be looked up again. */
const remembered = 100

export class Initializer {
  readonly #link: RedisLink
  readonly #keys: PoolKeys
  readonly #shared: SharedValueCache
  readonly #onInitialized: (clientId: string, key: string) => void
  readonly #onRunning: (task: string | undefined) => void
  readonly #specs = new Recent<string, KnownSpec>(remembered)
  readonly #failed = new Recent<string, InitializerState>(remembered)
  /** The initializer of this process. */
  #run: { readonly key: string; readonly done: Promise<void> } | undefined

  constructor(
    link: RedisLink,
    keys: PoolKeys,
    shared: SharedValueCache,
    failed: readonly InitializerState[],
    onInitialized: (clientId: string, key: string) => void,
    onRunning: (task: string | undefined) => void = () => undefined,
  ) {
    this.#onRunning = onRunning
    this.#onInitialized = onInitialized
    this.#link = link
    this.#shared = shared
    this.#keys = keys
    for (const state of failed) this.note(state)
  }

  /** What has become of an initializer in another process of this host. */
  note(state: InitializerState): void {
    this.#failed.set(state.clientId, state)
  }

  /** How many clients it knows. */
  get size(): number {
    return this.#specs.size + this.#failed.size
  }

  /** The clients that are known to be served by this process as it is. */
  get suited(): string[] {
    const key = this.#run?.key
    // A durable call has a spec for each run.
    return key === undefined ? [] : this.#specs.keysOf((spec) => spec.key === key).map((id) => id.split('.')[0] ?? id)
  }

  /**
   * Sees to it that the client's initializer has run in this process, if it may. Undefined when the spec is gone with its
   * client.
   *
   * @throws InitializerFailure when the initializer throws.
   * @throws InitializerError when it has been given up on this host.
   */
  async ensure(clientId: string, given?: PoolSpec): Promise<Fitness | undefined> {
    let known = this.#specs.get(clientId)
    if (known === undefined || this.#run === undefined) {
      const spec = given ?? (await this.#read(clientId))
      if (spec === undefined) return undefined
      const { initializer, ...limits } = spec
      known = { limits, key: initializer && keyOf(initializer) }
      if (initializer?.version !== undefined && findOf(initializer) === undefined) {
        return { fit: 'elsewhere', task: initializer.task, version: initializer.version }
      }
      this.#specs.set(clientId, known)
      const mayRun = () => this.#run === undefined && this.#restOf(clientId) === 0
      if (initializer !== undefined && known.key !== undefined && mayRun()) {
        const values = initializer.shared && (await this.#shared.have(initializer.shared))
        if (initializer.shared !== undefined && values === undefined) {
          return { fit: 'later', milliseconds: sharedPause, missing: true }
        }
        if (mayRun()) this.#start(clientId, known.key, initializer, values)
      }
    }
    const { key, limits } = known
    if (key !== undefined && this.#run?.key !== key) {
      const milliseconds = this.#restOf(clientId)
      return milliseconds > 0 ? { fit: 'later', milliseconds } : { fit: 'never', key }
    }
    if (key !== undefined) await this.#run?.done
    return { fit: 'now', limits }
  }

  /** Milliseconds before a client's initializer may be tried. @throws InitializerError when it is given up. */
  #restOf(clientId: string): number {
    const state = this.#failed.get(clientId)
    if (state === undefined) return 0
    if (state.broken === undefined) return Math.max(0, state.restsUntil - hostNow())
    throw givenUp(decodeError(state.broken))
  }

  #start(
    clientId: string,
    key: string,
    initializer: NonNullable<PoolSpec['initializer']>,
    values: SharedValues | undefined,
  ): void {
    const began = hostNow()
    this.#onRunning(initializer.task)
    const done = initialize(initializer, values)
      .finally(() => this.#onRunning(undefined))
      .then(
        () => this.#onInitialized(clientId, key),
        (error: unknown) => {
          throw new InitializerFailure(clientId, key, began, error)
        },
      )
    this.#run = { key, done }
  }

  async #read(clientId: string): Promise<PoolSpec | undefined> {
    const text = await this.#link.client.get(this.#keys.spec(clientId))
    return text === null ? undefined : parseSpec(text)
  }
}

/** What the calls of a pool fail with whose initializer has failed too often. */
export function givenUp(cause: Error): InitializerError {
  return new InitializerError(`the initializer failed three times in a row: ${cause.message}`, { cause })
}

/** The same for the same initializer with the same arguments, whoever asks for it. */
function keyOf({ task, args, version }: NonNullable<PoolSpec['initializer']>): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([task, args.encoding, version]))
    .update(args.text)
  return hash.digest('base64url').slice(0, 16)
}

const findOf = ({ task, version }: NonNullable<PoolSpec['initializer']>) => findTask(task, undefined, version)

/**
 * Runs it.
 *
 * @param values - the shared values that its arguments hold
 * @throws what it throws; UnknownTaskError when this process has no such task
 */
export async function initialize(
  initializer: NonNullable<PoolSpec['initializer']>,
  values?: SharedValues,
): Promise<void> {
  const task = findOf(initializer)
  if (task === undefined) {
    throw new UnknownTaskError(`this worker has no task ${initializer.task}, the initializer of the pool`, {
      taskId: initializer.task,
    })
  }
  await task(...(decodePayload(initializer.args, values) as unknown[]))
}
