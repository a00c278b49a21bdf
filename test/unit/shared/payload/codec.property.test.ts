import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeError, encodeError } from '../../../../packages/shared/src/errors/error-transport.js'
import { EncodingError } from '../../../../packages/shared/src/errors/errors.js'
import type { Payload, TextPayload } from '../../../../packages/shared/src/payload/codec.js'
import { decodeList, decodePayload, encodeValue, encodeValues } from '../../../../packages/shared/src/payload/codec.js'
import { formatChunk, parseChunk } from '../../../../packages/shared/src/records/chunk-record.js'
import { identities, plain, rich } from '../../../fixtures/dist/any-value.js'

const RUNS = 3_000

function travel(payload: TextPayload): unknown {
  const wire = Buffer.from(JSON.stringify(payload), 'utf8').toString('utf8')
  return decodePayload(JSON.parse(wire) as TextPayload)
}

function travelAsList(payload: Payload): unknown[] {
  const chunk = formatChunk({ mode: 'first', spread: false, spec: false, timeout: 0 }, payload)
  return Array.from(decodeList(parseChunk(Buffer.from(chunk as string)).payload))
}

describe('any value', () => {
  it('that is JSON comes back', () => {
    fc.assert(
      fc.property(plain, (value) => {
        assert.deepStrictEqual(travel(encodeValue(value, 'value')), value)
      }),
      { numRuns: RUNS },
    )
  })

  it('that is carried comes back, with its types and identities', () => {
    fc.assert(
      fc.property(rich, (value) => {
        const back = travel(encodeValue(value, 'value'))
        assert.deepStrictEqual(back, value)
        assert.deepStrictEqual(identities(back), identities(value))
      }),
      { numRuns: RUNS },
    )
  })

  it('comes back in a list', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(plain, rich)), (values) => {
        assert.deepStrictEqual(travelAsList(encodeValues(values, 'items')), values)
      }),
      { numRuns: RUNS / 5 },
    )
  })

  it('that holds a function is refused at its index', () => {
    fc.assert(
      fc.property(fc.array(rich, { maxLength: 5 }), fc.array(fc.integer(), { maxLength: 5 }), (before, after) => {
        try {
          encodeValues([...before, { a: [() => 1] }, ...after], 'items', 10)
        } catch (error) {
          assert(error instanceof EncodingError)
          expect([error.index, error.place]).toEqual([10 + before.length, `items[${10 + before.length}].a[0]`])
          return
        }
        assert.fail('it was encoded')
      }),
      { numRuns: 500 },
    )
  })

  it('can be thrown', () => {
    fc.assert(
      fc.property(rich, (value) => {
        const back = decodeError(JSON.parse(JSON.stringify(encodeError(value))))
        if (value instanceof Error) {
          expect([back.constructor, back.message]).toEqual([value.constructor, value.message])
          assert.deepStrictEqual({ ...back }, { ...value })
        } else {
          assert.deepStrictEqual(Reflect.get(back, 'value'), value)
        }
      }),
      { numRuns: RUNS / 5 },
    )
  })
})

