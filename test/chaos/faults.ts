/**
 * The faults that a round of chaos inflicts. Each mends what it broke before it resolves, so that faults follow one
 * another, and what they leave to the pool is the recovery of work.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fleet } from './fleet.js'
import type { Random } from './random.js'
import { sendSignal } from './worker-host.js'

export type Fault = (fleet: Fleet, random: Random) => Promise<void>

const faults: Readonly<Record<string, Fault>> = {
  /** A segfault, the OOM killer. */
  async killWorker(fleet, random) {
    const { workers } = fleet
    if (workers.length > 0) sendSignal(random.pick(workers), 'SIGKILL')
  },

  /** The loss of a machine; another comes up in its place. */
  async killHost(fleet, random) {
    const host = random.pick(fleet.hosts)
    host.kill()
    await host.restart()
    await host.serves()
  },

  /** A rolling deploy. */
  async deploy(fleet, random) {
    const host = random.pick(fleet.hosts)
    host.signal('SIGTERM')
    await host.exit()
    await host.restart()
    await host.serves()
  },

  /** A supervisor that stands still for longer than its lease, as a suspended machine does. */
  async freezeSupervisor(fleet, random) {
    const host = random.pick(fleet.hosts)
    host.signal('SIGSTOP')
    await sleep(fleet.lease * (1 + random.next()))
    host.signal('SIGCONT')
  },

  /** A proxy or a firewall drops all connections. */
  async dropConnections(fleet) {
    await fleet.redis.dropConnections()
  },

  /** A snapshot on a slow disk, a slow script. */
  async freezeRedis(fleet, random) {
    fleet.redis.freeze()
    await sleep(random.between(200, 3000))
    fleet.redis.thaw()
  },

  /** Redis crashes, and starts with what its AOF has kept. */
  async killRedis(fleet, random) {
    await fleet.redis.kill()
    await sleep(random.between(0, 1500))
    await fleet.redis.start()
  },
}

/** Faults in an order by chance, each as often as the others. */
export class FaultDeck {
  /** How often each has been drawn, at least. */
  passes = -1
  readonly #random: Random
  readonly #all: readonly (readonly [name: string, fault: Fault])[]
  #left: (readonly [name: string, fault: Fault])[] = []

  /** @param names - of {@link faults}. @defaultValue all */
  constructor(random: Random, names: readonly string[] = Object.keys(faults)) {
    this.#random = random
    this.#all = names.map((name) => {
      const fault = faults[name]
      if (fault === undefined) throw new RangeError(`no fault ${name}; there are ${Object.keys(faults).join(', ')}`)
      return [name, fault]
    })
  }

  draw(): readonly [name: string, fault: Fault] {
    if (this.#left.length === 0) {
      this.#left = [...this.#all]
      this.passes++
    }
    const drawn = this.#random.pick(this.#left)
    this.#left = this.#left.filter((one) => one !== drawn)
    return drawn
  }
}
