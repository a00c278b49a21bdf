/** The conformance table against the InlinePool of the test kit, but for what takes processes. */
import { expect, test } from 'vitest'
import { limits } from './inline-limits.js'
import { runTable } from './runner.js'
import { table } from './table.js'

const left = limits.flatMap(({ ids }) => ids)

runTable(
  'InlinePool',
  new Map(limits.flatMap(({ ids, mayRun }) => ids.map((id) => [id, mayRun ? 'fails' : 'skipped']))),
)

test('what an InlinePool does not keep are cases of the table, each named once', () => {
  const ids = new Set(table.map(({ id }) => id))
  expect(left.filter((id) => !ids.has(id))).toEqual([])
  expect(left.length).toBe(new Set(left).size)
})
