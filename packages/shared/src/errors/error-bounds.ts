import { isError } from '../payload/payload-kind.js'
import { weigh } from '../payload/payload-weight.js'
import { describeValue } from '../value-description.js'
import type { ErrorParts } from './error-parts.js'
import { fillFromParts, readError } from './error-parts.js'

/**
 * Cuts an error to what may travel. An error tells what happened; one of megabytes (a message with a whole document in it,
 * a response as a property, a thousand causes) would hold up Redis, and everybody who reads it. What fits is left as it
 * is; of what does not, the beginning is kept, the smallest properties, the first causes and members.
 */

/** Causes, one of the other, that are kept where all are too much. */
const MOST_CAUSES = 8
/** Members of an AggregateError that are kept as errors where all are too much, and those that are kept at all. */
const MOST_MEMBERS = 16
const MOST_DESCRIBED = 1000

export function cutText(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit)}… (cut: it has ${text.length} characters)`
}

/** The same parts where they fit. What is left out is noted in `dropped`. */
export function boundParts(parts: ErrorParts, limit: number, dropped: string[], depth = 0): ErrorParts {
  const bounded = { ...parts, message: cutText(parts.message, limit) }
  if (parts.stack !== undefined && limit < parts.stack.length) bounded.stack = cutText(parts.stack, limit)
  const { props, cause, errors } = parts
  if (weigh([props, cause, errors], limit) <= limit) return bounded
  const { props: _props, cause: _cause, errors: _errors, ...kept } = bounded
  const smallProps = props && boundProps(props, limit / 3, dropped)
  const smallCause = cause === undefined ? undefined : boundValue('cause', cause, limit / 3, dropped, depth)
  const smallErrors = errors && boundMembers(errors, limit / 3, dropped, depth)
  return {
    ...kept,
    ...(smallProps !== undefined && smallProps.length > 0 && { props: smallProps }),
    ...(smallCause !== undefined && { cause: smallCause }),
    ...(smallErrors !== undefined && { errors: smallErrors }),
  }
}

/** The properties in their order, but for those that are too large; the small ones have the first claim. */
function boundProps(props: readonly unknown[], limit: number, dropped: string[]): unknown[] {
  const weights = Array.from({ length: props.length / 2 }, (_, i) => weigh(props.slice(2 * i, 2 * i + 2), limit))
  const kept = new Set<number>()
  let rest = limit
  for (const [i, weight] of [...weights.entries()].sort(([, a], [, b]) => a - b)) {
    rest -= weight
    if (rest < 0) break
    kept.add(i)
  }
  const left = weights.flatMap((_, i) => (kept.has(i) ? [] : [cutText(String(props[2 * i]), 100)]))
  for (const key of left) dropped.push(`${key} is too large for an error`)
  return props.filter((_, at) => kept.has(at >> 1))
}

/** Undefined when nothing can be kept of it. */
function boundValue(what: string, value: unknown, limit: number, dropped: string[], depth: number): unknown {
  if (weigh(value, limit) <= limit) return value
  dropped.push(`${what}, which is too large for an error: ${describeValue(value)}`)
  if (!isError(value)) return typeof value === 'string' ? cutText(value, limit / 2) : undefined
  return depth < MOST_CAUSES ? boundError(value, limit, dropped, depth + 1) : undefined
}

/** The members keep their places: in that of one that is left out stands its description. */
function boundMembers(errors: readonly unknown[], limit: number, dropped: string[], depth: number): unknown[] {
  const each = limit / MOST_MEMBERS
  if (errors.length > MOST_DESCRIBED) dropped.push(`${errors.length - MOST_DESCRIBED} members of ${errors.length}`)
  let described = limit / 2
  return errors.slice(0, MOST_DESCRIBED).flatMap((member, index) => {
    if (index < MOST_MEMBERS) return [boundValue(`errors[${index}]`, member, each / 2, dropped, depth) ?? null]
    const description = describeValue(member)
    described -= description.length
    return described < 0 ? [] : [description]
  })
}

/** An error of the same class with less in it. */
function boundError(error: Error, limit: number, dropped: string[], depth: number): Error {
  const parts = boundParts(readError(error), limit / 2, dropped, depth)
  const small = new Error(parts.message)
  Object.setPrototypeOf(small, Object.getPrototypeOf(error) as object | null)
  fillFromParts(small, parts)
  return small
}
