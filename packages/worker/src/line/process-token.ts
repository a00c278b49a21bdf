/**
 * The token under which a worker process holds its chunks: of the process, not of a chunk, so that what a dead one held can
 * be read from Redis. Its first half is its host's, so that two tokens tell whether they are of one host.
 */
import { randomId } from '@poolmq/shared'

const half = 8

/** @param hostId - the supervisor's id */
export function processToken(hostId: string): string {
  return hostId.slice(0, half) + randomId().slice(half)
}

/** Whether this token, or id of a supervisor, is of the same host as that. */
export function isOfHost(token: string, other: string): boolean {
  return token.slice(0, half) === other.slice(0, half)
}
