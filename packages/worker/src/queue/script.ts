/**
 * A script as Redis is sent it: by its hash, and as text where Redis does not know it, or has forgotten it. Its arguments are
 * copied once: they may be thousands.
 */
import { createHash } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'

export type Client = Redis | Cluster
export type ScriptArgument = string | number | Buffer

/** Runs a script. The reply's strings are text, or bytes where a payload may be among them. */
export type RunScript<T> = (client: Client, keys: readonly string[], args: readonly ScriptArgument[]) => Promise<T>

type Send = (script: string, keyCount: number, keysAndArguments: readonly ScriptArgument[]) => Promise<unknown>

export function script<T>(lua: string, read: (reply: unknown) => T, replies: 'text' | 'bytes' = 'text'): RunScript<T> {
  const hash = createHash('sha1').update(lua).digest('hex')
  const [byHash, byText] =
    replies === 'text' ? (['evalsha', 'eval'] as const) : (['evalshaBuffer', 'evalBuffer'] as const)
  return (client, keys, args) => {
    const commands = client as unknown as Record<typeof byHash | typeof byText, Send>
    const all = [...keys, ...args]
    const again = (error: unknown): Promise<unknown> => {
      if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return commands[byText](lua, keys.length, all)
      throw error
    }
    return commands[byHash](hash, keys.length, all).catch(again).then(read)
  }
}
