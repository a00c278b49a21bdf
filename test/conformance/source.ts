/** Inputs of calls. */

/** What an input throws. */
export class SourceFailure extends Error {
  override name = 'SourceFailure'
}

export const range = (count: number, start = 0): number[] => Array.from({ length: count }, (_, n) => start + n)

/** CPython's exception_throwing_generator: throws in place of item `when`; -1 is before the first. */
export function* failingSource(count: number, when: number): Generator<number> {
  if (when === -1) throw new SourceFailure('source')
  for (const n of range(count)) {
    if (n === when) throw new SourceFailure('source')
    yield n
  }
}
