/**
 * What stands under a path or a descriptor. A plain stat of a pipe or socket leaves Node's module loader in a state in which it
 * takes the next link for what it leads to: it looks at the last result of any stat (`realpathSync`). What is imported then finds none of its
 * own dependencies. A stat in whole numbers leaves its result elsewhere.
 */
import { type BigIntStats, fstatSync, statSync } from 'node:fs'

/** @throws Error when there is nothing. */
export function factsOf(file: string | number): BigIntStats {
  return typeof file === 'number' ? fstatSync(file, { bigint: true }) : statSync(file, { bigint: true })
}
