/**
 * The shared values that this client keeps in Redis: those that it has shared, and those that open calls hold. It sends one
 * that is not there, renews all of them with its lease, and counts no references: what nobody renews expires. One that Redis has
 * lost is sent again with the chunks that need it.
 */
import { type SharedContent, untilAnswered } from '@poolmq/shared'
import type { PieceStore } from '@poolmq/worker'

export class SharedClaims {
  readonly #pieces: PieceStore
  readonly #inCalls: () => Iterable<SharedContent>
  readonly #claimed = new Map<string, SharedContent>()
  /** Those without which worker processes cannot start. */
  readonly #needed: readonly SharedContent[]
  readonly #sending = new Map<string, Promise<void>>()
  /** All that this client has sent. */
  readonly #sent = new Set<string>()

  /**
   * @param needed - claimed from the beginning to the end
   * @param inCalls - those that open calls hold
   */
  constructor(pieces: PieceStore, needed: readonly SharedContent[], inCalls: () => Iterable<SharedContent>) {
    this.#pieces = pieces
    this.#needed = needed
    this.#inCalls = inCalls
    for (const content of needed) this.#claimed.set(content.hash, content)
  }

  /** Resolves when it is in Redis, from now on until it is released. */
  async claim(content: SharedContent): Promise<void> {
    this.#claimed.set(content.hash, content)
    await this.send([content])
  }

  release(hash: string): void {
    this.#claimed.delete(hash)
  }

  /** Resolves when all of these are in Redis: those that are not are sent. */
  async send(contents: Iterable<SharedContent>): Promise<void> {
    const distinct = new Map([...contents].map((content) => [content.hash, content]))
    for (const content of distinct.values()) await this.#send(content)
  }

  /** Called as often as the lease is renewed. */
  async renew(): Promise<void> {
    const all = new Map(this.#claimed)
    for (const content of this.#inCalls()) all.set(content.hash, content)
    const gone = new Set(await this.#pieces.renewShared([...all.keys()]))
    await this.send(this.#needed.filter(({ hash }) => gone.has(hash)))
  }

  /** Removes all that it has sent, of a pool that nobody else uses. */
  removeAll(): Promise<void> {
    return this.#pieces.removeShared([...this.#sent])
  }

  #send(content: SharedContent): Promise<void> {
    const { hash } = content
    this.#sent.add(hash)
    const sending =
      this.#sending.get(hash) ??
      untilAnswered(() => this.#pieces.putShared(content)).finally(() => this.#sending.delete(hash))
    this.#sending.set(hash, sending)
    return sending
  }
}
