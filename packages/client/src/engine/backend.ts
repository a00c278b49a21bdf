/**
 * What an engine stands on: worker processes of its own, and a session with what is between it and them, which is Redis. The
 * test kit has others of the same shape.
 */
import type { PoolView } from '@poolmq/worker'
import { PoolSession, type PoolSessionOptions } from '../session/pool-session.js'
import { LocalWorkers } from './local-workers.js'

/** The part of its side of Redis that an engine uses. */
export interface EngineSession
  extends Pick<
    PoolSession,
    | 'isLost'
    | 'report'
    | 'add'
    | 'share'
    | 'unshare'
    | 'withdraw'
    | 'withdrawCopy'
    | 'runTimes'
    | 'durable'
    | 'release'
    | 'close'
  > {
  readonly view: PoolLook
}

/** A pool as its owner sees it. */
export type PoolLook = Pick<PoolView, 'stats' | 'hosts' | 'calls'>

/** The part of its own worker processes that an engine uses. */
export type EngineWorkers = Pick<LocalWorkers, 'load' | 'start' | 'place' | 'end'>

export interface Backend {
  /** Starts the pool's own worker processes, at once. */
  startWorkers(...about: ConstructorParameters<typeof LocalWorkers>): EngineWorkers
  /** @throws ConnectionError when there is nothing to be connected to */
  openSession(options: PoolSessionOptions): Promise<EngineSession>
}

export const redisBackend: Backend = {
  startWorkers: (...about) => new LocalWorkers(...about),
  openSession: (options) => PoolSession.open(options),
}

const others = new WeakMap<object, () => Backend>()

/** Pools of this class, and of those that extend it, stand on another backend, each on one of its own. */
export function setBackend(poolClass: object, make: () => Backend): void {
  others.set(poolClass, make)
}

/** What a pool of this class stands on. */
export function backendOf(poolClass: object): Backend {
  for (let one: object | null = poolClass; one !== null; one = Object.getPrototypeOf(one)) {
    const make = others.get(one)
    if (make !== undefined) return make()
  }
  return redisBackend
}
