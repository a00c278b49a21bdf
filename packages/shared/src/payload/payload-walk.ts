import { types } from 'node:util'
import { attempt } from '../attempt.js'
import { describeValue } from '../value-description.js'
import { classNameOf, hasExtraKeys, kindOf, MANY_ELEMENTS } from './payload-kind.js'
import { contentOf } from './shared-content.js'

/** A part of a value that is not carried to another process. */
export interface Uncarried {
  /** Where it is below the value, as `.options[2].fn`; empty for the value itself. */
  readonly path: string
  /** What it is and what to do, to be read after its place: `is a function …`. */
  readonly reason: string
  /** The part itself. */
  readonly value: unknown
  /** What a getter or a Proxy threw when it was read. */
  readonly cause?: unknown
}

/** A value to be looked at. The path is only put together, from the parents, when something is wrong with it. */
interface Step {
  readonly value: unknown
  readonly parent?: Step
  readonly segment?: Segment
}

/** A property key, an index, or what writes the way to a member of a Map or a Set. */
type Segment = string | number | (() => string)

/** A longer array is a sparse one. */
const LONGEST_PASSED = 2 ** 26

const UNREADABLE = 'threw when it was read (by a getter or a Proxy): pass plain data'
const SHARED_MEMORY = 'is shared memory, which does not reach another process: pass a copy'

const DETACHED = 'is detached, as its memory was transferred to somebody else: pass a copy that was made before'

/** `ArrayBuffer.prototype.detached` came with Node.js 21. */
function isDetached(memory: ArrayBuffer): boolean {
  return memory.byteLength === 0 && attempt(() => new Uint8Array(memory)) === undefined
}

/**
 * Finds a part of `value` that is not carried, or `undefined` when all of it is. Bears cycles, any depth (it does not
 * recurse) and values that throw when they are read. Errors are always carried: what they hold that is not, they drop.
 */
export function findUncarried(value: unknown): Uncarried | undefined {
  if (isPassive(value)) return undefined
  const seen = new Set<object>()
  const steps: Step[] = [{ value }]
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    const current = step.value
    if (typeof current === 'object' && current !== null) {
      if (seen.has(current)) continue
      seen.add(current)
    }
    try {
      const found = whyUncarried(current)
      if (found !== undefined) return { path: pathTo(step), reason: found, value: current }
      const unreadable = pushMembers(step, steps)
      if (unreadable !== undefined) return unreadable
    } catch (cause) {
      return { path: pathTo(step), reason: UNREADABLE, value: current, cause }
    }
  }
  return undefined
}

function whyUncarried(value: unknown): string | undefined {
  if (typeof value === 'function') return 'is a function, and code does not travel: pass data, or the id of a task'
  if (typeof value === 'symbol') return 'is a symbol, which means nothing in another process: pass a string'
  if (typeof value !== 'object' || value === null) return undefined
  if (types.isPromise(value)) return 'is a Promise: await it first'
  const memory = ArrayBuffer.isView(value) ? value.buffer : value
  if (types.isSharedArrayBuffer(memory)) return SHARED_MEMORY
  if (types.isArrayBuffer(memory) && isDetached(memory)) return DETACHED
  const kind = kindOf(value)
  if (kind === undefined) {
    if (contentOf(value) !== undefined) return undefined
    const name = classNameOf(value)
    const what = name === undefined ? 'has a prototype of its own' : `is an instance of ${name}`
    return `${what} and would lose its class: pass plain data and build it again on the other side`
  }
  const symbol = kind === 'Object' || kind === 'null' || kind === 'Array' ? symbolKeyOf(value) : undefined
  return symbol && `has a property with the symbol ${String(symbol)} as its key: use a string`
}

function symbolKeyOf(value: object): symbol | undefined {
  const isEnumerable = Object.prototype.propertyIsEnumerable
  return Object.getOwnPropertySymbols(value).find((key) => isEnumerable.call(value, key))
}

/** Puts the members that are worth a look on `steps`. Returns a member that cannot even be read. */
function pushMembers(parent: Step, steps: Step[]): Uncarried | undefined {
  const { value } = parent
  if (typeof value !== 'object' || value === null) return undefined
  const push = (member: unknown, segment: Segment): void => {
    if (isPassive(member)) return
    steps.push({ value: member, parent, segment })
  }
  let nth = 0
  switch (kindOf(value)) {
    case 'Map':
      for (const [key, member] of value as Map<unknown, unknown>) {
        const at = nth++
        push(key, () => `.keys()[${at}]`)
        push(member, () => `.get(${describeValue(key)})`)
      }
      return undefined
    case 'Set':
      for (const member of value as Set<unknown>) {
        const at = nth++
        push(member, () => `.values()[${at}]`)
      }
      return undefined
    case 'Object':
    case 'null':
    case 'Array':
      for (const key of namesOf(value)) {
        try {
          push((value as Record<string, unknown>)[key], key)
        } catch (cause) {
          return { path: pathTo({ value, parent, segment: key }), reason: UNREADABLE, value: undefined, cause }
        }
      }
      return undefined
    default:
      return undefined
  }
}

/** The keys that are worth a look: those of a long list of numbers or texts would take more memory than the list. */
function namesOf(value: object): readonly string[] {
  const isLong = Array.isArray(value) && value.length > MANY_ELEMENTS && value.length < LONGEST_PASSED
  if (!isLong || hasExtraKeys(value)) return Object.keys(value)
  const names: string[] = []
  for (let i = 0; i < value.length; i += 1) if (!isPassive(value[i])) names.push(String(i))
  return names
}

/** Primitives are carried and hold nothing, all but symbols. */
function isPassive(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')
}

function pathTo(step: Step): string {
  const parts: string[] = []
  for (let at: Step | undefined = step; at?.segment !== undefined; at = at.parent) parts.push(write(at.segment))
  return parts.reverse().join('')
}

function write(segment: Segment): string {
  if (typeof segment === 'function') return segment()
  if (typeof segment === 'number' || /^(?:0|[1-9]\d*)$/.test(segment)) return `[${segment}]`
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(segment) ? `.${segment}` : `[${JSON.stringify(segment)}]`
}
