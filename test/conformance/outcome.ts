/** How what happens becomes an observation: JSON that can be compared with CPython's. */

/** The value a call gives, the error it throws, or an iterator's end. */
export type Outcome =
  | { readonly value: unknown }
  | { readonly error: { readonly type: string; readonly message: string } }
  | { readonly done: true }

/** What a case observes: JSON without process ids, times or paths. */
export type Observation = 'hangs' | { readonly [key: string]: unknown }

/** The minimum of an iterator of `imap` and `imapUnordered` that the cases need. */
export interface TimedIterator {
  next(timeout?: number): Promise<IteratorResult<unknown, unknown>>
}

/** Waits for what the call gives; an error counts alike whether it is thrown at the call or later. */
export async function outcome(call: () => unknown): Promise<Outcome> {
  try {
    return { value: plain(await call()) }
  } catch (error) {
    return failure(error)
  }
}

/** Only what the call throws at once: a promise that rejects later does not count. */
export function thrown(call: () => unknown): Outcome {
  try {
    const returned = call()
    void Promise.resolve(returned).catch(() => {})
    return { value: 'nothing was thrown at the call' }
  } catch (error) {
    return failure(error)
  }
}

/**
 * What the call itself is refused with: a rejection where the method gives a promise, else what it throws at once.
 */
export async function refused(call: () => unknown): Promise<Outcome> {
  let returned: unknown
  const answer = thrown(() => {
    returned = call()
    return returned
  })
  return returned instanceof Promise ? outcome(() => returned) : answer
}

/** The error itself, for a closer look; fails when there is none. */
export async function caught(call: () => unknown): Promise<Error & { readonly [key: string]: unknown }> {
  try {
    await call()
  } catch (error) {
    if (error instanceof Error) return error as Error & { readonly [key: string]: unknown }
    throw new Error(`what was thrown is no Error: ${String(error)}`)
  }
  throw new Error('nothing was thrown')
}

/** One call of `next`. */
export async function step(iterator: TimedIterator, timeout?: number): Promise<Outcome> {
  try {
    const { done, value } = await (timeout === undefined ? iterator.next() : iterator.next(timeout))
    return done ? { done: true } : { value: plain(value) }
  } catch (error) {
    return failure(error)
  }
}

/** So many calls of `next`, one after the other. */
export async function steps(iterator: TimedIterator, count: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  while (outcomes.length < count) outcomes.push(await step(iterator))
  return outcomes
}

/** All outcomes before the end; iteration goes on after an error. */
export async function drain(iterator: TimedIterator): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (;;) {
    const next = await step(iterator)
    if ('done' in next) return outcomes
    outcomes.push(next)
  }
}

/** Values and error messages, sorted: for an order that is not determined. */
export function tally(outcomes: readonly Outcome[]): { errors: string[]; values: number[] } {
  const values = outcomes.flatMap((found) => ('value' in found ? [Number(found.value)] : []))
  const errors = outcomes.flatMap((found) => ('error' in found ? [found.error.message] : []))
  return { errors: errors.sort(), values: values.sort((a, b) => a - b) }
}

/** All values of an iterator. */
export async function list<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = []
  for await (const value of iterable) values.push(value)
  return values
}

export const numeric = (a: number, b: number): number => a - b

export function failure(error: unknown): { error: { type: string; message: string } } {
  if (!(error instanceof Error)) return { error: { type: typeof error, message: String(error) } }
  return { error: { type: error.name, message: error.message } }
}

/** Python's None is our undefined; both are JSON's null. */
export function plain(value: unknown): unknown {
  return value === undefined ? null : JSON.parse(JSON.stringify(value, (_, part) => (part === undefined ? null : part)))
}
