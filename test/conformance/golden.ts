/** CPython's answers, as cpython.py wrote them. */
import { readFileSync } from 'node:fs'
import type { Observation } from './outcome.js'

export interface Golden {
  readonly python: string
  readonly cases: Readonly<Record<string, Observation>>
}

export const goldenUrl = new URL('./golden.json', import.meta.url)

export function readGolden(): Golden {
  return JSON.parse(readFileSync(goldenUrl, 'utf8')) as Golden
}
