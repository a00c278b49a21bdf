import { inspect } from 'node:util'

const LONGEST = 120

/** A short, one-line description of any value for a message. Never throws and calls no code of the value. */
export function describeValue(value: unknown): string {
  try {
    const text = inspect(value, {
      depth: 1,
      maxArrayLength: 5,
      maxStringLength: 80,
      breakLength: Number.POSITIVE_INFINITY,
      compact: true,
      colors: false,
      customInspect: false,
      getters: false,
      showHidden: false,
    })
    const line = (value instanceof Error ? (text.split('\n', 1)[0] ?? '') : text).replaceAll(/\s*\n\s*/g, ' ')
    return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line
  } catch {
    // A hostile Proxy or prototype; its type is all that can be said of it.
    return `[${typeof value}]`
  }
}
