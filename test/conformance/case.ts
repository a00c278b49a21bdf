/** One case of the table: given, when, then. */
import type { Context } from './context.js'
import type { Deviation } from './deviation.js'
import type { Observation } from './outcome.js'

export interface Case {
  /** `member/situation`; the same id names CPython's answer in golden.json. */
  readonly id: string
  readonly given: string
  readonly when: (context: Context) => Observation | Promise<Observation>
  /** `cpython`: what golden.json says, in our terms. Otherwise our own answer, and `differs` says by which decision. */
  readonly then: 'cpython' | Observation
  /** The line of docs/semantics.md that decides it. */
  readonly differs?: Deviation
}

/** A case in which PoolMQ answers as CPython does. */
export function same(id: string, given: string, when: Case['when']): Case {
  return { id, given, when, then: 'cpython' }
}

/** A case in which PoolMQ answers otherwise, on purpose. */
export function differs(id: string, line: Deviation, given: string, when: Case['when'], then: Observation): Case {
  return { id, given, when, then, differs: line }
}

/** An error of this class, whatever its message. */
export const ofType = (type: string): { error: { type: string } } => ({ error: { type } })
