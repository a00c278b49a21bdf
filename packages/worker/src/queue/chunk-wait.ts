/**
 * Waiting for a chunk, on a connection of its own: for one that is handed to this process, or for the marker that says that some may be
 * there. Every wait ends: with either, at its time, or with the connection.
 */
import type { RedisLink } from '@poolmq/shared'

/** Milliseconds for which Redis may be late. */
const patience = 1000

export class ChunkWait {
  readonly #client: ReturnType<RedisLink['duplicate']>
  readonly #marker: string
  #end: (handed?: Buffer) => void = () => undefined

  constructor(link: RedisLink, marker: string) {
    this.#marker = marker
    // A wait that has lost its connection is over: it is not sent again as it was.
    this.#client = link.duplicate({ resends: false })
    this.#client.on('close', () => this.#end())
  }

  /**
   * Waits for at most so many seconds; resolves with what was handed over at this desk, if that is what came.
   *
   * @param isAlone - the marker is left to others
   */
  for(desk: string, seconds: number, isAlone = false): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          // After a pause of this process the answer may be there, and is read first.
          setImmediate(() => {
            if (this.#end !== end) return
            end()
            this.#client.disconnect(true)
          })
        },
        seconds * 1000 + patience,
      )
      const end = (handed?: Buffer) => {
        this.#end = () => undefined
        clearTimeout(timer)
        resolve(handed)
      }
      this.#end = end
      const keys = isAlone ? [desk] : [desk, this.#marker]
      this.#client.bzpopminBuffer(...keys, seconds).then(
        (reply) => {
          const [key, member] = (reply ?? []) as Buffer[]
          end(key?.toString() === desk ? member : undefined)
        },
        (error: unknown) => {
          clearTimeout(timer)
          reject(error)
        },
      )
    })
  }
}
