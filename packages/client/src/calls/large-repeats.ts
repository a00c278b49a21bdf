/**
 * Notices a large object that stands in the items of many chunks, and so is sent many times, where it could be shared. It looks at large
 * chunks only, at few of their items and no deeper than their members, and tells once.
 */
import { weigh } from '@poolmq/shared'
import { sizeOf } from './backlog.js'
import type { EncodedChunk } from './chunker.js'

/** Bytes of a chunk, and of an object in it, from which on they are large. */
const large = 1024 * 1024
/** Chunks that an object must be found in. */
const many = 8
/** Items of a chunk, and members of each, that are looked at. */
const looked = 16

export class LargeRepeats {
  readonly #onFound: () => void
  /** In how many chunks an object was found. */
  readonly #found = new WeakMap<object, number>()
  #told = false

  constructor(onFound: () => void) {
    this.#onFound = onFound
  }

  /** @param items - those of the chunk */
  look(items: readonly unknown[], chunk: EncodedChunk): void {
    if (this.#told || sizeOf(chunk) < large) return
    for (const object of objectsIn(items)) {
      const count = (this.#found.get(object) ?? 0) + 1
      this.#found.set(object, count)
      if (count !== many || weigh(object, large) < large) continue
      this.#told = true
      this.#onFound()
      return
    }
  }
}

function objectsIn(items: readonly unknown[]): Set<object> {
  const objects = new Set<object>()
  const add = (value: unknown) => {
    if (typeof value === 'object' && value !== null) objects.add(value)
  }
  for (const item of items.slice(0, looked)) {
    add(item)
    for (const member of membersOf(item)) add(member)
  }
  return objects
}

function membersOf(item: unknown): readonly unknown[] {
  if (Array.isArray(item)) return item.slice(0, looked)
  if (typeof item !== 'object' || item === null || Object.getPrototypeOf(item) !== Object.prototype) return []
  const members = Object.getOwnPropertyDescriptors(item)
  // What a getter gives is made for whoever asks.
  return Object.values(members)
    .slice(0, looked)
    .map(({ value }) => value)
}