describe('any text', () => {
  const SEEDS: readonly unknown[] = [
    { a: [1, -0, undefined], m: new Map<unknown, unknown>([['k', new Set([1n])]]) },
    [Buffer.from('bytes'), new Float64Array([1, 2]), new DataView(new ArrayBuffer(8), 2, 4), new Date(0), /x/g],
    [Object.assign(new AggregateError([new TypeError('t')], 'all', { cause: { x: 1n } }), { code: 'E', o: Object(1) })],
    [
      Object.assign(new Array(3), { 1: 2, x: 1 }),
      JSON.parse('{"__proto__":{"a":1},"b":2}'),
      new URL('http://a/'),
      { '\ud800': null },
    ],
    [new Array(1_000_000), Object.create(null), 'text', true],
  ]
  const pieces = fc.oneof(
    fc.constantFrom(
      '[',
      ']',
      '{',
      '}',
      ',',
      ':',
      '"',
      '-1',
      '-2',
      '-7',
      '0',
      '1',
      '2',
      '4294967295',
      '1e9',
      'null',
      'true',
      '[0]',
      '[1,1]',
      '"__proto__"',
      '"constructor"',
      '"prototype"',
      '"Error"',
      '"Keyed"',
      '"Buffer"',
      '"Map"',
      '"Set"',
      '"Date"',
      '"Object"',
      '"null"',
      '"RegExp"',
      '"BigInt"',
      '"ArrayBuffer"',
      '"Uint8Array"',
      '"DataView"',
      '"URL"',
      '"Float64Array"',
      '"classes"',
    ),
    fc.string({ maxLength: 3 }),
  )
  const edit = fc.record({ at: fc.nat(), cut: fc.integer({ min: 0, max: 6 }), put: pieces })

  function mutate(base: string, edits: readonly { at: number; cut: number; put: string }[]): string {
    return edits.reduce((now, { at, cut, put }) => {
      const from = at % (now.length + 1)
      return now.slice(0, from) + put + now.slice(from + cut)
    }, base)
  }

  /** Swaps whole numbers and tags, so that the text stays JSON and gets past the parser. */
  function scramble(base: string, picks: readonly number[]): string {
    let nth = 0
    return base.replace(/-?\d+|"[A-Z]\w+"/g, (token) => {
      const pick = picks[nth++ % picks.length] ?? 0
      if (pick % 4 !== 0) return token
      return token.startsWith('"')
        ? String(['"Map"', '"Error"', '"Keyed"', '"Buffer"', '"Set"'][pick % 5])
        : String((pick % 40) - 8)
    })
  }

  function survives(payload: TextPayload): void {
    for (const decode of [decodePayload, decodeList]) {
      try {
        const value = decode(payload)
        if (decode === decodeList) expect(Array.isArray(value)).toBe(true)
      } catch (error) {
        assert(error instanceof EncodingError, `not an EncodingError: ${String(error)}`)
      }
    }
    expect(Object.keys(Object.prototype)).toEqual([])
  }

  it('decodes or gives an EncodingError, soon and without harm', () => {
    const seeds = SEEDS.map((seed) => encodeValue(seed, 'seed').text)
    const before = process.cpuUsage()
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat({ max: 1_000_000 }), { minLength: 3, maxLength: 40 }),
        fc.constantFrom('rich' as const, 'rich' as const, 'rich' as const, 'json' as const),
        (seed, edits, picks, encoding) => {
          survives({ encoding, text: mutate(seed, edits) })
          survives({ encoding, text: scramble(seed, picks) })
        },
      ),
      { numRuns: 15_000 },
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.array(pieces).map((parts) => parts.join('')),
        ),
        (random) => {
          survives({ encoding: 'rich', text: random })
        },
      ),
      { numRuns: 15_000 },
    )
    // Of this process, in microseconds: a machine that many share takes longer by the clock.
    const { user, system } = process.cpuUsage(before)
    expect(user + system).toBeLessThan(60e6)
  }, 300_000)

  it('is an error to decodeError, which never throws', () => {
    const seeds = SEEDS.map((seed) => JSON.stringify(encodeError(Array.isArray(seed) ? (seed[0] as unknown) : seed)))
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(edit, { maxLength: 3 }),
        fc.anything(),
        (seed, edits, anything) => {
          expect(decodeError(anything)).toBeInstanceOf(Error)
          const changed = mutate(seed, edits)
          let wire: unknown = changed
          try {
            wire = JSON.parse(changed)
          } catch {
            // Then the text itself is the hostile record.
          }
          expect(decodeError(wire)).toBeInstanceOf(Error)
          if (typeof wire === 'object' && wire !== null && 'rest' in wire) {
            const rest = { encoding: 'rich', text: mutate(String((wire.rest as TextPayload | null)?.text), edits) }
            expect(decodeError({ ...wire, rest })).toBeInstanceOf(Error)
          }
          expect(Object.keys(Object.prototype)).toEqual([])
        },
      ),
      { numRuns: 10_000 },
    )
  }, 90_000)
})
