/**
 * How much a value takes when it travels, about, without encoding it: strings and bytes, and a little for all else. It
 * looks no further than the limit that it is given, and never throws.
 */

/** What a number, a key's quotes, a bracket take. */
const EACH = 8

/**
 * Characters and bytes of a value, about. Objects that are held more than once count once, also over several calls that
 * are given the same `seen`.
 *
 * @param limit - where to stop counting: the value weighs more than what has been counted then
 */
export function weigh(value: unknown, limit: number, seen: Set<unknown> = new Set()): number {
  const open: unknown[] = [value]
  let weight = 0
  while (open.length > 0 && weight <= limit) {
    const one = open.pop()
    weight += EACH
    if (typeof one === 'string') {
      // Two strings that are the same one cannot be told from two that are alike: long ones count as one.
      if (one.length > 1000 && seen.has(one)) continue
      if (one.length > 1000) seen.add(one)
      weight += one.length
    } else if (typeof one === 'object' && one !== null && !seen.has(one)) {
      seen.add(one)
      try {
        weight += membersOf(one, open, limit)
      } catch {
        // A getter or a Proxy that throws: whoever encodes it says so.
      }
    }
  }
  return weight
}

/** Puts the members on `open`; returns what the object takes beside them. */
function membersOf(object: object, open: unknown[], limit: number): number {
  if (ArrayBuffer.isView(object) || object instanceof ArrayBuffer) return object.byteLength
  if (Array.isArray(object)) {
    // No element takes less than two characters.
    if (object.length * 2 > limit) return object.length * 2
    for (const member of object) open.push(member)
    return 0
  }
  if (object instanceof Map) for (const [key, member] of object) open.push(key, member)
  else if (object instanceof Set) for (const member of object) open.push(member)
  if (object instanceof Error) open.push(object.message, object.stack, object.cause)
  if (object instanceof AggregateError) open.push(object.errors)
  let keys = 0
  for (const key of Object.keys(object)) {
    keys += key.length
    open.push((object as Record<string, unknown>)[key])
  }
  return keys
}
