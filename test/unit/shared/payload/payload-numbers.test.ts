import assert from 'node:assert/strict'
import { endianness } from 'node:os'
import { describe, expect, it, vi } from 'vitest'
import { EncodingError, ProtocolError } from '../../../../packages/shared/src/errors/errors.js'
import {
  decodeList,
  decodePayload,
  encodeValue,
  encodeValues,
  type Payload,
  type TextPayload,
} from '../../../../packages/shared/src/payload/codec.js'
import {
  FEWEST_PACKED,
  joinLists,
  type PackedNumbers,
  packNumbers,
  viewNumbers,
  type Width,
} from '../../../../packages/shared/src/payload/payload-numbers.js'
import { type CallHeader, formatChunk, parseChunk } from '../../../../packages/shared/src/records/chunk-record.js'
import { formatOutcome, parseOutcomes } from '../../../../packages/shared/src/records/outcome-record.js'

/** The list in front, and zeros after it, so that it is long enough. */
const filled = (...values: number[]): number[] => [...values, ...new Array<number>(FEWEST_PACKED).fill(0)]

const many = Array.from({ length: 100 }, (_, i) => i)

function packed(values: readonly number[]): PackedNumbers {
  const found = packNumbers(values)
  assert(found !== undefined, 'it was not packed')
  return found
}

const unpacked = (numbers: PackedNumbers): number[] => Array.from(viewNumbers(numbers))

