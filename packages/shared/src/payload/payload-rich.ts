import { stringify, unflatten } from 'devalue'
import { createFromParts, fillFromParts, readError, setPairs } from '../errors/error-parts.js'
import { hasExtraKeys, isError, kindOf } from './payload-kind.js'

/**
 * The slow path: what structured clone carries and JSON does not, as devalue writes it, with three additions: Buffers,
 * errors, and objects and arrays with keys that devalue does not carry. It expects values that `findUncarried` has
 * passed, and may throw anything; codec.ts makes EncodingErrors of it.
 */

const REDUCERS = {
  Buffer: (value: unknown) => Buffer.isBuffer(value) && reduceBuffer(value),
  Error: (value: unknown) => isError(value) && readError(value),
  Keyed: (value: unknown) => typeof value === 'object' && value !== null && reduceKeyed(value),
}

export function stringifyRich(value: unknown): string {
  // devalue asks a value's Symbol.toStringTag what it is, and its `then` whether it is a promise. We know better.
  return stringify(value, REDUCERS, {
    operations: { tagOf: (thing: object) => kindOf(thing) ?? 'unknown', isThenable: () => false },
  })
}

/** Throws on text that {@link stringifyRich} never writes. */
export function parseRich(text: string): unknown {
  const flat: unknown = JSON.parse(text)
  if (typeof flat !== 'number' && !Array.isArray(flat)) throw new Error('it is neither a list nor a number')
  if (Array.isArray(flat)) flat.forEach(checkNumbers)
  // The revivers are made anew for each text: they remember what they have begun.
  return unflatten(flat, {
    Buffer: reviveBuffer,
    Error: revivingCycles(createFromParts, fillFromParts),
    Keyed: revivingCycles(createKeyed, (target, pairs: readonly unknown[]) => setPairs(target, pairs, 1)),
  })
}

/** Numbers in an entry are indices, lengths and devalue's seven sentinels. It would read others as undefined. */
function checkNumbers(entry: unknown): void {
  if (typeof entry !== 'object' || entry === null) return
  for (const part of Object.values(entry)) {
    if (typeof part === 'number' && !(Number.isInteger(part) && part >= -7)) throw new Error(`${part} is no index`)
  }
}

function reduceBuffer(buffer: Buffer): Uint8Array {
  // Sharing is only kept by Buffers that have their memory to themselves. Any other may be a slice of Node's pool, whose
  // 8 KB hold what other code has read and written: it takes along its own bytes alone.
  return buffer.byteLength === buffer.buffer.byteLength ? new Uint8Array(buffer.buffer) : new Uint8Array(buffer)
}

function reviveBuffer(bytes: unknown): Buffer {
  if (!(bytes instanceof Uint8Array)) throw new Error('a Buffer without bytes')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** `[length of the array or kind of the object, key, value, key, value …]` */
type Keyed = readonly unknown[]

function reduceKeyed(value: object): Keyed | undefined {
  const kind = kindOf(value)
  if (kind === 'Array') {
    const array = value as readonly unknown[]
    return hasExtraKeys(array) ? [array.length, ...Object.entries(array).flat(1)] : undefined
  }
  if (kind !== 'Object' && kind !== 'null') return undefined
  return Object.hasOwn(value, '__proto__') ? [kind, ...Object.entries(value).flat(1)] : undefined
}

function createKeyed(pairs: Keyed): object {
  const base = pairs[0]
  if (base === 'Object') return {}
  if (base === 'null') return Object.create(null)
  if (typeof base !== 'number') throw new Error('properties of an unknown kind of object')
  const array: unknown[] = []
  // An index this high makes V8 keep the elements in a dictionary, so that a length costs no memory: it may be a lie.
  if (base > pairs.length) {
    array[2 ** 32 - 2] = undefined
    delete array[2 ** 32 - 2]
  }
  array.length = base
  return array
}

/**
 * A reviver for payloads that may lead back to themselves. devalue revives such a payload twice: when the cycle closes,
 * with what is there by then, and at its end. Both times it has to be the same object. A third time is no text of ours,
 * and many entries with one large payload would take quadratic time.
 */
function revivingCycles<P extends object, T extends object>(
  create: (payload: P) => T,
  fill: (target: T, payload: P) => void,
): (payload: P) => T {
  const begun = new Map<P, { readonly target: T; revived: number }>()
  return (payload) => {
    if (typeof payload !== 'object' || payload === null) throw new Error('an entry without content')
    const shell = begun.get(payload) ?? { target: create(payload), revived: 0 }
    begun.set(payload, shell)
    shell.revived += 1
    if (shell.revived > 2) throw new Error('an entry that is used again')
    fill(shell.target, payload)
    return shell.target
  }
}
