/** Values that go to a worker and come back: equal, with their types, identities kept within one value. */
import { isDeepStrictEqual } from 'node:util'
import { TaskFailure } from '../../fixtures/dist/conformance-tasks.js'
import { type Case, same } from '../case.js'
import { list } from '../outcome.js'
import { range } from '../source.js'

let nested: unknown[] = []
for (const _ of range(100)) nested = [nested]

const equal: Readonly<Record<string, unknown>> = {
  plain: { list: [1, 'two', null, true, 2.5], nested: { deep: [[], {}] } },
  text: 'żółć \u{1f40d} \0 \ud83d',
  'whole-numbers': [0, 1, -1, 2 ** 31, -(2 ** 31), Number.MAX_SAFE_INTEGER],
  'big-integer': 2n ** 200n,
  infinities: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.MIN_VALUE, Number.MAX_VALUE],
  date: new Date('2026-02-03T04:05:06.789Z'),
  set: new Set([1, 2, 3]),
  'mapping-with-any-keys': new Map<unknown, string>([
    [1, 'number'],
    ['one', 'text'],
    [[1, 2], 'pair'],
  ]),
  bytes: Uint8Array.from(range(256)),
  'byte-array': Buffer.from([0, 255]),
  'empty-values': ['', [], {}, new Set(), new Uint8Array()],
  'none-in-list': [undefined, [undefined], { none: undefined }],
  'large-text': 'x'.repeat(2_000_000),
  'large-list': range(50_000),
  'deeply-nested': nested,
}

const roundTrips = Object.entries(equal).map(([name, value]) =>
  same(`values/${name}`, name, async ({ pool, tasks }) => ({
    equal: isDeepStrictEqual(await pool.apply(tasks.identity, [value]), value),
  })),
)

export const values: readonly Case[] = [
  ...roundTrips,
  same('values/minus-zero-and-nan', '-0 and NaN', async ({ pool, tasks }) => {
    const [zero, nan] = (await pool.apply(tasks.identity, [[-0, Number.NaN]])) as number[]
    return { minusZero: Object.is(zero, -0), nan: Number.isNaN(nan) }
  }),
  same('values/pattern', 'a regular expression', async ({ pool, tasks }) => {
    const pattern = (await pool.apply(tasks.identity, [/a(b+)/i])) as RegExp
    return { finds: pattern.exec('xABBy')?.[1] }
  }),
  same('values/cycle', 'a value that contains itself', async ({ pool, tasks }) => {
    const value: Record<string, unknown> = { name: 'cycle' }
    value.self = value
    const back = (await pool.apply(tasks.identity, [value])) as typeof value
    return { cycle: back.self === back, name: back.name }
  }),
  same('values/shared-reference', 'one list at two places', async ({ pool, tasks }) => {
    const one = [1]
    const back = (await pool.apply(tasks.identity, [[one, one]])) as unknown[]
    return { same: back[0] === back[1] }
  }),
  same('values/order-of-keys', 'keys that are not sorted', async ({ pool, tasks }) => ({
    value: Object.keys((await pool.apply(tasks.identity, [{ z: 1, a: 2 }])) as object),
  })),
  same('values/is-a-copy', 'what comes back and what went', async ({ pool, tasks }) => {
    const value = [1, 2]
    return { copy: (await pool.apply(tasks.identity, [value])) !== value }
  }),
  same('values/error', 'errors as values', async ({ pool, tasks }) => {
    const errors = [new RangeError('as a value'), new TaskFailure('own')]
    const back = (await pool.apply(tasks.identity, [errors])) as Error[]
    return { messages: back.map(({ message }) => message), own: back[1] instanceof TaskFailure }
  }),
  same('values/in-map-and-imap', 'such values as items', async ({ pool, tasks }) => {
    const items = [Uint8Array.of(97), new Set([1]), 2n ** 70n]
    return {
      imap: isDeepStrictEqual(await list(pool.imap(tasks.identity, items)), items),
      map: isDeepStrictEqual(await pool.map(tasks.identity, items), items),
    }
  }),
]
