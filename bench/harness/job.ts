/** What a contestant is asked to do, and what it answers: the lines of JSON between the harness and its processes. */

/** The same job means the same work for every contestant; each does it in its own best way. */
export type Job =
  /** The identity of so many numbers, results in order. `chunk`: items a task; without it the contestant's default. */
  | { readonly op: 'map'; readonly items: number; readonly chunk?: number }
  | { readonly op: 'imapUnordered'; readonly items: number; readonly chunk?: number }
  | { readonly op: 'imap'; readonly items: number; readonly chunk?: number }
  /** One call after the other. */
  | { readonly op: 'apply'; readonly calls: number }
  /** Texts of so many bytes, sent and returned; one a task. */
  | { readonly op: 'echo'; readonly items: number; readonly bytes: number }
  /** Opens a pool and has one item back: a wait of no milliseconds. */
  | { readonly op: 'first'; readonly items: number }
  /** Waits of so many milliseconds; one a task. */
  | { readonly op: 'wait'; readonly items: number; readonly milliseconds: number }
  /** Requests to a server that takes its time; chunks as they come by default. */
  | { readonly op: 'request'; readonly items: number; readonly url: string }
  /** Loops of so many microseconds; given up after so many seconds, and how many were done by then is told, without those of the first few seconds. */
  | {
      readonly op: 'spin'
      readonly items: number
      readonly chunk: number
      readonly microseconds: number
      readonly seconds: number
      readonly after?: number
    }
  /** Naive Fibonacci numbers; one a task. */
  | { readonly op: 'fib'; readonly items: number; readonly n: number }

export type Op = Job['op']

export interface Answer {
  /** From the call until the last result is in the caller's hands. */
  readonly seconds: number
  /** Milliseconds of each call, for `apply`. */
  readonly latencies?: readonly number[]
  /** Items that were done, for `spin`. */
  readonly done?: number
  /** Peak resident memory of the process that made the call, in bytes. */
  readonly peakRss?: number
}

/** How a contestant is opened. */
export interface Setup {
  /** Worker processes (or threads) that run tasks; 0: another contestant's. */
  readonly processes: number
  /** Tasks that each of them may run at a time. @defaultValue 1 */
  readonly concurrency?: number
  /** Threads instead of processes, where there is a choice. */
  readonly threads?: boolean
  /** The pool that it joins, for contestants that can share one. */
  readonly pool?: string
  /** Tells apart contestants that are otherwise the same. */
  readonly seat?: number
  /** The weight of its share in a pool that it shares with others. */
  readonly weight?: number
  /** Looked at by a dashboard and a monitoring system meanwhile. */
  readonly observed?: boolean
}

/** The first line of a contestant: the operations that it knows. */
export interface Hello {
  readonly ops: readonly Op[]
}
