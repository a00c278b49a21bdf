/** What a round of chaos runs on: a Redis server that keeps an AOF, and worker hosts, each with worker processes. */
import { uniqueName } from '../support/pool-name.js'
import { until } from '../support/until.js'
import { RedisServer } from './redis-server.js'
import { WorkerHost } from './worker-host.js'

export interface FleetOptions {
  readonly redisProgram: string
  /** @defaultValue 2 */
  readonly hosts?: number
  /** Worker processes of each host. @defaultValue 2 */
  readonly processes?: number
  /** Tasks at a time in each worker process. @defaultValue 1 */
  readonly concurrency?: number
  /** Milliseconds. @defaultValue 2000 */
  readonly lease?: number
  /** Milliseconds. @defaultValue 20000 */
  readonly drain?: number
  /** Of the Redis server. @defaultValue an AOF that is written at once */
  readonly settings?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

export const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction']

/** What tests of survival are run with: worker processes with one task at a time, and with several. */
export const lanes = [{ concurrency: 1 }, { concurrency: 8 }] as const

/** Milliseconds that a key may be there after all that used it has ended. */
const longestLife = 60_000

export class Fleet implements AsyncDisposable {
  readonly pool = uniqueName('chaos')

  private constructor(
    readonly redis: RedisServer,
    readonly hosts: WorkerHost[],
    readonly lease: number,
  ) {}

  static async start(options: FleetOptions): Promise<Fleet> {
    const { redisProgram, hosts = 2, lease = 2000, settings = durable } = options
    const redis = await RedisServer.start(redisProgram, settings)
    const fleet = new Fleet(redis, [], lease)
    const { processes, concurrency, drain, env } = options
    const given = {
      ...(processes !== undefined && { processes }),
      ...(concurrency !== undefined && { concurrency }),
      ...(drain !== undefined && { drain }),
      ...(env !== undefined && { env }),
    }
    try {
      for (let i = 0; i < hosts; i++) {
        fleet.hosts.push(new WorkerHost({ pool: fleet.pool, redis: redis.url, lease, ...given }))
      }
      await Promise.all(fleet.hosts.map((host) => host.serves()))
    } catch (error) {
      await fleet[Symbol.asyncDispose]()
      throw error
    }
    return fleet
  }

  /** The process ids of all worker processes. */
  get workers(): number[] {
    return this.hosts.flatMap((host) => host.workers)
  }

  /** Has all hosts end as a deploy ends them, and resolves with their exit codes. */
  async drain(): Promise<(number | NodeJS.Signals)[]> {
    for (const host of this.hosts) host.signal('SIGTERM')
    return await Promise.all(this.hosts.map((host) => host.exit()))
  }

  /** The command lines of the processes that are left, once those that are ending have had time to. */
  async processesLeft(limit = 5000): Promise<string[]> {
    const left = () => this.hosts.flatMap((host) => [...host.processes.values()])
    await until('all processes have ended', left, (lines) => lines.length === 0, limit).catch(() => undefined)
    return left()
  }

  /**
   * The keys that are left when all hosts and clients have ended: at once those that would stay for ever or for longer
   * than promised, and otherwise those that have outlived their time.
   *
   * @param patient - false: what has not outlived its time is not waited for
   */
  async keysLeft(patient = true): Promise<string[]> {
    const gone = (names: readonly string[]) => names.length === 0
    const lives = async () => Object.entries(await this.redis.lives())
    const lasting = async () =>
      (await lives()).filter(([, life]) => life < 0 || life > longestLife).map(([key, life]) => `${key}: ${life} ms`)
    await until('nothing is there for ever', lasting, gone, 5000).catch(() => undefined)
    const found = await lasting()
    if (found.length > 0 || !patient) return found
    const keys = () => this.redis.keys()
    await until('all keys are gone', keys, gone, longestLife + 5000).catch(() => undefined)
    return await keys()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.hosts.map((host) => host[Symbol.asyncDispose]()))
    await this.redis[Symbol.asyncDispose]()
  }
}
