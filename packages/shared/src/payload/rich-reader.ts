import { createFromParts, type ErrorParts, fillFromParts, setPairs } from '../errors/error-parts.js'
import { viewClasses } from './payload-kind.js'
import { joinLists, viewNumbers, type Width } from './payload-numbers.js'
import { longText, Note } from './rich-notes.js'
import type { SharedValues } from './shared-content.js'

/**
 * Reads rich text (see rich-notes): native code reads the JSON, and each null in it becomes what is noted. What can hold
 * itself is made empty first, and filled when all is there. It may throw anything on text that was damaged, and takes no memory
 * for what is only declared.
 */

/**
 * @param blobs - the bytes that do not stand in the text
 * @param shared - the shared values that it may hold
 */
export function parseRich(text: string, blobs: readonly Uint8Array[] = [], shared?: SharedValues): unknown {
  const record: unknown = JSON.parse(text)
  if (!Array.isArray(record) || record.length !== 2) throw new Error('it is no rich text')
  const [trees, notes] = record as unknown[]
  if (!Array.isArray(trees) || !Array.isArray(notes) || trees.length === 0)
    throw new Error('it has no tree or no notes')
  return new RichReader(trees, notes, blobs, shared).read()
}

/** What stands for an element that is not there. */
const hole = Symbol('hole')
/** What stands for a view whose memory is still to be met. */
const unmet = Symbol('unmet')

class RichReader {
  readonly #trees: unknown[]
  readonly #notes: readonly unknown[]
  readonly #blobs: readonly Uint8Array[]
  readonly #shared: SharedValues | undefined
  /** All objects and long texts, in the order in which they are met. */
  readonly #met: unknown[] = []
  readonly #fills: (() => void)[] = []
  #at = 0
  #contents = 0

  constructor(trees: unknown[], notes: readonly unknown[], blobs: readonly Uint8Array[], shared?: SharedValues) {
    this.#trees = trees
    this.#notes = notes
    this.#blobs = blobs
    this.#shared = shared
  }

  read(): unknown {
    const trees = this.#trees
    for (let i = 0; i < trees.length; i += 1) trees[i] = this.#tree(trees[i])
    if (this.#at !== this.#notes.length || this.#contents !== trees.length - 1)
      throw new Error('it says more than it has')
    for (const fill of this.#fills) fill()
    if (trees[0] === hole) throw new Error('it has nothing')
    return trees[0]
  }

  #tree(value: unknown): unknown {
    if (typeof value === 'string') {
      if (value.length >= longText) this.#met.push(value)
      return value
    }
    if (typeof value !== 'object') return value
    if (value === null) return this.#noted()
    this.#met.push(value)
    if (Array.isArray(value)) this.#elements(value)
    else this.#members(value as Record<string, unknown>)
    return value
  }

  #elements(array: unknown[]): void {
    for (let i = 0; i < array.length; i += 1) {
      const member = array[i]
      if (typeof member !== 'object' && typeof member !== 'string') continue
      const value = this.#tree(member)
      if (value === hole) delete array[i]
      else if (value !== member) array[i] = value
    }
  }

