import { expect, test } from 'vitest'
import { Recent } from '../../../packages/shared/src/recent.js'

test('remembers as many as it may, those that were used last', () => {
  const recent = new Recent<string, number>(2)
  recent.set('a', 1)
  recent.set('b', 2)
  expect(recent.get('a')).toBe(1)
  recent.set('c', 3)
  expect([...recent]).toEqual([
    ['a', 1],
    ['c', 3],
  ])
  recent.set('a', 4)
  recent.delete('c')
  expect(recent.size).toBe(1)
  expect(recent.keysOf((value) => value === 4)).toEqual(['a'])
})

test('holds no more after thousands than after a few', () => {
  const recent = new Recent<number, object>(100)
  for (let i = 0; i < 10_000; i++) recent.set(i, {})
  expect(recent.size).toBe(100)
  expect(recent.get(9_999)).toBeDefined()
  expect(recent.get(9_000)).toBeUndefined()
})
