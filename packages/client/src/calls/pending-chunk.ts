/** Makes of an encoded chunk what is sent, and kept until its outcome is there. */
import { formatChunk, formatChunkId, inBlobs, largestInline, payloadLength } from '@poolmq/shared'
import type { Call, PendingChunk } from './call.js'
import { type SendableChunk, sharedIn } from './chunker.js'

export function pendingChunk(clientId: string, call: Call, index: number, chunk: SendableChunk): PendingChunk {
  const { length, first, failures, payload } = chunk
  const size = payloadLength(payload)
  const shared = sharedIn(payload)
  if (shared !== undefined) for (const content of shared) call.shared.set(content.hash, content)
  const parts = size > largestInline ? inBlobs(payload) : undefined
  const place = { first, ...(failures.size > 0 && { gaps: [...failures.keys()].sort((a, b) => a - b) }) }
  return {
    jobId: formatChunkId(clientId, call.number, index),
    taskId: call.taskId,
    data: formatChunk(call.header, parts === undefined ? payload : { encoding: 'apart', name: '' }, place, shared),
    parts,
    shared,
    size,
    priority: call.priority,
    call,
    index,
    copy: 0,
    chunk: { length, first, failures, payload: undefined },
    sent: false,
    arriving: false,
    backup: undefined,
  }
}
