/**
 * Whose turn it is among the calls that wait for room in Redis: one after the other, a chunk each; those of a lower
 * priority number first, but for one time in 16, when it is the one that has waited longest.
 */
import type { Backlog } from '../calls/backlog.js'

/** Every how many turns one is given by time alone. */
const elderEvery = 16

export class Turns {
  /** By priority; in each class the next one is first. */
  readonly #classes = new Map<number, Set<Backlog>>()
  #clock = 0
  #given = 0

  get isEmpty(): boolean {
    return this.#classes.size === 0
  }

  /** Puts one at the end of its class. */
  add(backlog: Backlog): void {
    const { priority } = backlog.call
    const waiting = this.#classes.get(priority)
    backlog.since = this.#clock++
    if (waiting === undefined) this.#classes.set(priority, new Set([backlog]))
    else waiting.add(backlog)
  }

  /** The one whose turn it is, until it has had it. */
  get first(): Backlog | undefined {
    const byTime = this.#given % elderEvery === elderEvery - 1
    let found: Backlog | undefined
    for (const [next] of this.#classes.values()) {
      if (next === undefined) continue
      const isBefore =
        found === undefined || (byTime ? next.since < found.since : next.call.priority < found.call.priority)
      if (isBefore) found = next
    }
    return found
  }

  /** It has had its turn, and goes. */
  had(backlog: Backlog): void {
    this.#given++
    this.remove(backlog)
  }

  remove(backlog: Backlog): void {
    const { priority } = backlog.call
    const waiting = this.#classes.get(priority)
    if (waiting?.delete(backlog) && waiting.size === 0) this.#classes.delete(priority)
  }
}
