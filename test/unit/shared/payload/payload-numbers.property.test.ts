import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EncodingError, ProtocolError } from '../../../../packages/shared/src/errors/errors.js'
import { decodeList, encodeValues } from '../../../../packages/shared/src/payload/codec.js'
import {
  FEWEST_PACKED,
  joinLists,
  packNumbers,
  viewNumbers,
} from '../../../../packages/shared/src/payload/payload-numbers.js'
import { formatChunk, parseChunk } from '../../../../packages/shared/src/records/chunk-record.js'
import { formatOutcome, parseOutcomes } from '../../../../packages/shared/src/records/outcome-record.js'

const bounds = [8, 16, 31, 32, 53].flatMap((bits) => [2 ** (bits - 1), 2 ** bits].flatMap((n) => [n - 1, n, n + 1]))
const byte = fc.integer({ min: -128, max: 127 })
const short = fc.integer({ min: -32_768, max: 32_767 })
const integer = fc.integer()
const edge = fc.constantFrom(...bounds.flatMap((n) => [n, -n]), 0)
const special = fc.constantFrom(
  ...[-0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MIN_VALUE, -Number.MIN_VALUE],
  ...[2 ** -1022, 2 ** -1022 - Number.MIN_VALUE, Number.MAX_VALUE, Number.EPSILON, Number.MAX_SAFE_INTEGER, 0.1],
)
const double = fc.double()
const number = fc.oneof(byte, short, integer, edge, special, double)

/** Mostly about as long as it takes to be packed, or to travel as bytes; now and then longer. */
const lengths = [
  { minLength: FEWEST_PACKED - 2, maxLength: FEWEST_PACKED + 2 },
  { minLength: 0, maxLength: 4 },
  { minLength: 254, maxLength: 258, size: 'max' },
  { minLength: 100, maxLength: 3000, size: 'max' },
] as const
const lists = (item: fc.Arbitrary<number>) => lengths.map((length) => fc.array(item, length))
const list = fc.oneof(...[byte, short, integer, edge, special, double, number].flatMap(lists))

function expectSame(found: unknown, values: readonly unknown[]): void {
  assert(Array.isArray(found))
  expect(found.length).toBe(values.length)
  for (const [i, value] of values.entries()) {
    if (!Object.is(found[i], value)) assert.fail(`${String(found[i])} at ${i} instead of ${String(value)}`)
  }
}

const call = { mode: 'first', spread: false, spec: false, timeout: 0 } as const

/** As it is read: somewhere in memory that is full of other bits. */
function arrived(sent: string | Buffer, offset: number): Buffer {
  const bytes = Buffer.from(sent as string)
  const memory = Buffer.from(new ArrayBuffer(bytes.length + offset + 8)).fill(0xa5)
  bytes.copy(memory, offset)
  return memory.subarray(offset, offset + bytes.length)
}

/** As a chunk to the worker and as an outcome back, in bytes. */
function travel(values: readonly unknown[], offset = 0): unknown[] {
  const there = parseChunk(arrived(formatChunk(call, encodeValues(values, 'items')), offset))
  const items = decodeList(there.payload)
  // As the worker process does: results are filled into an array that has its length.
  const results: unknown[] = new Array(items.length)
  for (let i = 0; i < items.length; i += 1) results[i] = items[i]
  const outcome = { payload: encodeValues(results, 'results'), failures: [], duration: 1 }
  const fields = formatOutcome('client00.1.2', outcome).map((field) => arrived(field, offset))
  const back = parseOutcomes(fields)[0]?.outcome
  assert(back !== undefined && !(back instanceof Error))
  assert.deepStrictEqual(back.payload, there.payload)
  return joinLists([decodeList(back.payload)])
}

