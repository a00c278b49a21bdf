import { setImmediate } from 'node:timers'
import { describe } from '@poolmq/shared'
import type { ChunkSizer } from './chunk-sizer.js'

/**
 * Reads the input of an `imap` lazily and hands it over chunk by chunk, with at most `bufferSize` chunks submitted whose
 * results have not been taken. It is refilled when results are taken, and when `join` lifts the bound. An input that
 * throws ends the iteration after the results of what came before; one that blocks holds up nobody else.
 */

export interface ImapFeederOptions {
  readonly input: Iterable<unknown> | AsyncIterable<unknown>
  readonly sizer: ChunkSizer
  /** Chunks submitted and not taken, at most. */
  readonly bufferSize: number
  /** Whether `join` may lift the bound: it was not asked for explicitly. */
  readonly liftable: boolean
  /** Hands a chunk over; resolves when the next may follow. */
  readonly submit: (items: unknown[], index: number, first: number) => Promise<void> | void
  /** All input was handed over, in so many chunks of so many items. */
  readonly onEnd: (chunks: number, items: number, ending?: { readonly error: unknown }) => void
}

export class ImapFeeder {
  readonly #options: ImapFeederOptions
  /** The input's next item, asked for and not there yet. */
  #step: Step | undefined
  #chunks = 0
  #items = 0
  #buffered = 0
  #bound: number
  #stopped = false
  #wake: (() => void) | undefined
  #interrupt: (() => void) | undefined

  constructor(options: ImapFeederOptions) {
    this.#options = options
    this.#bound = options.bufferSize
  }

  /** Reads until the input ends, or it is stopped. Never rejects. */
  async run(): Promise<void> {
    try {
      await this.#feed()
      this.#options.onEnd(this.#chunks, this.#items)
    } catch (error) {
      this.#options.onEnd(this.#chunks, this.#items, { error })
    }
  }

  chunkTaken(): void {
    this.#buffered--
    this.#wake?.()
  }

  /** The pool is closed: an explicit bound ends the input here, as in CPython 3.16. */
  closed(): void {
    if (!this.#options.liftable) this.stop()
  }

  /** The pool is joined: a default bound is lifted, as what was handed to `imap` is submitted work. */
  joined(): void {
    if (!this.#options.liftable) return
    this.#bound = Number.POSITIVE_INFINITY
    this.#wake?.()
  }

  /** Nothing more is read, even if the input is blocked in its `next`. */
  stop(): void {
    this.#stopped = true
    this.#interrupt?.()
    this.#wake?.()
  }

  async #feed(): Promise<void> {
    const { input, sizer, submit } = this.#options
    const iterator = iterate(input)
    for (;;) {
      await this.#room()
      const { items, done, failure } = this.#stopped ? nothing : await this.#read(iterator, sizer.next(this.#items))
      if (this.#stopped) {
        void leave(iterator)
        return
      }
      if (items.length > 0) {
        this.#buffered++
        const first = this.#items
        this.#items += items.length
        await submit(items, this.#chunks++, first)
      }
      if (failure !== undefined) throw failure.error
      if (done) return
      // A long input must not keep the event loop to itself.
      if (this.#chunks % 64 === 0) await new Promise(setImmediate)
    }
  }

  /** The items of one chunk: fewer when the input ends or throws, so that what came before an error is not lost. */
  async #read(iterator: AnyIterator, count: number): Promise<ReadItems> {
    const { sizer } = this.#options
    const items: unknown[] = []
    try {
      while (items.length < count) {
        const step = this.#step ?? iterator.next()
        this.#step = undefined
        if (isPromiseLike(step) && items.length > 0 && sizer.eager && !(await isSettledSoon(step))) {
          this.#step = step
          return { items, done: false }
        }
        const result = isPromiseLike(step) ? await this.#orInterrupted(step) : step
        if (result === interrupted || isLast(result)) return { items, done: true }
        items.push(result.value)
      }
      return { items, done: false }
    } catch (error) {
      return { items, done: true, failure: { error } }
    }
  }

  /** When it is stopped while the input is blocked, the step may settle later, and nobody listens then. */
  #orInterrupted<T>(step: PromiseLike<T>): Promise<T | typeof interrupted> {
    return new Promise<T | typeof interrupted>((resolve, reject) => {
      this.#interrupt = () => resolve(interrupted)
      step.then(resolve, reject)
    })
  }

  async #room(): Promise<void> {
    while (this.#buffered >= this.#bound && !this.#stopped) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
  }
}

interface ReadItems {
  readonly items: unknown[]
  readonly done: boolean
  readonly failure?: { readonly error: unknown }
}

const nothing: ReadItems = { items: [], done: true }

/** What a step gives that was stopped before it was there. */
const interrupted = Symbol('interrupted')

/**
 * Whether the input is at its end: as for the language's own loops, whatever is true says so, and a step that is no object is an
 * error. Both would otherwise be items without end.
 */
function isLast(result: IteratorResult<unknown>): boolean {
  if ((typeof result === 'object' && result !== null) || typeof result === 'function') return Boolean(result.done)
  throw new TypeError(
    `next() of the input must give an object with done and value, or a promise of one, got ${describe(result)}`,
  )
}

function isPromiseLike<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

type Step = IteratorResult<unknown> | Promise<IteratorResult<unknown>>

/** Whether a promise is settled within this turn of the event loop. */
function isSettledSoon(promise: PromiseLike<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const settled = () => resolve(true)
    promise.then(settled, settled)
    setImmediate(resolve, false)
  })
}

type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>

function iterate(input: Iterable<unknown> | AsyncIterable<unknown>): AnyIterator {
  const asynchronous = (input as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator]
  if (typeof asynchronous === 'function') return asynchronous.call(input)
  return (input as Iterable<unknown>)[Symbol.iterator]()
}

/** Lets the input clean up. Its own errors then concern nobody any more. */
async function leave(iterator: AnyIterator): Promise<void> {
  try {
    await iterator.return?.()
  } catch {
    // the consumer has left, as has whoever could be told
  }
}
