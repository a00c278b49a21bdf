import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { firstDifference, ItemPrints } from '../../../../packages/client/src/durable/item-prints.js'

const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue(),
  fc.double(),
  fc.bigInt(),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array(),
  fc.array(fc.integer(), { minLength: 20 }),
)

describe('what stands for items', () => {
  it('is the same for the same, and names the first that differs', () => {
    const inputs = fc.tuple(fc.array(value, { minLength: 1 }), fc.nat(), value, fc.integer({ min: 1, max: 9 }))
    fc.assert(
      fc.property(inputs, ([items, place, other, size]) => {
        const prints = new ItemPrints(items)
        const same = new ItemPrints(structuredClone(items))
        expect(same.digest).toBe(prints.digest)
        const index = place % items.length
        const changed = items.with(index, [other, 'changed'])
        const differing = new ItemPrints(changed)
        expect(differing.digest).not.toBe(prints.digest)
        for (let from = 0; from < items.length; from += size) {
          const to = Math.min(items.length, from + size)
          expect(firstDifference(prints.of(from, to), same.of(from, to))).toBeUndefined()
          const found = firstDifference(prints.of(from, to), differing.of(from, to))
          expect(found).toBe(index >= from && index < to ? index - from : undefined)
        }
      }),
    )
  })

  it('differs where there are more or fewer', () => {
    const [few, many] = [new ItemPrints([1, 2]), new ItemPrints([1, 2, 3])]
    expect(firstDifference(few.of(0, 2), many.of(0, 3))).toBe(2)
    expect(firstDifference(many.of(0, 3), few.of(0, 2))).toBe(2)
    expect(few.digest).not.toBe(many.digest)
  })

  it('refuses an item that cannot be encoded, by its place', () => {
    expect(() => new ItemPrints([1, () => undefined], 10)).toThrow('items[11]')
  })
})
