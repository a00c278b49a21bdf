import { types } from 'node:util'
import { readError } from '../errors/error-parts.js'
import { hasExtraKeys, kindOf, toJsonPolluted } from './payload-kind.js'
import { packNumbers } from './payload-numbers.js'
import { longText, Note } from './rich-notes.js'
import { contentOf, type SharedContent } from './shared-content.js'

/**
 * Writes any value that is carried as rich text (see rich-notes). Objects that are JSON but for some members are copied, one
 * level deep, with null for these; native code writes the rest. It throws on what is not carried, and does not say where: the
 * caller finds out.
 */

/** Fewer bytes stand in the text, as base64. */
const fewestBytes = 1024
/** So many numbers are packed. */
const fewestNumbers = 256
/** Characters from which on a text is bytes of its own: V8 makes no string of more than some 512 Mi. */
const hugeText = 1024 * 1024

/** Node.js 20 has it; its description in TypeScript comes with a later one. */
type WellFormable = string & { isWellFormed(): boolean }

/**
 * @param blobs - takes the bytes that do not stand in the text; without it all stand there
 * @param shared - takes the shared values that the value holds, by their hash; without it, it may hold none
 */
export function stringifyRich(value: unknown, blobs?: Uint8Array[], shared?: Map<string, SharedContent>): string {
  return new RichWriter(blobs, shared).write(value)
}

class RichWriter {
  readonly #blobs: Uint8Array[] | undefined
  readonly #shared: Map<string, SharedContent> | undefined
  readonly #notes: unknown[] = []
  /** Contents of what has been noted, each a tree that is still to be written. */
  readonly #contents: unknown[] = []
  readonly #numbers = new Map<unknown, number>()

  constructor(blobs: Uint8Array[] | undefined, shared: Map<string, SharedContent> | undefined) {
    this.#blobs = blobs
    this.#shared = shared
  }

  write(value: unknown): string {
    const trees = [this.#tree(value)]
    // It grows meanwhile.
    for (const content of this.#contents) trees.push(this.#tree(content))
    const text = [trees, this.#notes]
    return toJsonPolluted() ? plainJson(text) : JSON.stringify(text)
  }

  /** The value, when it is JSON as it is; else what stands for it. */
  #tree(value: unknown): unknown {
    switch (typeof value) {
      case 'object':
        return value === null ? this.#note(Note.null) : this.#object(value)
      case 'string':
        return value.length < longText ? value : this.#text(value)
      case 'number':
        return value - value === 0 && !Object.is(value, -0) ? value : this.#number(value)
      case 'boolean':
        return value
      case 'undefined':
        return this.#note(Note.undefined)
      case 'bigint':
        return this.#note(Note.bigint, String(value))
      default:
        throw new TypeError(`a ${typeof value} is not carried`)
    }
  }

  #note(...parts: unknown[]): null {
    this.#notes.push(...parts)
    return null
  }

  /** Whether it is met again; then it is noted. */
  #isKnown(value: unknown): boolean {
    const number = this.#numbers.get(value)
    if (number === undefined) {
      this.#numbers.set(value, this.#numbers.size)
      return false
    }
    this.#notes.push(Note.again, number)
    return true
  }

