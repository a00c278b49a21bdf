/** What `pool.share` gives: an object that stands for a value which was sent once, wherever tasks take that value. */
import { type SharedContent, standFor } from '@poolmq/shared'

declare const valueType: unique symbol

/**
 * A value that a pool's workers have in common: it is sent once, fetched once by each host and decoded once by each process.
 * Made by {@link Pool.share}. It stands in the place of the value, anywhere in the arguments and items of calls and in `initArgs`, any number
 * of times; the task is given the value itself.
 */
export interface SharedValue<out T> {
  readonly [valueType]: T
  /** SHA-256 of the value as it is encoded, in base64url: the same for the same value, whoever shares it. */
  readonly hash: string
  /** Bytes that it is encoded in. */
  readonly size: number
  /**
   * No further call uses it: Redis forgets it within a minute, once no call that was made with it is open and no other client shares it.
   * Without it that happens when the pool ends. Used in a call all the same, the value is sent again.
   */
  release(): void
}

/** @param release - what its `release` does */
export function sharedValue<T>(content: SharedContent, release: () => void): SharedValue<T> {
  return new StandIn(content, release) as unknown as SharedValue<T>
}

class StandIn implements Omit<SharedValue<unknown>, typeof valueType> {
  readonly hash: string
  readonly size: number
  readonly #release: () => void

  constructor(content: SharedContent, release: () => void) {
    this.hash = content.hash
    this.size = content.size
    this.#release = release
    standFor(this, content)
  }

  release(): void {
    this.#release()
  }

  toString(): string {
    return `<SharedValue ${this.hash} size=${this.size}>`
  }
}

/** Values that have no members to be replaced. */
export type WholeValue =
  | ((...args: never[]) => unknown)
  | ArrayBufferLike
  | ArrayBufferView
  | Date
  | Error
  | RegExp
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | URL
  | URLSearchParams

/** What a task that takes a `T` may be given: a `T`, a shared one, or one some of whose members are shared. */
export type Sharable<T> =
  | T
  | SharedValue<T>
  | (T extends WholeValue ? never : T extends object ? { [K in keyof T]: Sharable<T[K]> } : never)

/** The same of a list of arguments. */
export type SharableArguments<A extends readonly unknown[]> = { [K in keyof A]: Sharable<A[K]> }
