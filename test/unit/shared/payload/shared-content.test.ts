// A value that stands in others by its hash: what is written of it, and what is read when it is there, or is not.
import { anything, assert as holds, property } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ProtocolError } from '../../../../packages/shared/src/errors/errors.js'
import {
  decodeList,
  decodePayload,
  encodeValue,
  encodeValues,
  inBlobs,
  type Payload,
} from '../../../../packages/shared/src/payload/codec.js'
import {
  contentOf,
  type SharedContent,
  sharedContent,
  standFor,
} from '../../../../packages/shared/src/payload/shared-content.js'
import { formatChunk, parseChunk } from '../../../../packages/shared/src/records/chunk-record.js'

class StandIn {
  constructor(readonly content: SharedContent) {
    standFor(this, content)
  }
}
const share = (value: unknown) => new StandIn(sharedContent(inBlobs(encodeValues([value], 'value'))))
const sharedIn = (payload: Payload) => (payload.encoding === 'numbers' ? undefined : payload.shared)
const valuesOf = (contents: readonly SharedContent[] = []) => {
  const values = new Map<string, unknown>()
  for (const { hash, payload } of contents) values.set(hash, decodeList(payload, values)[0])
  return values
}

describe('a shared value', () => {
  test('is the same for the same bytes, and no other', () => {
    const [one, same, other] = [share({ a: [1n] }), share({ a: [1n] }), share({ a: [2n] })]
    expect(one.content.hash).toMatch(/^[\w-]{43}$/)
    expect(same.content.hash).toBe(one.content.hash)
    expect(other.content.hash).not.toBe(one.content.hash)
    expect(contentOf(one)?.size).toBe(one.content.size)
    expect(contentOf({})).toBeUndefined()
  })

  test.each([1, 'text', null, undefined, [1, 2, 3], new Map([['k', Buffer.from('bytes')]]), 'x'.repeat(2_000_000)])(
    'stands in items, several times, as one: %#',
    (value) => {
      const model = share(value)
      const payload = encodeValues([{ model }, [model, model], model], 'items')
      expect(sharedIn(payload)).toEqual([model.content])
      const values = valuesOf(sharedIn(payload))
      const [first, second, third] = Array.from(decodeList(payload, values)) as [{ model: unknown }, unknown[], unknown]
      expect(first.model).toEqual(value)
      for (const one of [...second, third]) expect(one).toBe(first.model)
    },
  )

  test('whatever it is', async () => {
    await holds(
      property(anything({ withMap: true, withSet: true, withDate: true, withTypedArray: true }), (value) => {
        const payload = encodeValues([[share(value), 1]], 'items')
        const [[back]] = Array.from(decodeList(payload, valuesOf(sharedIn(payload)))) as [[unknown, number]]
        expect(back).toEqual(value)
      }),
    )
  })

  test('may hold another, which comes first', () => {
    const inner = share(['inner'])
    const outer = share({ inner, text: 'outer' })
    const payload = encodeValue([outer, inner], 'args')
    expect(payload.shared?.map(({ hash }) => hash)).toEqual([inner.content.hash, outer.content.hash])
    const [value, part] = decodePayload(payload, valuesOf(payload.shared)) as [{ inner: unknown }, unknown]
    expect([value, value.inner === part]).toEqual([{ inner: ['inner'], text: 'outer' }, true])
  })

  test('that is not here is an error that names it', () => {
    const model = share('text')
    const payload = encodeValues([model], 'items')
    expect(() => decodeList(payload)).toThrow(`the shared value ${model.content.hash} is not here`)
    expect(() => encodeValues([{ model, fn: () => 1 }], 'items')).toThrow('items[0].fn is a function')
    expect(() => encodeValues([new (class Other {})()], 'items')).toThrow('items[0] is an instance of Other')
  })

  test('is told of in a chunk’s header, and only where there is one', () => {
    const header = { mode: 'first', spread: false, spec: false, timeout: 0 } as const
    const { content } = share('text')
    const text = String(formatChunk(header, { encoding: 'json', text: '[1]' }, { first: 0 }, [content]))
    const { hash, size } = content
    expect(parseChunk(Buffer.from(text)).shared).toEqual([{ hash, size }])
    expect(parseChunk(Buffer.from(formatChunk(header, { encoding: 'json', text: '[1]' }))).shared).toBeUndefined()
    for (const wrong of ['"x"', '[1]', '[["../../etc/passwd",1]]', `[["${hash}",-1]]`, `[["${hash}","1"]]`]) {
      const damaged = Buffer.from(text.replace(/"h":\[\[.*\]\]/, `"h":${wrong}`))
      expect(() => parseChunk(damaged)).toThrow(ProtocolError)
    }
  })
})
