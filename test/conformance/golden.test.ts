/** The table, golden.json and docs/semantics.md name the same things. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { deviation } from './deviation.js'
import { readGolden } from './golden.js'
import { table } from './table.js'
import { expected, translate } from './translation.js'

test('the table has at least 140 cases, and an id once only', () => {
  const ids = table.map(({ id }) => id)
  expect(ids.length).toBeGreaterThanOrEqual(140)
  expect(ids.length).toBe(new Set(ids).size)
})

test('each case has an answer of CPython, and each answer a case', () => {
  expect(table.map(({ id }) => id).sort()).toEqual(Object.keys(readGolden().cases).sort())
})

test('each decision to differ is a line of docs/semantics.md', () => {
  const text = readFileSync(new URL('../../docs/semantics.md', import.meta.url), 'utf8')
  expect(Object.values(deviation).filter((line) => !text.includes(line))).toEqual([])
})

test('each decision to differ has a case', () => {
  const used = new Set(table.map(({ differs }) => differs))
  expect(Object.values(deviation).filter((line) => !used.has(line))).toEqual([])
})

test('a case differs exactly where it says so, and always where CPython hangs', () => {
  const { cases } = readGolden()
  const alike = table.filter(({ id, then }) => then !== 'cpython' && sameAnswer(translate(cases[id]), then))
  expect(alike.map(({ id }) => id)).toEqual([])
  expect(table.filter(({ then, differs }) => (then === 'cpython') !== (differs === undefined))).toEqual([])
  expect(table.filter(({ id, then }) => then === 'cpython' && JSON.stringify(cases[id]).includes('"hangs"'))).toEqual(
    [],
  )
})

function sameAnswer(golden: unknown, then: object | string): boolean {
  try {
    expect(golden).toEqual(expected(then as never))
    return true
  } catch {
    return false
  }
}
