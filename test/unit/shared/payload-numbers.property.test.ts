import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodePayload, encodeValues } from '../../../packages/shared/src/codec.js'
import { EncodingError } from '../../../packages/shared/src/errors.js'
import { FEWEST_PACKED, packNumbers } from '../../../packages/shared/src/payload-numbers.js'
import { formatChunk, formatOutcome, parseChunk, parseOutcome } from '../../../packages/shared/src/wire.js'

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

/** Mostly about as long as it takes to be packed, now and then longer. */
const lengths = [
  { minLength: FEWEST_PACKED - 2, maxLength: FEWEST_PACKED + 2 },
  { minLength: 0, maxLength: 4 },
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

/** As a chunk to the worker and as an outcome back, in UTF-8. */
function travel(values: readonly unknown[]): unknown {
  const utf8 = (text: string) => Buffer.from(text, 'utf8').toString('utf8')
  const call = { mode: 'first', spread: false, spec: false, timeout: 0 } as const
  const there = parseChunk(utf8(formatChunk(call, encodeValues(values, 'items'))))
  const items = decodePayload(there.payload) as unknown[]
  // As the worker process does: results are filled into an array that has its length.
  const results: unknown[] = new Array(items.length)
  for (const [i, item] of items.entries()) results[i] = item
  const outcome = { payload: encodeValues(results, 'results'), failures: [], duration: 1 }
  const back = parseOutcome(formatOutcome('client00.1.2', outcome).map(utf8))?.outcome
  assert(back !== undefined && !(back instanceof Error))
  expect(back.payload).toEqual(there.payload)
  return decodePayload(back.payload)
}

describe('a list of numbers', () => {
  it('comes back with each of them the same', () => {
    fc.assert(
      fc.property(list, (values) => {
        expectSame(travel(values), values)
      }),
      { numRuns: 2000 },
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
        assert.deepStrictEqual(decodePayload(encodeValues(values, 'items')), values)
      }),
      { numRuns: 1000 },
    )
  }, 60_000)

  it('with holes is not packed, and comes back as ever', () => {
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 100, size: 'max' }), fc.nat(), (values, at) => {
        delete values[at % values.length]
        expect(packNumbers(values)).toBeUndefined()
        expectSame(decodePayload(encodeValues(values, 'items')), Array.from(values))
      }),
      { numRuns: 500 },
    )
  }, 60_000)
})

describe('any text', () => {
  const packed = list.map((values) => packNumbers(values) ?? '8')
  const edit = fc.record({ at: fc.nat(), cut: fc.nat({ max: 6 }), put: fc.string({ maxLength: 4, unit: 'binary' }) })

  it('gives whole numbers of the width it names, or an EncodingError', () => {
    fc.assert(
      fc.property(fc.oneof(packed, fc.string(), fc.base64String()), fc.array(edit, { maxLength: 3 }), (base, edits) => {
        const text = edits.reduce((now, { at, cut, put }) => {
          const from = at % (now.length + 1)
          return now.slice(0, from) + put + now.slice(from + cut)
        }, base)
        try {
          const found = decodePayload({ encoding: 'numbers', text }) as unknown[]
          expect(found.every((value) => typeof value === 'number')).toBe(true)
          const end = /^[1248][A-Za-z0-9+/_-]*(={0,2})$/.exec(text)?.[1]
          assert(end !== undefined, `no base64: ${text}`)
          expect(found.length * Number(text[0])).toBe(((text.length - 1) / 4) * 3 - end.length)
        } catch (error) {
          assert(error instanceof EncodingError, `not an EncodingError: ${String(error)}`)
        }
      }),
      { numRuns: 10_000 },
    )
  }, 60_000)
})