  #number(value: number): null {
    if (value === 0) return this.#note(Note.minusZero)
    if (Number.isNaN(value)) return this.#note(Note.nan)
    return this.#note(value > 0 ? Note.infinity : Note.minusInfinity)
  }

  #text(text: string): string | null {
    if (this.#isKnown(text)) return null
    if (this.#blobs === undefined || text.length < hugeText) return text
    const isWhole = (text as WellFormable).isWellFormed()
    this.#blobs.push(Buffer.from(text, isWhole ? 'utf8' : 'utf16le'))
    return this.#note(isWhole ? Note.utf8 : Note.utf16, this.#blobs.length - 1)
  }

  #object(object: object): unknown {
    if (this.#isKnown(object)) return null
    // The commonest kinds first: there may be one of them in each of a million rows.
    const prototype: unknown = Object.getPrototypeOf(object)
    if (prototype === Object.prototype) return this.#plain(object as Record<string, unknown>)
    if (prototype === Date.prototype && types.isDate(object)) return this.#special(object, 'Date')
    const kind = prototype === Array.prototype && Array.isArray(object) ? 'Array' : kindOf(object)
    if (kind === 'Array') return this.#array(object as unknown[])
    // Of another realm.
    if (kind === 'Object') return this.#plain(object as Record<string, unknown>)
    if (kind === 'null') refuseSymbols(object)
    return this.#special(object, kind)
  }

  #plain(object: Record<string, unknown>): unknown {
    refuseSymbols(object)
    if (Object.hasOwn(object, '__proto__')) return this.#withContent(entriesOf(object), Note.keyedObject)
    let copy: Record<string, unknown> | undefined
    for (const key of Object.keys(object)) {
      const member = object[key]
      const tree = this.#tree(member)
      if (tree === member) continue
      copy ??= { ...object }
      copy[key] = tree
    }
    return copy ?? object
  }

  #array(array: readonly unknown[]): unknown {
    refuseSymbols(array)
    const packed = this.#blobs && array.length >= fewestNumbers ? packNumbers(array) : undefined
    if (hasExtraKeys(array)) return this.#withContent(entriesOf(array), Note.keyedArray, array.length)
    if (packed !== undefined) return this.#note(Note.numbers, packed.width, this.#bytes(packed.bytes))
    const mayHaveHoles = array.includes(undefined)
    if (mayHaveHoles && array.length > 64 && Object.keys(array).length < array.length / 2) {
      return this.#withContent(entriesOf(array), Note.keyedArray, array.length)
    }
    let copy: unknown[] | undefined
    for (let i = 0; i < array.length; i += 1) {
      const member = array[i]
      const tree = mayHaveHoles && !(i in array) ? this.#note(Note.hole) : this.#tree(member)
      if (tree === member) continue
      copy ??= Array.from(array)
      copy[i] = tree
    }
    return copy ?? array
  }

  #withContent(content: unknown, ...note: unknown[]): null {
    this.#contents.push(content)
    return this.#note(...note)
  }

  #special(object: object, kind: string | undefined): null {
    switch (kind) {
      case 'Date':
        // A date that is none has NaN, of which JSON makes null.
        return this.#note(Note.date, Date.prototype.getTime.call(object))
      case 'RegExp':
        return this.#note(Note.regExp, (object as RegExp).source, (object as RegExp).flags)
      case 'Map':
        return this.#withContent([...(object as Map<unknown, unknown>)].flat(1), Note.map)
      case 'Set':
        return this.#withContent([...(object as Set<unknown>)], Note.set)
      case 'Error': {
        const { classes, name, message, stack = null, ...rest } = readError(object)
        return this.#withContent(rest, Note.error, classes, name, message, stack)
      }
      case 'null':
        return this.#withContent(entriesOf(object), Note.bareObject)
      case 'URL':
        return this.#note(Note.url, (object as URL).href)
      case 'URLSearchParams':
        return this.#note(Note.searchParams, String(object))
      case 'Number':
      case 'String':
      case 'Boolean':
      case 'BigInt':
        return this.#note(Note.boxed, kind, primitiveIn(object, kind))
      case 'ArrayBuffer':
        return this.#note(Note.arrayBuffer, this.#bytes(new Uint8Array(object as ArrayBuffer)))
      default:
        if (kind === undefined) return this.#standIn(object)
        return this.#view(object as ArrayBufferView, kind)
    }
  }

  #standIn(object: object): null {
    const content = contentOf(object)
    if (content === undefined || this.#shared === undefined) {
      throw new TypeError('an instance of a class is not carried')
    }
    // What it holds itself comes first, and is there when it is decoded.
    for (const inner of content.payload.shared ?? []) this.#shared.set(inner.hash, inner)
    this.#shared.set(content.hash, content)
    return this.#note(Note.shared, content.hash)
  }

  #view(view: ArrayBufferView, kind: string): null {
    const { buffer, byteOffset, byteLength } = kind === 'Buffer' ? ownBytes(view as Buffer) : view
    if (!types.isArrayBuffer(buffer)) throw new TypeError('shared memory is not carried')
    const length = kind === 'Buffer' || kind === 'DataView' ? byteLength : (view as Uint8Array).length
    this.#note(Note.view, kind, byteOffset, length)
    if (this.#isKnown(buffer)) return null
    return this.#note(Note.arrayBuffer, this.#bytes(new Uint8Array(buffer)))
  }

  /** The bytes as they are now: what becomes of them later is not to be seen. */
  #bytes(bytes: Uint8Array): string | number {
    if (this.#blobs === undefined || bytes.byteLength < fewestBytes) return Buffer.from(bytes).toString('base64')
    return this.#blobs.push(Buffer.from(bytes)) - 1
  }
}

function refuseSymbols(object: object): void {
  const symbols = Object.getOwnPropertySymbols(object)
  if (symbols.length > 0 && symbols.some((key) => Object.prototype.propertyIsEnumerable.call(object, key))) {
    throw new TypeError('a symbol is not carried as a key')
  }
}

const entriesOf = (object: object): unknown[] => Object.entries(object).flat(1)

/**
 * Sharing is only kept by Buffers that have their memory to themselves. Any other may be a slice of Node's pool, whose 8 KB
 * hold what other code has read and written: it takes along its own bytes alone.
 */
function ownBytes(buffer: Buffer): Uint8Array {
  return buffer.byteLength === buffer.buffer.byteLength ? buffer : new Uint8Array(buffer)
}

function primitiveIn(object: object, kind: 'Number' | 'String' | 'Boolean' | 'BigInt'): string {
  const read: (this: unknown) => unknown = { Number, String, Boolean, BigInt }[kind].prototype.valueOf
  const value = read.call(object)
  return Object.is(value, -0) ? '-0' : String(value)
}

/** As JSON.stringify, without the `toJSON` that some old libraries put on built-in prototypes. */
function plainJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${Array.from(value, plainJson).join()}]`
  return `{${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}:${plainJson(member)}`)
    .join()}}`
}