describe('a list of numbers', () => {
  it('comes back with each of them the same', () => {
    fc.assert(
      fc.property(list, fc.nat({ max: 16 }), (values, offset) => {
        expectSame(travel(values, offset), values)
      }),
      { numRuns: 2000 },
    )
  }, 60_000)

  it('travels as text when it is short, and as bytes when it is long', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(list, (values) => {
        const numbers = packNumbers(values)
        const size = numbers?.bytes.length ?? 0
        const chunk = formatChunk(call, encodeValues(values, 'items'))
        const body = formatOutcome('client00.1.2', {
          payload: encodeValues(values, 'results'),
          failures: [],
          duration: 1,
        })
        expect([Buffer.isBuffer(chunk), Buffer.isBuffer(body.at(-1))]).toEqual([size >= 2048, size >= 2048])
        if (Buffer.isBuffer(chunk)) expect(chunk.indexOf('\n') % 8).toBe(7)
        seen.add(`${numbers?.width} ${size >= 2048}`)
      }),
      { numRuns: 1000 },
    )
    expect([...seen].sort()).toEqual([
      ...['1 false', '1 true', '2 false', '2 true', '4 false', '4 true', '8 false', '8 true', 'undefined false'],
    ])
  }, 60_000)

  it('comes back as one of several, in order', () => {
    const any = fc.array(fc.oneof(number, fc.string(), fc.constantFrom(null, undefined)), { maxLength: 20 })
    fc.assert(
      fc.property(fc.array(fc.oneof(list, any), { maxLength: 6 }), (parts) => {
        const lists = parts.map((part) => decodeList(encodeValues(part, 'items')))
        expectSame(joinLists(lists), parts.flat())
      }),
      { numRuns: 500 },
    )
  }, 60_000)

  it('is packed when it is long enough, whatever they are', () => {
    fc.assert(
      fc.property(list, (values) => {
        expect(encodeValues(values, 'items').encoding === 'numbers').toBe(values.length >= FEWEST_PACKED)
      }),
      { numRuns: 1000 },
    )
  }, 60_000)

  it('with anything else in it is not packed, and comes back', () => {
    const stranger = fc.oneof(
      fc.string(),
      fc.boolean(),
      fc.constantFrom(null, undefined),
      fc.bigInt(),
      fc.array(fc.integer()),
      fc.dictionary(fc.string(), fc.integer()),
    )
    fc.assert(
      fc.property(list, stranger, fc.nat(), (numbers, one, at) => {
        const values: unknown[] = [...numbers]
        values.splice(at % (values.length + 1), 0, one)
        expect(packNumbers(values)).toBeUndefined()
        assert.deepStrictEqual(decodeList(encodeValues(values, 'items')), values)
        assert.deepStrictEqual(travel(values), values)
      }),
      { numRuns: 1000 },
    )
  }, 60_000)

  it('with holes is not packed, and comes back as ever', () => {
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 100, size: 'max' }), fc.nat(), (values, at) => {
        delete values[at % values.length]
        expect(packNumbers(values)).toBeUndefined()
        expectSame(decodeList(encodeValues(values, 'items')), Array.from(values))
      }),
      { numRuns: 500 },
    )
  }, 60_000)
})

