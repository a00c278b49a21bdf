/** Containers on a network of their own: a Redis, worker hosts and producers of the demo's job. */
import { GenericContainer, Network, type StartedNetwork, type StartedTestContainer, Wait } from 'testcontainers'
import { redisImage } from './engine.js'

const environment = { POOL_NAME: 'tree', REDIS_URL: 'redis://redis:6379' }
/** A lost container's chunks are another's after so many milliseconds. */
const lease = '2000'

export class Fleet implements AsyncDisposable {
  readonly #image: string
  readonly #network: StartedNetwork
  readonly #containers: StartedTestContainer[] = []

  private constructor(image: string, network: StartedNetwork) {
    this.#image = image
    this.#network = network
  }

  /** @param image - the project's */
  static async start(image: string): Promise<Fleet> {
    const fleet = new Fleet(image, await new Network().start())
    await fleet.#start(
      new GenericContainer(redisImage)
        .withNetworkAliases('redis')
        .withCommand(['redis-server', '--protected-mode', 'no', '--save', '', '--maxmemory-policy', 'noeviction'])
        .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/i)),
    )
    return fleet
  }

  get networkId(): string {
    return this.#network.getId()
  }

  /** A worker host of two processes; resolves when it serves the pool. */
  worker(): Promise<StartedTestContainer> {
    const options = ['--pool', 'tree', '--processes', '2', '--lease', lease]
    return this.#start(
      new GenericContainer(this.#image)
        .withCommand(['poolmq', 'worker', ...options, 'examples/dist/tree-tasks.js'])
        .withWaitStrategy(Wait.forLogMessage('serving pool tree')),
    )
  }

  /** A producer whose job takes every file so many times; resolves when a fifth of it is done. */
  producer(repeat: number): Promise<StartedTestContainer> {
    const job = ['examples/dist/tree-hash.js', '--repeat', String(repeat), '/app/node_modules', '/app/packages']
    return this.#start(
      new GenericContainer(this.#image)
        .withCommand(['node', ...job])
        .withWaitStrategy(Wait.forLogMessage('20 %'))
        .withStartupTimeout(60_000),
    )
  }

  async #start(container: GenericContainer): Promise<StartedTestContainer> {
    const started = await container.withNetwork(this.#network).withEnvironment(environment).start()
    this.#containers.push(started)
    return started
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Those that were killed are removed as well.
    await Promise.allSettled(this.#containers.map((container) => container.stop({ timeout: 0 })))
    await this.#network.stop()
  }
}