describe('the width', () => {
  it.each([
    ['127 and -128', filled(127, -128), 1],
    ['128', filled(128), 2],
    ['-129', filled(-129), 2],
    ['the bounds of 16 bits', filled(32_767, -32_768), 2],
    ['32768', filled(32_768), 4],
    ['-32769', filled(-32_769), 4],
    ['the bounds of 32 bits', filled(2 ** 31 - 1, -(2 ** 31)), 4],
    ['2 ** 31', filled(2 ** 31), 8],
    ['-(2 ** 31) - 1', filled(-(2 ** 31) - 1), 8],
    ['2 ** 32', filled(2 ** 32), 8],
    ['MAX_SAFE_INTEGER', filled(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER), 8],
    ['a fraction', filled(1, 0.5), 8],
    ['-0', filled(-0), 8],
    ['-0 as the last', [...many, -0], 8],
    ['NaN', filled(Number.NaN), 8],
    ['infinities', filled(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY), 8],
    ['the least and the greatest', filled(Number.MIN_VALUE, -Number.MIN_VALUE, Number.MAX_VALUE), 8],
  ])('for %s is the least that holds all', (_name, values, width) => {
    const numbers = packed(values)
    expect(numbers.width).toBe(width)
    expect(numbers.bytes).toHaveLength(values.length * width)
    assert.deepStrictEqual(unpacked(numbers), values)
  })

  it.each([20_000, 300_000])('keeps its promise for lists that outgrow the room that is used again: %i', (length) => {
    const first = packed(many)
    for (const factor of [1, 1000, 1_000_000, 0.1]) {
      const values = Array.from({ length }, (_, i) => (i % 200) * factor)
      const numbers = packed(values)
      // What a longer list has left behind is not read again, and what was given out is not written again.
      assert.deepStrictEqual(unpacked(packed(many)), many)
      assert.deepStrictEqual(
        unpacked(packed(values.map((value) => -value))),
        values.map((value) => -value),
      )
      assert.deepStrictEqual(unpacked(numbers), values)
    }
    assert.deepStrictEqual(unpacked(first), many)
  })

  it('and for those that each outgrow it by one, also past what is kept', () => {
    // 131,072 doubles are a MiB.
    for (let length = 131_064; length < 131_080; length += 1) {
      const values = Array.from({ length }, (_, i) => i + 0.5)
      const found = viewNumbers(packed(values))
      expect(found).toHaveLength(length)
      expect([found[0], found[length - 2], found[length - 1]]).toEqual([0.5, length - 1.5, length - 0.5])
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
    const list = decodeList(payload)
    expect(Array.isArray(list)).toBe(encoding !== 'numbers')
    assert.deepStrictEqual(Array.from(list), values)
  })

  it('with a hole is left to the slow path', () => {
    const payload = encodeValues(sparse, 'items')
    expect(payload.encoding).toBe('rich')
    assert.deepStrictEqual(decodeList(payload), Array.from(sparse))
  })

  it('of a class, or with more than its items, comes as a plain one', () => {
    for (const values of [Numbers.from(many), Object.assign([...many], { x: 1 })]) {
      assert.deepStrictEqual(Array.from(decodeList(encodeValues(values, 'items'))), many)
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
    assert.deepStrictEqual(unpacked(packed(values)), many)
    expect(reads).toBe(1)
  })

  it('with a getter that packs a list of its own is not mixed up with it', () => {
    const values = [...many]
    const other = many.map((i) => i * 1000)
    let inner: unknown
    Object.defineProperty(values, 7, {
      get: () => {
        inner = unpacked(packed(other))
        return 7
      },
      enumerable: true,
    })
    assert.deepStrictEqual(unpacked(packed(values)), many)
    assert.deepStrictEqual(inner, other)
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

  it('is not packed where it is a value', () => {
    expect(encodeValue(many, 'value').encoding).toBe('json')
  })
})

const header: CallHeader = { mode: 'first', spread: false, spec: false, timeout: 0 }

/** The list of a chunk and of an outcome with this mark and these bytes. */
function chunkWith(mark: unknown, body: Uint8Array): ArrayLike<unknown> {
  const head = JSON.stringify({ v: 1, m: 'f', e: mark })
  return decodeList(parseChunk(Buffer.concat([Buffer.from(`${head}\n`), body])).payload)
}

function outcomeWith(mark: unknown, body: Uint8Array): ArrayLike<unknown> {
  const head = JSON.stringify({ v: 1, d: 1, e: mark })
  const [{ outcome } = {}] = parseOutcomes([
    ...['j', '0.0.0', 'h', head, 'p'].map((field) => Buffer.from(field)),
    Buffer.from(body),
  ])
  assert(outcome !== undefined)
  if (outcome instanceof Error) throw outcome
  return decodeList(outcome.payload)
}

describe.each([
  ['a chunk', chunkWith],
  ['an outcome', outcomeWith],
])('decoding hostile bytes of %s', (_what, listWith) => {
  const values = many.map((i) => i * 1000)
  const { bytes } = packed(values)
  const good = bytes.toString('base64')
  const replaced = (piece: string) => good.slice(0, 20) + piece + good.slice(20 + piece.length)

  it.each([
    ['no mark', undefined, good, /unknown encoding/],
    ['an empty mark', '', good, /unknown encoding/],
    ['no width', 'b', good, /unknown encoding/],
    ['no width of bytes', 'n', good, /unknown encoding/],
    ['no width and nothing else', 'n', '', /unknown encoding/],
    ['an unknown width', 'b3', good, /unknown encoding/],
    ['an unknown width of bytes', 'n3', good, /unknown encoding/],
    ['width 0', 'b0', good, /unknown encoding/],
    ['a width of two digits', 'b16', good, /unknown encoding/],
    ['a width of two digits, of bytes', 'n16', good, /unknown encoding/],
    ['a blank for a width', 'b ', good, /unknown encoding/],
    ['a blank before the width', 'b 4', good, /unknown encoding/],
    ['a capital', 'B4', good, /unknown encoding/],
    ['a width alone', '4', good, /unknown encoding/],
    ['a list for a mark', ['b4'], good, /unknown encoding/],
    ['a list for a mark of bytes', ['n4'], bytes, /unknown encoding/],
    ['JSON for a mark', [1, 2, 3], good, /unknown encoding/],
    ['a number for a mark', 4, good, /unknown encoding/],
    ['null for a mark', null, good, /unknown encoding/],
    ['a text that is cut off', 'b4', good.slice(0, -1), /base64/],
    ['a character that is none', 'b4', replaced('*'), /base64/],
    ['a blank', 'b4', replaced(' '), /base64/],
    ['four blanks', 'b4', replaced('    '), /base64/],
    ['a line break', 'b4', replaced('\n'), /base64/],
    ['a line break at the end', 'b4', `${good}\n`, /base64/],
    ['a null character', 'b4', replaced('\0'), /base64/],
    ['four characters too many', 'b1', 'AAAA\n\n\n\n', /base64/],
    ['a character beyond ASCII', 'b1', 'AAA\u0141AAAA', /base64/],
    ['one that keeps the length whole', 'b1', 'AA\u0141AAAA', /base64/],
    ['four of them', 'b4', replaced('\u0141\u0141'), /base64/],
    ['one of three bytes', 'b1', 'A\uff21AAAA', /base64/],
    ['one of four bytes', 'b1', 'AAAA\u{1d400}', /base64/],
    ['a byte beyond ASCII', 'b1', Buffer.from([0x41, 0x41, 0x41, 0xc1]), /base64/],
    ['bytes that are no UTF-8', 'b1', Buffer.from([0x41, 0xff, 0xfe, 0x41]), /base64/],
    ['UTF-16', 'b1', Buffer.from('AAAA', 'utf16le'), /base64/],
    ['an end in the middle', 'b1', 'AA==AAAA', /base64/],
    ['nothing but an end', 'b1', '====', /base64/],
    ['too much of an end', 'b1', 'A===', /base64/],
    ['the numbers themselves', 'b4', bytes, /base64/],
    ['what JSON says', 'b1', '[1,2,3]\n', /base64/],
  ])('%s', (_name, mark, body, reason) => {
    expect(() => listWith(mark, Buffer.from(body as string))).toThrow(ProtocolError)
    expect(() => listWith(mark, Buffer.from(body as string))).toThrow(reason)
  })

  it.each([
    ['half a number', 'b4', 'AAAAAAA='],
    ['half of a double', 'b8', good.slice(0, 4 * 4)],
    ['a byte too few', 'n4', bytes.subarray(1)],
    ['a byte too many', 'n8', Buffer.alloc(8 * 300 + 1)],
    ['one byte for two', 'n2', Buffer.from([1])],
    ['base64 where there should be none', 'n4', replaced('A').slice(1)],
  ])('%s', (_name, mark, body) => {
    expect(() => listWith(mark, Buffer.from(body as string))).toThrow(EncodingError)
    expect(() => listWith(mark, Buffer.from(body as string))).toThrow(/whole/)
  })

  it.each(['b1', 'b2', 'b4', 'b8', 'n1', 'n2', 'n4', 'n8'])('no bytes at all are no numbers: %s', (mark) => {
    expect(Array.from(listWith(mark, Buffer.alloc(0)))).toEqual([])
  })

  it('what is whole is read, of whatever length it is', () => {
    assert.deepStrictEqual(Array.from(listWith('b4', Buffer.from(good))), values)
    assert.deepStrictEqual(Array.from(listWith('n4', bytes)), values)
    const long = packed(Array.from({ length: 1000 }, (_, i) => i + 0.5))
    assert.deepStrictEqual(Array.from(listWith('b8', Buffer.from(long.bytes.toString('base64')))), unpacked(long))
  })
})

describe('decoding a hostile payload', () => {
  it.each([
    ['without bytes', { encoding: 'numbers', width: 4 }],
    ['without a width', { encoding: 'numbers', bytes: Buffer.alloc(8) }],
    ['with a text for bytes', { encoding: 'numbers', text: '4AAAA' }],
    ['with a list for a text', { encoding: 'json', text: ['1', 'A'] }],
  ])('%s', (_name, payload) => {
    expect(() => decodeList(payload as unknown as Payload)).toThrow(EncodingError)
    expect(() => decodePayload(payload as unknown as TextPayload)).toThrow(EncodingError)
  })

  it('of numbers where there should be one value', () => {
    const payload = encodeValues(many, 'items') as unknown as TextPayload
    expect(payload.encoding).toBe('numbers')
    expect(() => decodePayload(payload)).toThrow(EncodingError)
    expect(() => decodePayload({ ...payload, text: '[1]' })).toThrow(/"numbers"|'numbers'/)
  })

  it('makes numbers of any bits', () => {
    const bytes = Buffer.alloc(8 * 64)
    for (let i = 0; i < 64; i += 1) bytes.writeBigUInt64LE(0x7ff0_0000_0000_0001n + (BigInt(i) << 46n), i * 8)
    const list = unpacked({ width: 8, bytes })
    expect(list.every((value) => typeof value === 'number')).toBe(true)
    expect(list).toHaveLength(64)
  })
})

describe('a view', () => {
  const lists: [Width, number[]][] = [
    [1, many.map((i) => i - 50)],
    [2, many.map((i) => i * 300 - 15_000)],
    [4, many.map((i) => i * 70_000 - 3_500_000)],
    [8, many.map((i) => i / 7)],
  ]

  /** The same numbers, so many bytes into memory that is full of other bits. */
  function moved(numbers: PackedNumbers, offset: number): PackedNumbers {
    const memory = Buffer.from(new ArrayBuffer(numbers.bytes.length + 16)).fill(0xa5)
    numbers.bytes.copy(memory, offset)
    return { ...numbers, bytes: memory.subarray(offset, offset + numbers.bytes.length) }
  }

  it.each(lists)('of %i bytes each is right wherever they are', (width, values) => {
    const numbers = packed(values)
    expect(numbers.width).toBe(width)
    for (let offset = 0; offset < 16; offset += 1) {
      const { bytes } = moved(numbers, offset)
      expect(bytes.byteOffset).toBe(offset)
      assert.deepStrictEqual(unpacked({ width, bytes }), values)
      // What was looked at is as it was.
      expect(bytes.equals(numbers.bytes)).toBe(true)
    }
  })

  it.runIf(endianness() === 'LE').each(lists)('of %i bytes each copies only what is not aligned', (width, values) => {
    const numbers = packed(values)
    for (let offset = 0; offset < 16; offset += 1) {
      const { bytes } = moved(numbers, offset)
      const view = viewNumbers({ width, bytes }) as Float64Array
      expect(view.buffer === bytes.buffer).toBe(offset % width === 0)
      expect(view.byteOffset).toBe(offset % width === 0 ? offset : 0)
      expect([view.BYTES_PER_ELEMENT, view.length]).toEqual([width, values.length])
      bytes.fill(0)
      expect(view.every((value) => value === 0)).toBe(offset % width === 0)
    }
  })

  it('of no bytes is empty, wherever they would be', () => {
    for (const [width, values] of lists) {
      const { bytes } = moved(packed(values), 3)
      for (const at of [0, 1, 5]) expect(viewNumbers({ width, bytes: bytes.subarray(at, at) })).toHaveLength(0)
    }
  })
})

describe('joined lists', () => {
  const bytes = Int8Array.of(1, -128, 127)
  const shorts = Int16Array.of(300, -32_768)
  const integers = Int32Array.of(70_000, -(2 ** 31), 2 ** 31 - 1)
  const doubles = Float64Array.of(0.5, -0, Number.NaN, Number.NEGATIVE_INFINITY)
  const plain = ['a', undefined, null, { b: [1n] }]

  it.each([
    ['none', []],
    ['one that is empty', [[]]],
    ['one of numbers that is empty', [new Float64Array(0)]],
    ['empty ones', [[], new Int8Array(0), [], new Float64Array(0)]],
    ['one of bytes', [bytes]],
    ['one of shorts', [shorts]],
    ['one of integers', [integers]],
    ['one of doubles', [doubles]],
    ['integers of all widths', [shorts, bytes, integers, bytes]],
    ['doubles after integers', [bytes, shorts, integers, doubles]],
    ['integers after doubles', [doubles, integers, shorts, bytes]],
    ['doubles between integers', [integers, doubles, integers, doubles, bytes]],
    ['plain ones', [plain, [], [1, 2], plain]],
    ['plain ones before and after numbers', [plain, bytes, [], doubles, plain, integers, [0.5], shorts, plain]],
    ['an empty one first and last', [new Int16Array(0), plain, doubles, []]],
    ['the same one twice', [doubles, doubles]],
  ] as [string, ArrayLike<unknown>[]][])('%s', (_name, lists) => {
    const before = lists.map((list) => Array.from(list))
    const joined = joinLists(lists)
    expect(Array.isArray(joined)).toBe(true)
    assert.deepStrictEqual(joined, before.flat())
    if (lists.length > 1) expect(lists).not.toContain(joined)
    assert.deepStrictEqual(
      lists.map((list) => Array.from(list)),
      before,
    )
  })

  it('are a single plain list itself', () => {
    expect(joinLists([plain])).toBe(plain)
  })

  it('keep what a plain list holds', () => {
    const joined = joinLists([bytes, plain])
    expect(joined[bytes.length + 3]).toBe(plain[3])
  })

  it('may be many, and long', () => {
    const kinds = [bytes, doubles, [1, 'a'], shorts, [], integers]
    const lists = Array.from({ length: 150_000 }, (_, i) => kinds[i % kinds.length] as ArrayLike<unknown>)
    assert.deepStrictEqual(
      joinLists(lists),
      lists.flatMap((list) => Array.from(list)),
    )
    const long = Int32Array.from({ length: 1_000_000 }, (_, i) => i)
    const all = joinLists([long, Float64Array.from(long, (n) => n / 2), long])
    expect(all).toHaveLength(3_000_000)
    expect([all[999_999], all[1_999_999], all[2_000_000], all[2_999_999]]).toEqual([999_999, 499_999.5, 0, 999_999])
  })
})

describe('on the wire', () => {
  it('the least significant byte comes first', () => {
    const values = filled(1, 2 ** 31 - 1, -2)
    const bytes = Buffer.alloc(values.length * 4)
    for (const [i, value] of values.entries()) bytes.writeInt32LE(value, i * 4)
    const numbers = packed(values)
    expect(numbers.width).toBe(4)
    expect(numbers.bytes.equals(bytes)).toBe(true)
  })

  it.each([
    [1, 2047, 'b'],
    [1, 2048, 'n'],
    [2, 1023, 'b'],
    [2, 1024, 'n'],
    [4, 511, 'b'],
    [4, 512, 'n'],
    [8, 255, 'b'],
    [8, 256, 'n'],
  ])('of %i bytes each, %i are marked %s', (width, length, mark) => {
    const first = { 1: 0, 2: 300, 4: 70_000, 8: 0.5 }[width] as number
    const values = Array.from({ length }, (_, i) => (i === 0 ? first : i % 100))
    const payload = encodeValues(values, 'items')
    const { bytes } = packed(values)
    const body = mark === 'b' ? bytes.toString('base64') : bytes

    const chunk = formatChunk(header, payload)
    expect(typeof chunk === 'string').toBe(mark === 'b')
    const data = Buffer.from(chunk as string)
    const start = data.indexOf('\n') + 1
    expect(JSON.parse(data.toString('utf8', 0, start))).toEqual({ v: 1, m: 'f', b: 1, e: mark + width })
    expect(data.subarray(start).equals(Buffer.from(body as string))).toBe(true)

    const fields = formatOutcome('0.0.0', { payload, failures: [], duration: 1 })
    expect(fields.slice(0, 3)).toEqual(['j', '0.0.0', 'h'])
    expect(JSON.parse(String(fields[3]))).toEqual({ v: 1, e: mark + width, d: 1 })
    expect(fields[4]).toBe('p')
    assert.deepStrictEqual(fields[5], body)
  })

  it('the numbers of a chunk begin at a multiple of 8, whatever its header', () => {
    const payload = encodeValues(
      Array.from({ length: 300 }, (_, i) => i / 3),
      'items',
    )
    const ends = new Set<number>()
    const names = ['', 'é', 'Ł', '語', '😀', 'äöü語😀', '\ud800', '"\\\n']
    for (const name of names) {
      for (let more = 0; more < 16; more += 1) {
        const call = { ...header, retry: { count: 1, delay: 0, on: [name, name + 'x'.repeat(more)] } }
        const chunk = formatChunk(call, payload)
        assert(Buffer.isBuffer(chunk))
        const start = chunk.indexOf('\n') + 1
        expect(start % 8).toBe(0)
        ends.add(chunk.toString('utf8', 0, start).trimEnd().length % 8)
        // As it is when it comes at the beginning of memory of its own.
        const data = Buffer.from(new ArrayBuffer(chunk.length))
        chunk.copy(data)
        const found = parseChunk(data)
        expect(found.retry).toEqual(call.retry)
        assert.deepStrictEqual(found.payload, payload)
        const list = decodeList(found.payload) as Float64Array
        if (endianness() === 'LE') expect(list.buffer).toBe(data.buffer)
        assert.deepStrictEqual(Array.from(list), Array.from(decodeList(payload)))
      }
    }
    expect(ends.size).toBe(8)
  })

  it('so it does where the host has them in the other order', async () => {
    vi.resetModules()
    const real = await import('node:os')
    const other = real.endianness() === 'LE' ? 'BE' : 'LE'
    vi.doMock('node:os', () => ({ ...real, endianness: () => other }))
    try {
      const swapping = await import('../../../../packages/shared/src/payload/payload-numbers.js')
      const long = Array.from({ length: 300_000 }, (_, i) => i % 100)
      const starts = [[0], [-300, 300], [70_000, -1], [0.1, Number.NaN, -0]]
      for (const [nth, start] of starts.entries()) {
        const width = 2 ** nth
        // One that is packed in the room that is used again, and one in a room of its own.
        for (const values of [filled(...start, ...many), [...start, ...long]]) {
          const numbers = swapping.packNumbers(values)
          assert(numbers !== undefined)
          expect(numbers.width).toBe(width)
          // This host is not what it is told to be, so that each number has its bytes reversed.
          const bytes = Buffer.from(numbers.bytes)
          for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse()
          expect(bytes.equals(packed(values).bytes)).toBe(true)
          const memory = Buffer.from(new ArrayBuffer(numbers.bytes.length + 8))
          for (const offset of [0, 1, 8]) {
            const at = memory.subarray(offset, offset + numbers.bytes.length)
            numbers.bytes.copy(at)
            assert.deepStrictEqual(Array.from(swapping.viewNumbers({ ...numbers, bytes: at })), values)
            // They are turned round in a copy.
            expect(at.equals(numbers.bytes)).toBe(true)
          }
          assert.deepStrictEqual(Array.from(swapping.viewNumbers(numbers)), values)
        }
      }
    } finally {
      vi.doUnmock('node:os')
      vi.resetModules()
    }
  })
})
