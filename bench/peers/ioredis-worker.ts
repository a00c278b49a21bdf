/** The floor's worker: takes a message from a list, appends its result to a stream, takes the next in the same trip. */
import { Redis } from 'ioredis'
import { fibonacci } from '../harness/inputs.js'

const [name = 'bench'] = process.argv.slice(2)
const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')

process.on('disconnect', () => process.exit())
await redis.ping()
process.send?.('ready')

let message: string | null = null
for (;;) {
  message ??= (await redis.blpop(`${name}:in`, 0))?.[1] ?? null
  if (message === null) continue
  const end = message.indexOf('\n')
  const head = message.slice(0, end)
  const items = JSON.parse(message.slice(end + 1)) as unknown[]
  const values = head.startsWith('fibonacci') ? items.map((n) => fibonacci(n as number)) : items.map((x) => x)
  const replies = await redis
    .pipeline()
    .xadd(`${name}:out`, '*', 'h', head, 'p', JSON.stringify(values))
    .lpop(`${name}:in`)
    .exec()
  message = (replies?.[1]?.[1] as string | null | undefined) ?? null
}
