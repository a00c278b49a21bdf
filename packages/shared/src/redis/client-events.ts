/**
 * The events of an ioredis instance that is the caller's, for all links that use it: one listener each on the instance,
 * whatever their number. An emitter warns of more than ten.
 */
import { EventEmitter } from 'node:events'
import type { Cluster, Redis } from 'ioredis'

/** What a link, or who waits for a client, listens to. */
export type ClientEvents = Pick<EventEmitter, 'on' | 'off' | 'once'>

const names = ['error', 'node error', 'close', 'ready', 'end'] as const

class SharedEvents extends EventEmitter {
  readonly #client: EventEmitter
  readonly #handers = names.map((name) => [name, (...args: unknown[]) => this.#hand(name, args)] as const)
  #isListening = false

  constructor(client: EventEmitter) {
    super()
    this.#client = client
    this.setMaxListeners(0)
    this.on('removeListener', () => this.#leave())
    this.on('newListener', () => this.#listen())
  }

  /** An error of which nobody wants to hear is no reason to throw one here: on the instance others listen, or do not. */
  #hand(name: string, args: unknown[]): void {
    if (this.listenerCount(name) > 0) this.emit(name, ...args)
  }

  #listen(): void {
    if (this.#isListening) return
    this.#isListening = true
    for (const [name, hander] of this.#handers) this.#client.on(name, hander)
  }

  #leave(): void {
    if (names.some((name) => this.listenerCount(name) > 0)) return
    this.#isListening = false
    for (const [name, hander] of this.#handers) this.#client.off(name, hander)
  }
}

const shared = new WeakMap<object, SharedEvents>()

export function eventsOf(client: Redis | Cluster): ClientEvents {
  const known = shared.get(client) ?? new SharedEvents(client as unknown as EventEmitter)
  shared.set(client, known)
  return known
}
