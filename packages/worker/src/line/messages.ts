/**
 * What a supervisor and its worker processes (or threads) tell each other. Payloads never take this way, nor does which
 * chunk is in hand: that is looked up (see hand).
 */
import type { PoolSpec, WireError } from '@poolmq/shared'

/** What a supervisor can watch as well; null: no limit. */
export interface RecyclingLimits {
  /** Bytes of resident memory; of a thread, of its own heap and buffers. */
  readonly memory: number | null
}

/** A pool whose initializer a worker process runs when it starts, before any chunk asks for it. */
export interface EagerSpec {
  readonly clientId: string
  readonly spec: PoolSpec
}

/** What a host knows of a client's initializer that has failed there. */
export interface InitializerState {
  readonly clientId: string
  /** It is not tried before then, by the host's clock. */
  readonly restsUntil: number
  /** It is given up, for this error. */
  readonly broken?: WireError
}

export interface WorkerConfig {
  readonly pool: string
  /** The connection's descriptor, packed: messages are JSON, and it may hold the bytes of certificates. */
  readonly connection: string
  /** The lock token of every chunk that this worker process takes. */
  readonly token: string
  readonly lockDuration: number
  /** The descriptor of the record of what it has in hand. */
  readonly hand: number
  /** Chunks that it may have in hand at a time. */
  readonly lanes: number
  /** Worker processes that what waits is to be shared with, this one included. */
  readonly sharers: number
  /** What is run is tallied from the beginning. */
  readonly observed: boolean
  /** The directory of the shared values that this host has in common; whoever needs it first makes it. */
  readonly shared: string
  readonly modules: readonly string[]
  /** Modules that the Pool began to use later: what is wrong with one concerns the calls of its tasks only. */
  readonly late: readonly string[]
  readonly eager?: EagerSpec
  /** The client whose Pool's own worker this is: more modules may follow. */
  readonly client?: string
  /** The initializers that have failed on this host. */
  readonly initializers: readonly InitializerState[]
}

/** A chunk that a worker process takes over from the one that had its seat, under whose token it is held. */
export interface Heir {
  readonly jobId: string
  readonly token: string
}

export type ToWorker =
  | { readonly type: 'config'; readonly config: WorkerConfig }
  /**
   * Take chunks from now on, so many at a time at most, as its predecessor may still have some; told again as that ends. With
   * `heir`, that one comes first.
   */
  | { readonly type: 'go'; readonly lanes: number; readonly heir?: Heir }
  | { readonly type: 'load'; readonly modules: readonly string[] }
  /** Finish what is in hand and exit; with `heir`, leave the misfit in hand to the process that takes the seat. */
  | { readonly type: 'drain'; readonly heir?: boolean }
  /** What is run is to be tallied from now on. */
  | { readonly type: 'observe' }
  /** This chunk was given up, its task does not end: it is not to be delivered, nor waited for. */
  | { readonly type: 'disown'; readonly jobId: string }
  /** An initializer has failed in another worker process of this host. */
  | { readonly type: 'initializer'; readonly state: InitializerState }
  /** Abort the running task if it is of this chunk; the supervisor kills a process that goes on with it. */
  | { readonly type: 'cancel'; readonly jobId: string }
  /** Abort the running task and exit; the supervisor kills a process that does not in time. */
  | { readonly type: 'stop' }

/** What a process dies of, and what has left it behind, where that is known: a chunk that runs, or that has run before. */
export interface Crash {
  readonly error: WireError
  readonly jobId?: string
  readonly taskId?: string
  /** The item's place in its chunk. */
  readonly offset?: number
}

/** What a worker process is at before it can run a chunk, which may hang: user code. */
export interface Preparation {
  readonly what: 'module' | 'initializer'
  /** The URL of a module, the id of a task. */
  readonly name: string
}

export type FromWorker =
  /** From now on it does this, or nothing of the kind: told before, as user code may let nothing be told any more. */
  | { readonly type: 'preparing'; readonly preparation?: Preparation }
  /** What a start needs of the processor is done; the initializer of the Pool whose own process this is may follow. */
  | { readonly type: 'loaded' }
  /** Modules are loaded, Redis is connected. */
  | { readonly type: 'ready'; readonly tasks: readonly string[]; readonly versions: Readonly<Record<string, string[]>> }
  /** No chunk will be taken any more: this process exits after those in hand. */
  | { readonly type: 'last' }
  /** No chunk will be taken any more, and one of those in hand has ended. */
  | { readonly type: 'freed' }
  /** This process is to be replaced when its successor is ready; it works on until then. */
  | { readonly type: 'replace' }
  /** What the supervisor may watch as well. */
  | { readonly type: 'limits'; readonly limits: RecyclingLimits }
  /** No chunk is in hand and none will be taken: this process exits now. */
  | { readonly type: 'done' }
  /**
   * This item of the chunk in that lane starts, and may run for so many milliseconds (0: no limit). Told only of a chunk
   * that has a limit, or has lost its worker process before.
   */
  | {
      readonly type: 'item'
      readonly lane: number
      readonly jobId: string
      readonly index: number
      readonly limit: number
    }
  /** It is about to die of this. */
  | ({ readonly type: 'crash' } & Crash)
  /** It is not: user code has caught it in the end. */
  | { readonly type: 'survived' }
  /** The process cannot start: a module does not load, Redis is not to be had. */
  | { readonly type: 'failed'; readonly error: WireError }
  /** The chunk in hand needs a process in which no other initializer has run; it is kept until one is there, or undefined. */
  | { readonly type: 'misfit'; readonly jobId: string | undefined }
  /** The initializer of this process has run; `key` stands for it and its arguments. */
  | { readonly type: 'initialized'; readonly clientId: string; readonly key: string }
  | {
      readonly type: 'initializer-failed'
      readonly clientId: string
      readonly key: string
      /** When it was begun, by the host's clock. */
      readonly began: number
      readonly error: WireError
    }

/** One end of the line between a supervisor and a worker process or thread. */
export interface SupervisorChannel {
  send(message: FromWorker): void
  onMessage(listener: (message: ToWorker) => void): void
  /** Ends this worker process or thread after what was sent has been handed over. */
  exit(code: number): void
}
