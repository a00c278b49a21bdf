/**
 * The clients whose initializer fails on this host: when it is tried again, and which are given up. One that has run here, or
 * runs elsewhere, can run: it is tried without end. One that never has is given up after three rounds.
 */
import { Recent, type WireError } from '@poolmq/shared'
import { hostNow } from '../line/host-clock.js'
import type { InitializerState } from '../line/messages.js'
import { Rounds } from './rounds.js'

/** Rounds of tries that an initializer has, one after the other. */
export const mostRounds = 3
/** Milliseconds after the first round and after the second: what it needs may be away for a second. */
const pauses = [300, 1200]
const longestPause = 30_000
/** Clients that are remembered: a host may see many in its life. */
const remembered = 200

interface Client {
  readonly rounds: Rounds
  /** Its initializer has run in some process. */
  served: boolean
  broken: WireError | undefined
}

export interface InitializerTry {
  readonly clientId: string
  readonly error: WireError
  /** When it was begun, by the host's clock. */
  readonly began: number
}

export interface FailedTry {
  readonly state: InitializerState
  readonly isNews: boolean
  readonly isFinal: boolean
}

export class InitializerFailures {
  readonly #clients = new Recent<string, Client>(remembered)

  /** How many clients it knows. */
  get size(): number {
    return this.#clients.size
  }

  /** What a worker process that starts now must know. */
  get states(): InitializerState[] {
    return [...this.#clients]
      .map(([clientId, client]) => stateOf(clientId, client))
      .filter(({ restsUntil, broken }) => broken !== undefined || restsUntil > hostNow())
  }

  /** Whether it has run in some process. */
  hasServed(clientId: string): boolean {
    return this.#clients.get(clientId)?.served === true
  }

  /** Returns what all worker processes must know from now on, whether that is news, and whether it is the end. */
  failed({ clientId, error, began }: InitializerTry, now = hostNow()): FailedTry {
    const client = this.#client(clientId)
    const isNews = client.rounds.failed(began, now)
    if (!client.served && client.rounds.count >= mostRounds) client.broken = error
    return { state: stateOf(clientId, client, now), isNews, isFinal: client.broken !== undefined }
  }

  /** It has run, here or elsewhere: only failures in a row count, and what can run is never given up. */
  succeeded(clientId: string): void {
    const client = this.#client(clientId)
    client.served = true
    client.broken = undefined
    client.rounds.succeeded()
  }

  /** It runs on another host. */
  servedElsewhere(clientId: string): InitializerState {
    const client = this.#client(clientId)
    client.served = true
    client.broken = undefined
    return stateOf(clientId, client)
  }

  #client(clientId: string): Client {
    const known = this.#clients.get(clientId)
    if (known !== undefined) return known
    const pause = (round: number) => pauses[round - 1] ?? Math.min(300 * 2 ** round, longestPause)
    const client = { rounds: new Rounds(pause), served: false, broken: undefined }
    this.#clients.set(clientId, client)
    return client
  }
}

function stateOf(clientId: string, { broken, rounds }: Client, now = hostNow()): InitializerState {
  return { clientId, restsUntil: now + rounds.rests(now), ...(broken !== undefined && { broken }) }
}
