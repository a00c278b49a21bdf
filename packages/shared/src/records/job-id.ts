/**
 * A chunk's identity, which is its BullMQ job id as well: `CLIENT.CALL.INDEX`. It is chosen by the client, so adding a
 * chunk again after a lost reply adds nothing, and the outcome's way back (client, call, place) can be read off it. A second
 * copy of a chunk that runs for long has `.1` behind that.
 */
export interface ChunkId {
  readonly clientId: string
  readonly call: number
  readonly index: number
  /** 0: the chunk itself; 1: its second copy. */
  readonly copy: 0 | 1
}

const pattern = /^([0-9a-z]{8,32})\.(\d{1,15})\.(\d{1,15})(\.1)?$/

export function formatChunkId(clientId: string, call: number, index: number, copy: ChunkId['copy'] = 0): string {
  return copy === 0 ? `${clientId}.${call}.${index}` : `${clientId}.${call}.${index}.${copy}`
}

/** The parts of a job id, or undefined when it is not one of ours. */
export function parseChunkId(jobId: string): ChunkId | undefined {
  const match = pattern.exec(jobId)
  if (match === null) return undefined
  return {
    clientId: match[1] as string,
    call: Number(match[2]),
    index: Number(match[3]),
    copy: match[4] === undefined ? 0 : 1,
  }
}

/** `CLIENT.CALL`, of a chunk's id. */
export function callIdOf(jobId: string): string {
  return jobId.split('.', 2).join('.')
}

/** A fresh random id, 16 characters of [0-9a-z]. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join('')
}
