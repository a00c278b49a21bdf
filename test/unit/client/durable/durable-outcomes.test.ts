import { encodeError, encodeValues, type Outcome, ProtocolError } from '@poolmq/shared'
import { describe, expect, it } from 'vitest'
import { DurableOutcomes } from '../../../../packages/client/src/durable/durable-outcomes.js'

const head = (items: number, chunkSize: number, form: 'map' | 'apply' = 'map') =>
  ({ key: 'k', form, task: 'a.b', items, chunkSize, digest: '', host: 'h', pid: 1 }) as const

/** The outcome of a chunk whose values are these; an error fails its item. */
function outcome(...values: unknown[]): Outcome {
  const failures = values.flatMap((value, i) => (value instanceof Error ? [[i, encodeError(value)] as const] : []))
  const sent = values.map((value) => (value instanceof Error ? null : value))
  return { payload: encodeValues(sent, 'values'), failures, duration: 1 }
}

const bad = new RangeError('bad')

describe('what is known of the items of a durable call', () => {
  it('comes chunk by chunk, in whatever order, and the first counts', () => {
    const outcomes = new DurableOutcomes(head(5, 2))
    expect(outcomes.awaits(7, 0)).toBe(false)
    outcomes.begin({ run: 7, what: 'all' })
    expect(outcomes.awaits(7, 2)).toBe(true)
    outcomes.take(2, outcome('e'))
    expect([outcomes.done, outcomes.isKnown(4), outcomes.isKnown(3)]).toEqual([1, true, false])
    expect(outcomes.awaits(7, 2)).toBe(false)
    outcomes.take(0, outcome('a', 'b'))
    outcomes.take(1, outcome('c', 'd'))
    expect(outcomes.isComplete).toBe(true)
    expect(outcomes.values).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('is completed by a run of what has failed', () => {
    const outcomes = new DurableOutcomes(head(6, 3))
    outcomes.begin({ run: 1, what: 'all' })
    outcomes.take(0, outcome('a', bad, 'c'))
    outcomes.take(1, outcome('d', 'e', 'f'))
    expect([...outcomes.errors.keys()]).toEqual([1])
    expect((outcomes.errors.get(1) as Error).message).toBe('bad')
    expect(outcomes.unfinished()).toEqual([0])
    expect(outcomes.finished(0)).toEqual([0, 2])
    outcomes.begin({ run: 2, what: 'failed' })
    expect([outcomes.done, outcomes.isComplete, outcomes.awaits(1, 0), outcomes.awaits(2, 1)]).toEqual([
      5,
      false,
      false,
      false,
    ])
    outcomes.take(0, outcome('b'))
    expect([outcomes.done, outcomes.isComplete, outcomes.errors.size]).toEqual([6, true, 0])
    expect(outcomes.values).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    outcomes.begin({ run: 1, what: 'all' })
    expect(outcomes.isComplete).toBe(true)
    outcomes.begin({ run: 3, what: 'all' })
    expect([outcomes.done, outcomes.awaited]).toEqual([0, [0, 1]])
  })

  it('is not added to when it was cancelled, until it runs again', () => {
    const outcomes = new DurableOutcomes(head(3, 1))
    outcomes.begin({ run: 1, what: 'all' })
    outcomes.take(1, outcome('b'))
    outcomes.begin({ run: 1, what: 'cancelled' })
    expect([outcomes.awaits(1, 0), outcomes.isComplete]).toEqual([false, false])
    outcomes.begin({ run: 2, what: 'failed' })
    expect(outcomes.awaited).toEqual([0, 2])
    outcomes.take(0, outcome('a'))
    outcomes.take(2, outcome('c'))
    expect([outcomes.isComplete, outcomes.values]).toEqual([true, ['a', 'b', 'c']])
  })

  it('is an error of each item where the outcome is none', () => {
    const outcomes = new DurableOutcomes(head(2, 2))
    outcomes.begin({ run: 1, what: 'all' })
    outcomes.take(0, new ProtocolError('what is this'))
    expect([...outcomes.errors.keys()]).toEqual([0, 1])
    const short = new DurableOutcomes(head(3, 3))
    short.begin({ run: 1, what: 'all' })
    short.take(0, outcome('a'))
    expect((short.errors.get(2) as Error).message).toContain('3 items came back with 1 results')
  })
})
