/**
 * A numbered database of the tests' Redis that a test has for itself: whatever is connected to it, and whatever key is in
 * it, is of the program under test, whatever it is called.
 */
import { Redis } from 'ioredis'

export class RedisDatabase implements AsyncDisposable {
  private constructor(
    readonly number: number,
    /** Stands in another database, so as not to see itself. */
    readonly client: Redis,
    readonly url: string,
  ) {}

  /** @param number - 1 to 15, of which each test uses its own, or 0, which is everybody's. */
  static async open(number: number): Promise<RedisDatabase> {
    const url = new URL(redisUrl())
    const client = new Redis(url.href, { lazyConnect: true })
    await client.connect()
    url.pathname = `/${number}`
    return new RedisDatabase(number, client, url.href)
  }

  /** What is connected: a line of CLIENT LIST each. */
  async connections(): Promise<string[]> {
    const lines = String(await this.client.client('LIST')).split('\n')
    return lines.filter((line) => line.split(' ').includes(`db=${this.number}`))
  }

  /** The names of all keys. */
  async keys(): Promise<string[]> {
    const replies = await this.client.multi().select(this.number).keys('*').select(0).exec()
    return replies?.[1]?.[1] as string[]
  }

  async flush(): Promise<void> {
    await this.client.multi().select(this.number).flushdb().select(0).exec()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.quit()
  }
}

export function redisUrl(): string {
  const url = process.env.REDIS_URL
  if (url === undefined) throw new Error('REDIS_URL is not set: is vitest run with its global setup?')
  return url
}
