// A chunk that Redis has lost is added again also when results never cease to come in: what came after the look does not
// matter.
import type { RedisLink } from '@poolmq/shared'
import type { ChunkStore } from '@poolmq/worker'
import { describe, expect, test } from 'vitest'
import type { PendingChunk } from '../../../../packages/client/src/calls/call.js'
import { Reconciler } from '../../../../packages/client/src/session/reconciler.js'
import type { ResultReader } from '../../../../packages/client/src/session/result-reader.js'

const call = { pending: new Map<number, PendingChunk>() }
const lost = { jobId: 'client.0.7', index: 7, call } as unknown as PendingChunk

interface Stream {
  /** Milliseconds that the reader is behind what is written, entry after entry without end. */
  readonly lag: number
  /** Called when Redis is asked for the last entry. */
  readonly onAsked?: () => void
}

function reconciler({ lag, onAsked }: Stream): { reconciler: Reconciler; added: string[] } {
  const added: string[] = []
  const written = () => Math.floor(performance.now()) + 1000
  const xrevrange = async () => {
    onAsked?.()
    return [[`${written()}-0`, []]]
  }
  const reader = {
    get cursor() {
      return `${written() - lag}-0`
    },
  }
  call.pending.set(7, lost)
  return {
    added,
    reconciler: new Reconciler(
      { client: { xrevrange } } as unknown as RedisLink,
      { expire: async () => new Set([lost.jobId]) } as unknown as ChunkStore,
      'stream',
      reader as unknown as ResultReader,
      () => call.pending.values(),
      async (chunks) => void added.push(...chunks.map(({ jobId }) => jobId)),
      async () => undefined,
    ),
  }
}

describe('a chunk that is missing twice in a row is added again', () => {
  test.each([0, 100, 500])('when the reader is always %d ms behind', async (lag) => {
    const { reconciler: tested, added } = reconciler({ lag })
    await tested.reconcile()
    expect(added).toEqual([])
    await tested.reconcile()
    expect(added).toEqual([lost.jobId])
  })
})

test('not when its outcome is handed on meanwhile', async () => {
  const { reconciler: tested, added } = reconciler({ lag: 100, onAsked: () => call.pending.clear() })
  await tested.reconcile()
  await tested.reconcile()
  expect(added).toEqual([])
})
