/**
 * Tells the others of a named pool what a client's chunks took, and learns what they have seen: as it opens, and whenever it has told
 * something, which is after a task's first chunk, when it has heard enough to know better, and with each renewal of the lease. Nobody waits for it, and
 * what is lost of it tells little. Of a private pool nothing is told.
 */
import type { PoolKeys, RedisLink } from '@poolmq/shared'
import { knownCosts, tellCosts } from '@poolmq/worker'
import type { FairShare } from './fair-share.js'

export class FairCosts {
  readonly #link: RedisLink
  readonly #keys: PoolKeys
  readonly #share: FairShare
  #isDue = false
  #isTelling = false
  #isStopped = false

  constructor(link: RedisLink, keys: PoolKeys, share: FairShare) {
    this.#link = link
    this.#keys = keys
    this.#share = share
    share.onNews = () => this.tell()
  }

  /** Before the first chunk is sent. Never rejects. */
  async learn(): Promise<void> {
    if (!this.#share.isShared) return
    const known = await knownCosts(this.#link, this.#keys).catch(() => []) // it is found out again
    for (const [taskId, cost] of known) this.#share.learn(taskId, cost)
  }

  tell(): void {
    if (!this.#share.isShared) return
    this.#isDue = true
    if (!this.#isTelling) void this.#tellAll()
  }

  /** Nothing is to be in Redis after the end. */
  stop(): void {
    this.#isStopped = true
  }

  async #tellAll(): Promise<void> {
    this.#isTelling = true
    while (this.#isDue && !this.#isStopped) {
      this.#isDue = false
      const heard = this.#share.takeHeard()
      if (heard.length === 0) break
      const known = await tellCosts(this.#link, this.#keys, heard).catch(() => [])
      for (const [taskId, cost] of known) this.#share.learn(taskId, cost)
    }
    this.#isTelling = false
  }
}
