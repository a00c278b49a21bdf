/** What a Pool's process and the supervisor it starts on its own host tell each other. */
import type { WireError } from '@poolmq/shared'
import type { EagerSpec } from './messages.js'

/** What a local supervisor knows from its command line, so that it can start its worker processes at once. */
export interface LocalStart {
  readonly clientId: string
  readonly pool: string
  readonly processes: number
  /** Chunks that all of them together may have in hand at a time. */
  readonly lanes: number
  readonly threads: boolean
  readonly modules: readonly string[]
  /** The directory of shared values, which the Pool's process puts them in as well. */
  readonly shared: string
  readonly build?: string
}

export type ToLocalSupervisor =
  | {
      readonly type: 'start'
      readonly connection: string
      /** Redis ends with the Pool's process: nothing in it needs to be removed. */
      readonly embedded: boolean
      readonly eager?: EagerSpec
    }
  | { readonly type: 'load'; readonly modules: readonly string[] }
  | { readonly type: 'drain' }
  | { readonly type: 'stop' }
  /** As if the Pool's process were gone: it has lost its Redis for good. */
  | { readonly type: 'abandon' }

export type FromLocalSupervisor =
  /** From now on nothing escapes it: neither an order, nor the end of the Pool's process. */
  | { readonly type: 'listening' }
  | { readonly type: 'ready' }
  /** For the user, who sees it where the Pool is. */
  | { readonly type: 'warning'; readonly text: string }
  | { readonly type: 'failed'; readonly error: WireError }
  | { readonly type: 'ended' }
