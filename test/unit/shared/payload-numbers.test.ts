import assert from 'node:assert/strict'
import { describe, expect, it, vi } from 'vitest'
import { decodePayload, encodeValue, encodeValues, type Payload } from '../../../packages/shared/src/codec.js'
import { EncodingError } from '../../../packages/shared/src/errors.js'
import { FEWEST_PACKED, packNumbers, unpackNumbers } from '../../../packages/shared/src/payload-numbers.js'

/** The list in front, and zeros after it, so that it is long enough. */
const filled = (...values: number[]): number[] => [...values, ...new Array<number>(FEWEST_PACKED).fill(0)]

const many = Array.from({ length: 100 }, (_, i) => i)

describe('the width', () => {
  it.each([
    ['127 and -128', filled(127, -128), '1'],
    ['128', filled(128), '2'],
    ['-129', filled(-129), '2'],
    ['the bounds of 16 bits', filled(32_767, -32_768), '2'],
    ['32768', filled(32_768), '4'],
    ['-32769', filled(-32_769), '4'],
    ['the bounds of 32 bits', filled(2 ** 31 - 1, -(2 ** 31)), '4'],
    ['2 ** 31', filled(2 ** 31), '8'],
    ['-(2 ** 31) - 1', filled(-(2 ** 31) - 1), '8'],
    ['2 ** 32', filled(2 ** 32), '8'],
    ['MAX_SAFE_INTEGER', filled(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER), '8'],
    ['a fraction', filled(1, 0.5), '8'],
    ['-0', filled(-0), '8'],
    ['-0 as the last', [...many, -0], '8'],
    ['NaN', filled(Number.NaN), '8'],
    ['infinities', filled(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY), '8'],
    ['the least and the greatest', filled(Number.MIN_VALUE, -Number.MIN_VALUE, Number.MAX_VALUE), '8'],
  ])('for %s is the least that holds all', (_name, values, width) => {
    const text = packNumbers(values)
    assert(text !== undefined)
    expect(text[0]).toBe(width)
    assert.deepStrictEqual(unpackNumbers(text), values)
  })

  it('keeps its promise for lists that outgrow the room that is used again', () => {
    for (const factor of [1, 1000, 1_000_000, 0.1]) {
      const values = Array.from({ length: 20_000 }, (_, i) => (i % 200) * factor)
      assert.deepStrictEqual(unpackNumbers(String(packNumbers(values))), values)
      // What a longer list has left behind is not read again.
      assert.deepStrictEqual(unpackNumbers(String(packNumbers(many))), many)
    }
  })
})

describe('a list of items', () => {
  const sparse = [...many]
  delete sparse[50]
  const last = (value: unknown) => [...many, value]
  class Numbers extends Array<number> {}

  it.each([
    ['numbers', many, 'numbers'],
    ['numbers that JSON does not know', [...many, Number.NaN, -0], 'numbers'],
    ['results, which are filled in one by one', Object.assign(new Array(100), many), 'numbers'],
    ['just enough numbers', many.slice(0, FEWEST_PACKED), 'numbers'],
    ['too few numbers', many.slice(1, FEWEST_PACKED), 'json'],
    ['no items', [], 'json'],
    ['a string as the last', last('100'), 'json'],
    ['null as the last', last(null), 'json'],
    ['a boolean as the last', last(true), 'json'],
    ['an object as the last', last({}), 'json'],
    ['a string after a fraction', [0.5, ...last('100')], 'json'],
    ['undefined as the last', last(undefined), 'rich'],
    ['a bigint as the last', last(100n), 'rich'],
    ['a boxed number as the last', last(Object(100)), 'rich'],
    ['strings', many.map(String), 'json'],
    ['booleans', many.map((i) => i % 2 === 0), 'json'],
    ['objects', many.map((n) => ({ n })), 'json'],
    ['lists of numbers', [many, many], 'json'],
  ])('of %s', (_name, values, encoding) => {
    const payload = encodeValues(values, 'items')
    expect(payload.encoding).toBe(encoding)
    assert.deepStrictEqual(decodePayload(payload), values)
  })

  it('with a hole is left to the slow path', () => {
    const payload = encodeValues(sparse, 'items')
    expect(payload.encoding).toBe('rich')
    assert.deepStrictEqual(decodePayload(payload), Array.from(sparse))
  })

  it('of a class, or with more than its items, comes as a plain one', () => {
    for (const values of [Numbers.from(many), Object.assign([...many], { x: 1 })]) {
      assert.deepStrictEqual(decodePayload(encodeValues(values, 'items')), many)
    }
  })

  it('that is no array is not packed', () => {
    expect(packNumbers(Float64Array.from(many) as never)).toBeUndefined()
    expect(packNumbers({ 0: 1, length: 100 } as never)).toBeUndefined()
  })

  it('with a getter is read once', () => {
    let reads = 0
    const values = [...many]
    Object.defineProperty(values, 7, { get: () => (reads++ === 0 ? 7 : 'late'), enumerable: true })
    assert.deepStrictEqual(unpackNumbers(String(packNumbers(values))), many)
    expect(reads).toBe(1)
  })

  it('that throws when it is read is refused with its place', () => {
    const boom = new Error('boom')
    const values = [...many]
    Object.defineProperty(values, 7, {
      get: () => {
        throw boom
      },
      enumerable: true,
    })
    expect(() => encodeValues(values, 'items')).toThrow(boom)
  })

  it('that would be longer than may travel is left to JSON', async () => {
    vi.resetModules()
    const wire = '../../../packages/shared/src/wire.js'
    vi.doMock(wire, async (original) => ({ ...(await original<object>()), longestPayload: 1 + 4 * 34 }))
    try {
      const bounded = await import('../../../packages/shared/src/payload-numbers.js')
      expect(bounded.packNumbers(many)).toHaveLength(1 + 4 * 34)
      expect(bounded.packNumbers(filled(0.5))).toBeUndefined()
      expect(bounded.packNumbers([...many, 1, 2, 3])).toBeUndefined()
    } finally {
      vi.doUnmock(wire)
      vi.resetModules()
    }
  })

  it('is not packed where it is a value', () => {
    expect(encodeValue(many, 'value').encoding).toBe('json')
  })
})