  #members(object: Record<string, unknown>): void {
    for (const key of Object.keys(object)) {
      const member = object[key]
      if (typeof member !== 'object' && typeof member !== 'string') continue
      const value = this.#tree(member)
      if (value === member) continue
      if (value === hole || key === '__proto__') throw new Error(`a property ${key} that cannot be`)
      object[key] = value
    }
  }

  #next(): unknown {
    if (this.#at >= this.#notes.length) throw new Error('a note is missing')
    return this.#notes[this.#at++]
  }

  #nextText(): string {
    const text = this.#next()
    if (typeof text !== 'string') throw new Error('a note is no text')
    return text
  }

  #meet<T>(object: T): T {
    this.#met.push(object)
    return object
  }

  #noted(): unknown {
    switch (this.#next()) {
      case Note.null:
        return null
      case Note.undefined:
        return undefined
      case Note.hole:
        return hole
      case Note.nan:
        return Number.NaN
      case Note.infinity:
        return Number.POSITIVE_INFINITY
      case Note.minusInfinity:
        return Number.NEGATIVE_INFINITY
      case Note.minusZero:
        return -0
      case Note.bigint:
        return BigInt(this.#nextText())
      case Note.again:
        return this.#again()
      default:
        this.#at -= 1
        return this.#object()
    }
  }

  #again(): unknown {
    const number = this.#next()
    const isMet = typeof number === 'number' && number in this.#met && this.#met[number] !== unmet
    if (!isMet) throw new Error('it refers to what has not been met')
    return this.#met[number]
  }

  #object(): unknown {
    switch (this.#next()) {
      case Note.date: {
        const time = this.#next()
        if (typeof time !== 'number' && time !== null) throw new Error('a date of no time')
        return this.#meet(new Date(time ?? Number.NaN))
      }
      case Note.map:
        return this.#filled(new Map(), (map, members) => {
          for (let i = 0; i < members.length; i += 2) map.set(members[i], members[i + 1])
        })
      case Note.set:
        return this.#filled(new Set(), (set, members) => {
          for (const member of members) set.add(member)
        })
      case Note.keyedArray:
        return this.#filled(arrayOfLength(this.#next()), fillWithPairs)
      case Note.keyedObject:
        return this.#filled({}, fillWithPairs)
      case Note.bareObject:
        return this.#filled(Object.create(null) as object, fillWithPairs)
      case Note.error:
        return this.#error()
      case Note.regExp:
        return this.#meet(new RegExp(this.#nextText(), this.#nextText()))
      case Note.boxed:
        return this.#meet(boxed(this.#nextText(), this.#nextText()))
      case Note.url:
        return this.#meet(new URL(this.#nextText()))
      case Note.searchParams:
        return this.#meet(new URLSearchParams(this.#nextText()))
      case Note.arrayBuffer:
        return this.#meet(this.#bytes())
      case Note.view:
        return this.#view()
      case Note.numbers: {
        const width = this.#next()
        if (width !== 1 && width !== 2 && width !== 4 && width !== 8) throw new Error('numbers of no width')
        const bytes = Buffer.from(this.#bytes())
        return this.#meet(joinLists([viewNumbers({ width: width as Width, bytes })]))
      }
      case Note.utf8:
        return this.#meet(this.#blob().toString('utf8'))
      case Note.utf16:
        return this.#meet(this.#blob().toString('utf16le'))
      case Note.shared:
        return this.#meet(this.#sharedValue())
      default:
        throw new Error('a note of an unknown kind')
    }
  }

  /** The object, to be filled with what its content's tree holds by the end. */
  #filled<T extends object>(object: T, fill: (object: T, content: readonly unknown[]) => void): T {
    const content = this.#content()
    this.#fills.push(() => {
      const members = this.#trees[content]
      if (!Array.isArray(members)) throw new Error('a content that is no list')
      fill(object, members)
    })
    return this.#meet(object)
  }

  #content(): number {
    this.#contents += 1
    if (this.#contents >= this.#trees.length) throw new Error('a content is missing')
    return this.#contents
  }

  #error(): Error {
    const [classes, name, message, stack] = [this.#next(), this.#next(), this.#next(), this.#next()]
    const parts = { classes, name, message, ...(stack !== null && { stack }) } as ErrorParts
    const error = createFromParts(parts)
    const content = this.#content()
    this.#fills.push(() => {
      const rest = this.#trees[content]
      if (typeof rest !== 'object' || rest === null) throw new Error('an error whose content is none')
      fillFromParts(error, { ...rest, ...parts })
    })
    return this.#meet(error)
  }

  #view(): unknown {
    const [kind, offset, length] = [this.#nextText(), this.#next(), this.#next()]
    // It is met before its memory is.
    const place = this.#met.push(unmet) - 1
    const memory = this.#noted()
    if (!(memory instanceof ArrayBuffer)) throw new Error('a view of no memory')
    if (typeof offset !== 'number' || typeof length !== 'number') throw new Error('a view without a place')
    const view = viewOf(kind, memory, offset, length)
    this.#met[place] = view
    return view
  }

  #sharedValue(): unknown {
    const hash = this.#nextText()
    if (this.#shared?.has(hash) !== true) throw new Error(`the shared value ${hash} is not here`)
    return this.#shared.get(hash)
  }

  #bytes(): ArrayBuffer {
    if (typeof this.#notes[this.#at] === 'number') {
      const blob = this.#blob()
      if (blob.byteLength === blob.buffer.byteLength) return blob.buffer as ArrayBuffer
      return new Uint8Array(blob).buffer
    }
    return new Uint8Array(Buffer.from(this.#nextText(), 'base64')).buffer
  }

  #blob(): Buffer {
    const blob = this.#blobs[this.#next() as number]
    if (blob === undefined) throw new Error('a blob is missing')
    return Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength)
  }
}

const fillWithPairs = (target: object, pairs: readonly unknown[]): void => setPairs(target, pairs, 0)

/** An index this high makes V8 keep the elements in a dictionary, so that a length costs no memory: it may be a lie. */
function arrayOfLength(length: unknown): unknown[] {
  if (typeof length !== 'number') throw new Error('an array without length')
  const array: unknown[] = []
  if (length > 1000) {
    array[2 ** 32 - 2] = undefined
    delete array[2 ** 32 - 2]
  }
  array.length = length
  return array
}

function boxed(kind: string, text: string): object {
  if (kind === 'Number') return Object(Number(text))
  if (kind === 'String') return Object(text)
  if (kind === 'Boolean') return Object(text === 'true')
  if (kind === 'BigInt') return Object(BigInt(text))
  throw new Error('a primitive of an unknown kind')
}

const views: ReadonlyMap<string, new (memory: ArrayBuffer, offset: number, length: number) => ArrayBufferView> =
  new Map(viewClasses.map((name) => [name, Reflect.get(globalThis, name)]))

function viewOf(kind: string, memory: ArrayBuffer, offset: number, length: number): ArrayBufferView {
  if (kind === 'Buffer') return Buffer.from(memory, offset, length)
  const View = views.get(kind)
  if (View === undefined) throw new Error(`this version of Node.js has no ${kind}`)
  return new View(memory, offset, length)
}
