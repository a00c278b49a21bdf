/** Runs the table against one class. One pool of four workers serves all cases that make none. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Case } from './case.js'
import { type AnyPool, Context, type Kind, makePool } from './context.js'
import { readGolden } from './golden.js'
import { table } from './table.js'
import { expected, translate } from './translation.js'

const caseDeadline = 90_000
const cleanupDeadline = 30_000

/** Cases that a kind of pool cannot keep: it fails them, or they would take the tests with them. */
export type NotKept = ReadonlyMap<string, 'fails' | 'skipped'>

/** Registers a test for each case of the table. */
export function runTable(kind: Kind, notKept: NotKept = new Map()): void {
  const { cases: golden } = readGolden()
  describe(kind, () => {
    let shared: AnyPool

    beforeAll(() => {
      shared = makePool(kind, 4)
    })

    afterAll(() => within(shared.terminate(), cleanupDeadline, 'terminate of the shared pool hung'))

    const run = async (id: string, { given, when, then }: Case) => {
      const context = new Context(kind, () => shared)
      try {
        const answer = await within(Promise.resolve(context).then(when), caseDeadline, `hung: ${given}`)
        expect(answer, given).toEqual(expected(then === 'cpython' ? translate(golden[id] ?? 'hangs') : then))
      } finally {
        await within(context[Symbol.asyncDispose](), cleanupDeadline, `cleaning up hung: ${given}`)
      }
      if (context.borrowed) await undamaged(context)
    }
    const options = { timeout: caseDeadline + 2 * cleanupDeadline }
    const cases = (how: 'fails' | undefined) =>
      table.filter(({ id }) => notKept.get(id) === how).map((entry) => [entry.id, entry] as const)

    test.each(cases(undefined))('%s', options, run)
    if (notKept.size > 0) test.fails.each(cases('fails'))('%s', options, run)
  })
}

/** The next case finds the shared pool as this one found it. */
async function undamaged({ pool, tasks }: Context): Promise<void> {
  const probe = pool.map(tasks.sqr, [1, 2, 3, 4], 1)
  expect(await within(probe, caseDeadline, 'the case damaged the shared pool')).toEqual([1, 4, 9, 16])
}

async function within<T>(work: T | PromiseLike<T>, milliseconds: number, otherwise: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${otherwise} (after ${milliseconds} ms)`)), milliseconds)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