describe('decoding hostile text', () => {
  const good = String(packNumbers(many.map((i) => i * 1000)))
  const numbers = (text: unknown) => ({ encoding: 'numbers', text }) as Payload

  it.each([
    ['nothing', '', /width/],
    ['no width', good.slice(1), /width/],
    ['an unknown width', `3${good.slice(1)}`, /width/],
    ['width 0', `0${good.slice(1)}`, /width/],
    ['a width of two digits', `16${good.slice(1)}`, /width|whole/],
    ['a blank for a width', ` ${good.slice(1)}`, /width/],
    ['JSON', '[1,2,3]', /width/],
    ['a JSON number', '4', undefined],
    ['half a number', '4AAAAAAA=', /whole/],
    ['half of a double', `8${good.slice(1, 1 + 4 * 4)}`, /whole/],
    ['a text that is cut off', good.slice(0, -1), /whole/],
    ['a character that is none', `${good.slice(0, 20)}*${good.slice(21)}`, /base64/],
    ['a blank', `${good.slice(0, 20)} ${good.slice(21)}`, /base64/],
    ['a line break', `${good.slice(0, 20)}\n${good.slice(21)}`, /base64/],
    ['a null character', `${good.slice(0, 20)}\0${good.slice(21)}`, /base64/],
    ['four characters too many', `1AAAA\n\n\n\n`, /base64/],
    ['characters beyond ASCII', `1AAA\u0141AAAA`, /base64/],
    ['an end in the middle', `1AA==AAAA`, /base64/],
    ['nothing but an end', '1====', /base64/],
    ['too much of an end', '1A===', /base64/],
    ['no text', undefined, /no text/],
    ['a list', ['1', 'A'], /no text/],
  ])('%s', (_name, text, reason) => {
    if (reason === undefined) {
      expect(decodePayload(numbers(text))).toEqual([])
      return
    }
    expect(() => decodePayload(numbers(text))).toThrow(EncodingError)
    expect(() => decodePayload(numbers(text))).toThrow(reason)
  })

  it('makes numbers of any bits', () => {
    const bytes = Buffer.alloc(8 * 64)
    for (let i = 0; i < 64; i += 1) bytes.writeBigUInt64LE(0x7ff0_0000_0000_0001n + (BigInt(i) << 46n), i * 8)
    const list = unpackNumbers(`8${bytes.toString('base64')}`)
    expect(list.every((value) => typeof value === 'number')).toBe(true)
    expect(list).toHaveLength(64)
  })
})

describe('on the wire', () => {
  it('the least significant byte comes first', () => {
    const values = filled(1, 2 ** 31 - 1, -2)
    const bytes = Buffer.alloc(values.length * 4)
    for (const [i, value] of values.entries()) bytes.writeInt32LE(value, i * 4)
    expect(packNumbers(values)).toBe(`4${bytes.toString('base64')}`)
  })

  it('so it does where the host has them in the other order', async () => {
    vi.resetModules()
    const real = await import('node:os')
    const other = real.endianness() === 'LE' ? 'BE' : 'LE'
    vi.doMock('node:os', () => ({ ...real, endianness: () => other }))
    try {
      const swapping = await import('../../../packages/shared/src/payload-numbers.js')
      const lists = [many, filled(-300, 300), filled(70_000, -1), filled(0.1, Number.NaN, -0)]
      for (const [nth, values] of lists.entries()) {
        const width = 2 ** nth
        const text = String(swapping.packNumbers(values))
        expect(text[0]).toBe(String(width))
        // This host is not what it is told to be, so that each number has its bytes reversed.
        const bytes = Buffer.from(text.slice(1), 'base64')
        for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse()
        expect(`${width}${bytes.toString('base64')}`).toBe(packNumbers(values))
        assert.deepStrictEqual(swapping.unpackNumbers(text), values)
      }
    } finally {
      vi.doUnmock('node:os')
      vi.resetModules()
    }
  })
})
