import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blockSize, firstDifference, ItemPrints } from '../../../../packages/client/src/durable/item-prints.js'

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
    const inputs = fc.tuple(fc.array(value, { minLength: 1 }), fc.nat(), value)
    fc.assert(
      fc.property(inputs, ([some, place, other]) => {
        // More than a block.
        const items = [...new Array(blockSize - 3).fill(0), ...some]
        const prints = new ItemPrints(items)
        const same = new ItemPrints(structuredClone(items))
        expect(same.digest).toBe(prints.digest)
        const index = place % items.length
        const changed = items.with(index, [other, 'changed'])
        const differing = new ItemPrints(changed)
        expect(differing.digest).not.toBe(prints.digest)
        for (const [block, kept] of prints.blocks.entries()) {
          expect(firstDifference(kept, same.blocks[block] as Buffer)).toBeUndefined()
          const found = firstDifference(kept, differing.blocks[block] as Buffer)
          expect(found).toBe(Math.floor(index / blockSize) === block ? index % blockSize : undefined)
        }
        expect(prints.has(index, items.slice(index, index + 5))).toBe(true)
        expect(prints.has(index, changed.slice(index, index + 5))).toBe(false)
      }),
      { numRuns: 20 },
    )
  })

  it('differs where there are more or fewer', () => {
    const [few = Buffer.alloc(0)] = new ItemPrints([1, 2]).blocks
    const [many = Buffer.alloc(0)] = new ItemPrints([1, 2, 3]).blocks
    expect([firstDifference(few, many), firstDifference(many, few)]).toEqual([2, 2])
    expect(new ItemPrints([]).blocks).toEqual([])
  })

  it('refuses an item that cannot be encoded, by its place', () => {
    expect(() => new ItemPrints([1, () => undefined], 10)).toThrow('items[11]')
  })
})