describe('any bytes under any mark', () => {
  const widths = { 1: Int8Array, 2: Int16Array, 4: Int32Array, 8: Float64Array }
  const readers = { 1: 'readInt8', 2: 'readInt16LE', 4: 'readInt32LE', 8: 'readDoubleLE' } as const
  const known = fc.constantFrom('n1', 'n2', 'n4', 'n8', 'b1', 'b2', 'b4', 'b8')
  const strange = fc.constantFrom('n', 'b', 'n3', 'b0', 'n16', 'b-1', 'b 4', 'N4', '4', '__proto__')
  const mark = fc.oneof(
    { weight: 8, arbitrary: known },
    strange,
    fc.string(),
    fc.jsonValue(),
    fc.constantFrom('j', 'r'),
  )

  const packed = list.map((values) => packNumbers(values)?.bytes ?? Buffer.alloc(0))
  const base = fc.oneof(
    packed,
    packed.map((bytes) => Buffer.from(bytes.toString('base64'))),
    packed.map((bytes) => Buffer.from(bytes.toString('base64url'))),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.base64String().map((text) => Buffer.from(text)),
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  )
  const put = fc.oneof(
    fc.string({ maxLength: 4, unit: 'binary' }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom('=', '==', '\n', 'A', '\u0141').map((text) => Buffer.from(text)),
  )
  const edit = fc.record({ at: fc.nat(), cut: fc.nat({ max: 6 }), put })

  const isBase64 = (text: string) => text.length % 4 === 0 && /^[A-Za-z0-9+/_-]*={0,2}$/.test(text)

  /** What the list is, or the class of the error that there should be. */
  function expected(name: unknown, body: Buffer): number[] | typeof EncodingError | typeof ProtocolError {
    const [, kind, digit] = /^([nb])([1248])$/.exec(typeof name === 'string' ? name : '') ?? []
    if (kind === undefined) return ProtocolError
    const text = body.toString('latin1')
    if (kind === 'b' && !isBase64(text)) return ProtocolError
    const bytes = kind === 'b' ? Buffer.from(text, 'base64') : body
    const width = Number(digit) as keyof typeof widths
    if (kind === 'b') expect(bytes.length).toBe((text.length / 4) * 3 - (text.match(/=/g)?.length ?? 0))
    if (bytes.length % width !== 0) return EncodingError
    return Array.from({ length: bytes.length / width }, (_, i) => bytes[readers[width]](i * width))
  }

  /** Marks of what is no list of numbers. */
  const others = new Set<unknown>(['j', 'r', 'x', 'a'])

  function check(read: () => ArrayLike<unknown>, name: unknown, body: Buffer): void {
    let found: ArrayLike<unknown>
    try {
      found = read()
    } catch (error) {
      assert(error instanceof EncodingError || error instanceof ProtocolError, `neither error: ${String(error)}`)
      if (!others.has(name)) expect(error.constructor).toBe(expected(name, body))
      return
    }
    if (others.has(name)) {
      expect(found.length).toBeGreaterThanOrEqual(0)
      return
    }
    const numbers = expected(name, body)
    assert(Array.isArray(numbers), `read, but it should be an ${numbers}`)
    expect(found).toBeInstanceOf(widths[Number(String(name)[1]) as keyof typeof widths])
    expectSame(joinLists([found]), numbers)
  }

  it('give whole numbers of its width, or a ProtocolError, or an EncodingError', () => {
    fc.assert(
      fc.property(mark, base, fc.array(edit, { maxLength: 3 }), fc.nat({ max: 8 }), (name, from, edits, offset) => {
        const body = edits.reduce((now, { at, cut, put }) => {
          const start = at % (now.length + 1)
          return Buffer.concat([now.subarray(0, start), put, now.subarray(start + cut)])
        }, from)
        const chunk = Buffer.concat([Buffer.from(`${JSON.stringify({ v: 1, m: 'f', e: name })}\n`), body])
        check(() => decodeList(parseChunk(arrived(chunk, offset)).payload), name, body)
        const fields = ['j', '0.0.0', 'h', JSON.stringify({ v: 1, d: 1, e: name }), 'p', body]
        const outcome = parseOutcomes(fields.map((field) => arrived(field, offset)))[0]?.outcome
        assert(outcome !== undefined)
        const read = () => {
          if (outcome instanceof Error) throw outcome
          return decodeList(outcome.payload)
        }
        check(read, name, body)
      }),
      { numRuns: 10_000 },
    )
  }, 60_000)

  it('of which a view is made are left as they are', () => {
    const width = fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), width, fc.nat({ max: 16 }), (bytes, width, offset) => {
        const whole = bytes.subarray(0, bytes.length - (bytes.length % width))
        const at = arrived(Buffer.from(whole), offset)
        const view = viewNumbers({ width, bytes: at })
        expect(view).toHaveLength(whole.length / width)
        for (let i = 0; i < view.length; i += 1) expect(view[i]).toBe(at[readers[width]](i * width))
        expect(at.equals(whole)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  }, 60_000)
})
