import assert from 'node:assert/strict'
import vm from 'node:vm'
import { describe, expect, it } from 'vitest'
import { EncodingError } from '../../../../packages/shared/src/errors/errors.js'
import type { Payload, TextPayload } from '../../../../packages/shared/src/payload/codec.js'
import {
  decodeList,
  decodePayload,
  encodeValue,
  encodeValues,
  payloadLength,
} from '../../../../packages/shared/src/payload/codec.js'

/** Over the wire the payload is text in UTF-8. */
function travel(payload: TextPayload): TextPayload {
  return { ...payload, text: Buffer.from(payload.text, 'utf8').toString('utf8') }
}

function roundTrip<T>(value: T): T {
  return decodePayload(travel(encodeValue(value, 'value'))) as T
}

function refusal(value: unknown, place = 'args[0]'): EncodingError {
  try {
    encodeValue(value, place)
  } catch (error) {
    assert(error instanceof EncodingError)
    return error
  }
  return assert.fail('it was encoded')
}

/** A wrong answer of `hasExtraKeys` or of the fast check shows in which path was taken. */
function encodingOf(value: unknown): string {
  return encodeValue(value, 'value').encoding
}

const many = Array.from({ length: 100 }, (_, i) => i)

const sparse = [1, 2, 3]
delete sparse[1]

describe('the fast path', () => {
  it.each([
    ['numbers', many],
    ['strings', ['a', 'é', '\u2028', '\ud83d\ude00']],
    ['lone surrogates', ['\ud800', 'a\udc00b', { '\ud800': 1 }]],
    ['nested objects', { a: [{ b: null }, { c: true }], d: { e: {} }, f: [] }],
    ['extreme numbers', [Number.MAX_VALUE, Number.MIN_VALUE, 2 ** 53, 1e21, 0.1 + 0.2]],
    ['an own __proto__ key', JSON.parse('{"__proto__":{"polluted":true},"constructor":1,"toString":2}')],
    ['many objects', Array.from({ length: 50 }, (_, id) => ({ id }))],
    ['null', null],
    ['a string', 'x'.repeat(100_000)],
  ])('takes %s', (_name, value) => {
    expect(encodingOf(value)).toBe('json')
    assert.deepStrictEqual(roundTrip(value), value)
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  it.each([
    ['undefined', undefined],
    ['an undefined property', { a: undefined }],
    ['-0', [-0]],
    ['NaN', { a: Number.NaN }],
    ['infinities', [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ['bigint', [1n]],
    ['a hole', sparse],
    ['extra properties of a short array', Object.assign([1, 2], { x: 1 })],
    ['extra properties of a long array', Object.assign([...many], { x: 1 })],
    ['a hole made up for by an extra property', Object.assign(new Array(1), { x: 1 })],
    ['a match', 'abc'.match(/(?<first>b)/)],
    ['no prototype', Object.assign(Object.create(null), { a: 1 })],
    ['a date', [new Date(0)]],
  ])('leaves %s to the slow one, which brings it back', (_name, value) => {
    expect(encodingOf(value)).toBe('rich')
    assert.deepStrictEqual(roundTrip(value), value)
  })

  it('is off while a prototype has a toJSON', () => {
    Object.defineProperty(Object.prototype, 'toJSON', { value: () => 'wrong', configurable: true })
    try {
      assert.deepStrictEqual(roundTrip({ a: 1 }), { a: 1 })
      const value = { list: ['a', undefined, { b: [null, true] }], when: new Date(0), nothing: undefined }
      assert.deepStrictEqual(roundTrip(value), value)
    } finally {
      Reflect.deleteProperty(Object.prototype, 'toJSON')
    }
  })
})

describe('identity', () => {
  it('keeps an object that is held twice', () => {
    const shared = { n: 1 }
    const back = roundTrip({ a: shared, b: [shared] })
    expect(back.a).toBe(back.b[0])
  })

  it('keeps it among more than a few objects', () => {
    const shared = {}
    const back = roundTrip([shared, ...many.map((n) => ({ n })), shared])
    expect(back[0]).toBe(back.at(-1))
  })

  it('keeps cycles', () => {
    interface Node {
      self?: Node
      map: Map<Node | string, unknown>
    }
    const node: Node = { map: new Map() }
    node.self = node
    node.map.set(node, new Set([node])).set('list', [node])
    const back = roundTrip(node)
    expect(back.self).toBe(back)
    expect(back.map.has(back)).toBe(true)
    expect((back.map.get(back) as Set<unknown>).has(back)).toBe(true)
    assert.deepStrictEqual(back, node)
  })

  it('keeps cycles through errors and through arrays with extra properties', () => {
    const error: Error & { self?: unknown; list?: unknown } = new TypeError('loop')
    const list: unknown[] & { error?: Error } = [error]
    list.error = error
    error.self = error
    error.cause = { error }
    error.list = list
    const back = roundTrip({ error, list })
    expect(back.error).toBeInstanceOf(TypeError)
    expect(back.error.self).toBe(back.error)
    expect((back.error.cause as { error: unknown }).error).toBe(back.error)
    expect(back.error.list).toBe(back.list)
    expect(back.list.error).toBe(back.error)
    expect(back.list[0]).toBe(back.error)
  })

  it('lets two items hold the same object on the fast path', () => {
    const shared = { a: [1] }
    const payload = encodeValues([shared, shared, [shared]], 'items')
    expect(payload.encoding).toBe('json')
    assert.deepStrictEqual(decodeList(payload), [shared, shared, [shared]])
  })

  it('keeps views on one ArrayBuffer together', () => {
    const buffer = new ArrayBuffer(16)
    const back = roundTrip({
      bytes: new Uint8Array(buffer, 4, 8),
      view: new DataView(buffer),
      node: Buffer.from(buffer),
    })
    back.view.setUint8(4, 7)
    expect(back.bytes[0]).toBe(7)
    expect(back.node[4]).toBe(7)
    expect(back.bytes).toHaveLength(8)
  })
})

describe('types', () => {
  const typed = [
    Int8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
  ]
  it.each([
    ['dates', [new Date(1e12), new Date(-1), new Date(8.64e15)]],
    ['regular expressions', [/a\/b/giu, /</, /\ud800/]],
    [
      'maps and sets',
      new Map<unknown, unknown>([
        [1n, new Set([-0, Number.NaN])],
        [{}, undefined],
      ]),
    ],
    ['typed arrays', typed.map((View) => View.from([1, 2, 250]))],
    ['big typed arrays', [BigInt64Array.of(-1n), BigUint64Array.of(2n ** 64n - 1n)]],
    [
      'buffers',
      [new Uint8Array([1, 2, 3]).buffer, new DataView(new ArrayBuffer(3)), Buffer.alloc(0), Buffer.from('é')],
    ],
    ['boxed primitives', [new Number(-0), new String('a'), new Boolean(false), Object(1n), new Number(Number.NaN)]],
    ['URLs', [new URL('https://a.b/c?d=e#f'), new URLSearchParams('a=1&a=2')]],
    ['a very sparse array', Object.assign([], { 4000000: 1 })],
    ['own __proto__ keys', [JSON.parse('{"__proto__":{"polluted":true},"a":1}'), undefined]],
    [
      'own __proto__ keys without a prototype',
      Object.defineProperty(Object.create(null), '__proto__', { value: 1, enumerable: true }),
    ],
    ['a key then', JSON.parse('[{"then":1},{"then":null}]')],
    ['hostile keys', { constructor: undefined, hasOwnProperty: 2, '': 3, '\ud800"\\<': 4 }],
    ['lone surrogates', [undefined, '\ud800', 'a\udc00b', { '\udfff': '\u2028<' }]],
    ['huge bigints', [2n ** 4096n, -(10n ** 300n)]],
  ])('brings back %s', (_name, value) => {
    assert.deepStrictEqual(roundTrip<unknown>(value), value)
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  it('brings back an invalid date', () => {
    const [date, valid] = roundTrip([new Date(Number.NaN), new Date(0)])
    expect(date).toBeInstanceOf(Date)
    expect(date?.getTime()).toBeNaN()
    expect(valid?.getTime()).toBe(0)
  })

  it('resets lastIndex, as structured clone does', () => {
    const pattern = /a/g
    pattern.lastIndex = 3
    expect(roundTrip(pattern).lastIndex).toBe(0)
  })

  it('takes only its own bytes along for a slice of a pooled Buffer', () => {
    const slice = Buffer.from('small')
    expect(slice.buffer.byteLength).toBeGreaterThan(1000)
    const payload = encodeValue(slice, 'value')
    expect(payload.text.length).toBeLessThan(100)
    expect(Buffer.isBuffer(decodePayload(payload))).toBe(true)
  })

  it('brings back 10 MB of bytes in a moment', () => {
    const bytes = Buffer.alloc(10_000_000, 'poolmq')
    expect(roundTrip(bytes).equals(bytes)).toBe(true)
  })

  it('takes values of another realm for what they are', () => {
    const foreign: unknown = vm.runInNewContext(
      '({ map: new Map([[1, [2]]]), date: new Date(0), list: [{}], error: new TypeError("t") })',
    )
    const back = roundTrip(foreign) as { map: unknown; date: unknown; list: unknown; error: unknown }
    assert.deepStrictEqual(back.map, new Map([[1, [2]]]))
    assert.deepStrictEqual(back.date, new Date(0))
    assert.deepStrictEqual(back.list, [{}])
    expect(back.error).toBeInstanceOf(TypeError)
  })

  it('is not misled by Symbol.toStringTag', () => {
    const liar = Object.defineProperty({ a: 1 }, Symbol.toStringTag, { value: 'Date' })
    assert.deepStrictEqual({ ...roundTrip(liar) }, { a: 1 })
  })

  it('carries errors as values, with stack and without a traceback', () => {
    const error = Object.assign(new RangeError('r', { cause: new Error('inner') }), { code: 'E1', at: new Date(0) })
    const back = roundTrip(error)
    expect(back).toBeInstanceOf(RangeError)
    assert.deepStrictEqual(back, error)
    expect(back.stack).toBe(error.stack)
    expect((back.cause as Error).cause).toBeUndefined()
    expect(Object.keys(back)).toEqual(['code', 'at'])
  })

  it('carries the members of an AggregateError and drops what an error holds that is not carried', () => {
    const error = Object.assign(new AggregateError([new TypeError('a'), 'b', () => 1], 'all'), { retry: () => 1, n: 1 })
    const back = roundTrip(error)
    expect(back).toBeInstanceOf(AggregateError)
    expect(back.errors).toEqual([new TypeError('a'), 'b', '[Function (anonymous)]'])
    expect(Object.entries(back)).toEqual([['n', 1]])
  })
})

describe('what is not carried', () => {
  class User {}
  class MyMap extends Map {}
  class MyList extends Array {}
  const detached = () => {
    const bytes = new Uint8Array(8)
    structuredClone(bytes, { transfer: [bytes.buffer] })
    return bytes
  }
  it.each([
    ['a function', { fn: () => 1 }, 'args[0].fn', /is a function/],
    ['a method toJSON', { a: { toJSON: () => 1 } }, 'args[0].a.toJSON', /is a function/],
    ['a symbol', [[Symbol('s')]], 'args[0][0][0]', /is a symbol/],
    ['a symbol as key', { a: { [Symbol('s')]: 1 } }, 'args[0].a', /Symbol\(s\)/],
    ['an instance', { 'two words': [new User()] }, 'args[0]["two words"][0]', /instance of User/],
    ['a subclass of Map', new MyMap(), 'args[0]', /instance of MyMap/],
    ['a subclass of Array', { a: MyList.of(1) }, 'args[0].a', /instance of MyList/],
    ['a promise', [Promise.resolve()], 'args[0][0]', /await it/],
    ['a WeakMap', new WeakMap(), 'args[0]', /instance of WeakMap/],
    ['shared memory', new Uint8Array(new SharedArrayBuffer(4)), 'args[0]', /shared memory/],
    ['memory that was transferred', { file: detached().buffer }, 'args[0].file', /is detached.* pass a copy/],
    ['a view of it', [detached()], 'args[0][0]', /is detached/],
    ['a value in a Map', new Map([['k', { f() {} }]]), "args[0].get('k').f", /is a function/],
    ['a key of a Map', new Map([[() => 1, 1]]), 'args[0].keys()[0]', /is a function/],
    ['a member of a Set', new Set([1, Symbol.iterator]), 'args[0].values()[1]', /is a symbol/],
    ['a fake', Object.create(Map.prototype), 'args[0]', /instance of Map/],
    ['an object with a prototype of its own', Object.create({ inherited: 1 }), 'args[0]', /would lose/],
  ])('%s', (_name, value, place, reason) => {
    const error = refusal(value)
    expect(error.place).toBe(place)
    expect(error.reason).toMatch(reason)
    expect(error.message).toBe(`${place} ${error.reason}`)
    expect(error.code).toBe('ERR_POOL_ENCODING')
    expect(error.value).toBeTypeOf('string')
  })

  it('names the item, counted from the first index', () => {
    const items = [1, { a: 1 }, { a: { fn() {} } }, Symbol('late')]
    const error = (() => {
      try {
        return encodeValues(items, 'items', 1000)
      } catch (failure) {
        return failure
      }
    })()
    assert(error instanceof EncodingError)
    expect(error.place).toBe('items[1002].a.fn')
    expect(error.index).toBe(1002)
  })

  it('a getter that throws is the cause', () => {
    const boom = new Error('boom')
    const error = refusal({
      a: {
        get b(): never {
          throw boom
        },
      },
    })
    expect(error.place).toBe('args[0].a.b')
    expect(error.cause).toBe(boom)
  })

  it('a Proxy that throws is no crash', () => {
    const hostile = new Proxy(
      {},
      {
        getPrototypeOf() {
          throw new Error('no')
        },
        ownKeys() {
          throw new Error('no')
        },
      },
    )
    expect(refusal({ hostile }).place).toBe('args[0].hostile')
    expect(refusal(Proxy.revocable({}, {})).reason).toMatch(/function/)
  })

  it('too deep a nesting is an EncodingError on both ways', () => {
    let deep: unknown = 0
    for (let i = 0; i < 200_000; i += 1) deep = [deep]
    expect(refusal(deep).reason).toBe('it is nested too deeply')
    expect(() => encodeValues([1, deep], 'items')).toThrow(/^items\[1\] cannot be encoded: it is nested too deeply$/)
    const chain = `[[${'['.repeat(200_000)}${']'.repeat(200_000)}],[]]`
    for (const decode of [decodePayload, decodeList]) {
      expect(() => decode({ encoding: 'rich', text: chain })).toThrow(EncodingError)
    }
  })
})

describe('what is large', () => {
  const travel = (values: readonly unknown[]): { back: unknown[]; size: number } => {
    const payload = encodeValues(values, 'items')
    return { back: Array.from(decodeList(payload)), size: payloadLength(payload) }
  }
  const rows = Array.from({ length: 1000 }, (_, i) => ({ i, text: `row ${i}` }))
  const bytes = Buffer.alloc(50_000, 'bytes')
  const numbers = Array.from({ length: 20_000 }, (_, i) => i / 7)

  it.each<[string, unknown]>([
    ['an object', { rows }],
    ['an object with what JSON does not carry', { rows, when: new Date(0), nothing: undefined }],
    ['a list', rows],
    ['a text', 'text '.repeat(10_000)],
    ['a Map', new Map(rows.map((row) => [row.i, row]))],
    ['a Buffer', bytes],
    ['a typed array', Float64Array.from(numbers)],
    ['a list of numbers', numbers],
  ])('and is held by many items travels once: %s', (_what, shared) => {
    const alone = travel([shared, 1]).size
    for (const items of [
      Array.from({ length: 100 }, (_, i) => [i, shared]),
      Array.from({ length: 100 }, (_, i) => ({ i, options: { shared } })),
      Array.from({ length: 100 }, () => shared),
    ]) {
      const { back, size } = travel(items)
      assert.deepStrictEqual(back, items)
      expect(size).toBeLessThan(2 * alone + 10_000)
    }
  })

  it('and is bytes travels as bytes, as they were at that moment', () => {
    const scratch = Buffer.alloc(100_000, 1)
    const view = new Float64Array(10_000).fill(0.5)
    const payload = encodeValues([{ scratch, view }, numbers, scratch.subarray(10, 90_000)], 'items')
    expect(payloadLength(payload)).toBeLessThan(100_000 + 80_000 + 160_000 + 89_990 + 2000)
    scratch.fill(2)
    view.fill(7)
    const back = decodeList(payload) as unknown as [{ scratch: Buffer; view: Float64Array }, number[], Buffer]
    expect(back[0].scratch.equals(Buffer.alloc(100_000, 1))).toBe(true)
    expect(back[0].view.every((value) => value === 0.5)).toBe(true)
    assert.deepStrictEqual(back[1], numbers)
    expect(back[2].equals(Buffer.alloc(89_990, 1))).toBe(true)
    expect(back[2].buffer.byteLength).toBe(89_990)
  })

  it('and is text is no part of one string for all', () => {
    const texts = ['ä'.repeat(2_000_000), `\ud800${'x'.repeat(2_000_000)}`, `${'y'.repeat(1_100_000)}😀`]
    const value = { texts, more: [undefined, texts[0]] }
    const payload = encodeValues([value], 'items')
    expect(payload.encoding).toBe('blobs')
    expect(payload.encoding === 'blobs' && payload.blobs[0]?.byteLength).toBeLessThan(1000)
    assert.deepStrictEqual(decodeList(payload)[0], value)
  })

  it('and holds numbers among others, holes or NaN comes back', () => {
    const sparse = new Array(100_000)
    sparse[5] = 1
    const mixed = [...numbers, 'x', ...numbers]
    const odd = [...numbers, Number.NaN, -0, Number.POSITIVE_INFINITY]
    const holes = [...numbers, ...new Array(3), 1]
    const gaps = [1, ...new Array(2), 2]
    for (const list of [sparse, mixed, odd, holes, gaps, Object.assign([...numbers], { x: 1 })]) {
      assert.deepStrictEqual(travel([list]).back, [list])
      assert.deepStrictEqual(travel([[list, list]]).back, [[list, list]])
    }
  })
})

describe('the length of a payload', () => {
  it.each([
    ['characters of JSON', ['é', '\ud83d\ude00'], '["é","\ud83d\ude00"]'.length],
    ['characters of rich text', [1n], encodeValue([1n], 'value').text.length],
    ['bytes of integers', many, 100],
    ['bytes of doubles', [...many, 0.5], 808],
  ])('is in %s', (_name, values, length) => {
    expect(payloadLength(encodeValues(values, 'items'))).toBe(length)
  })
})

describe('decoding hostile text', () => {
  const rich = (text: string): TextPayload => ({ encoding: 'rich', text })
  it.each([
    ['nothing', rich('')],
    ['truncated JSON', { encoding: 'json', text: '[1,2' }],
    ['an unknown encoding', { encoding: 'msgpack', text: '1' }],
    ['an encoding from a prototype', { encoding: 'toString', text: '1' }],
    ['numbers in a text', { encoding: 'numbers', text: '4AAAA' }],
    ['no text', { encoding: 'json' }],
    ['bytes for a text', { encoding: 'json', text: Buffer.from('[1]') }],
    ['no payload', undefined],
    ['no trees', rich('[[],[]]')],
    ['trees that are none', rich('[{},[]]')],
    ['a note that is missing', rich('[[null],[]]')],
    ['a note too many', rich('[[1],[0]]')],
    ['a note of an unknown kind', rich('[[null],[99]]')],
    ['an object that has not been met', rich('[[null],[9,0]]')],
    ['a negative number of an object', rich('[[[null]],[9,-1]]')],
    ['half an object', rich('[[[null]],[9,0.5]]')],
    ['a view of itself', rich('[[null],[21,"Uint8Array",0,1,9,0]]')],
    ['a view of nothing', rich('[[null],[21,"Uint8Array",0,1,1]]')],
    ['a view beyond its memory', rich('[[null],[21,"Uint8Array",0,400,20,"AAAA"]]')],
    ['a view of an unknown kind', rich('[[null],[21,"Worker",0,1,20,"AAAA"]]')],
    ['a blob that is missing', rich('[[null],[20,5]]')],
    ['a content that is missing', rich('[[null],[10]]')],
    ['a content too many', rich('[[1,[]],[]]')],
    ['a content that is no list', rich('[[null,5],[10]]')],
    ['an error of nothing', rich('[[null,{}],[12]]')],
    ['an error of a number', rich('[[null,{}],[12,["Error"],7,"m",null]]')],
    ['an error with a class that is no string', rich('[[null,{}],[12,[7],"n","m",null]]')],
    ['an error of an unknown content', rich('[[null,7],[12,["Error"],"n","m",null]]')],
    ['a __proto__ key', rich('[[{"__proto__":null}],[1]]')],
    ['a key that is none', rich('[[null,[1,2]],[14]]')],
    ['a hole for a value', rich('[[null],[2]]')],
    ['a hole for a property', rich('[[{"a":null}],[2]]')],
    ['a bigint of letters', rich('[[null],[8,"x"]]')],
    ['a date of letters', rich('[[null],[7,"x"]]')],
    ['numbers of no width', rich('[[null],[22,3,"AAAA"]]')],
    ['numbers that are not whole', rich('[[null],[22,8,"AAAA"]]')],
    ['a pattern that is none', rich('[[null],[16,"(","g"]]')],
    ['a URL that is none', rich('[[null],[18,"no url"]]')],
    ['a primitive of an unknown kind', rich('[[null],[17,"Symbol","x"]]')],
    ['a length that is a lie', rich('[[null,[]],[13,-5]]')],
    ['a length that is none', rich('[[null,[]],[13,"length"]]')],
  ])('%s', (_name, payload) => {
    expect(() => decodePayload(payload as unknown as TextPayload)).toThrow(EncodingError)
    expect(() => decodeList(payload as unknown as Payload)).toThrow(EncodingError)
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  it.each([
    ['an object', { length: 1, 0: 1 }],
    ['null', null],
    ['a string', 'ab'],
    ['a number', 1],
    ['undefined', undefined],
    ['a Set', new Set([1])],
    ['bytes', Buffer.from('ab')],
    ['a typed array', Float64Array.of(1)],
  ])('%s is no list', (_name, value) => {
    const payload = encodeValue(value, 'value')
    assert.deepStrictEqual(decodePayload(payload), value)
    expect(() => decodeList(payload)).toThrow(EncodingError)
    expect(() => decodeList(payload)).toThrow(/it is not a list$/)
  })

  it('never allocates what is only declared', () => {
    const before = process.memoryUsage().rss
    expect((decodePayload(rich('[[null,[]],[13,4294967295]]')) as unknown[]).length).toBe(4_294_967_295)
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6)
  })
})
