// Which of two copies of a chunk counts, whatever comes of each, and in what order.
import { expect, test } from 'vitest'
import { Call, type ChunkResult, type PendingChunk } from '../../../../packages/client/src/calls/call.js'
import { OpenCalls } from '../../../../packages/client/src/engine/open-calls.js'
import { ByteBudget } from '../../../../packages/client/src/session/byte-budget.js'
import { encodeError } from '../../../../packages/shared/src/errors/error-transport.js'
import { UnknownTaskError, WorkerLostError } from '../../../../packages/shared/src/errors/errors.js'
import { formatChunkId } from '../../../../packages/shared/src/records/job-id.js'
import type { Outcome } from '../../../../packages/shared/src/records/outcome-record.js'

const client = 'client00'
const ids = [formatChunkId(client, 0, 4), formatChunkId(client, 0, 4, 1)] as const

function opened() {
  const taken: unknown[] = []
  const outrun: string[] = []
  const unwanted: string[] = []
  const anchor = { hold: () => undefined, release: () => undefined } as never
  const calls = new OpenCalls(
    client,
    anchor,
    new ByteBudget(2 ** 30, () => undefined),
    (call) => unwanted.push(...call.pendingIds()),
    (jobId) => outrun.push(jobId),
  )
  const header = { mode: 'first', spread: false, spec: false, timeout: 0 } as const
  const take = (index: number, { values, failures }: ChunkResult) => {
    taken.push([index, failures.size > 0 ? (failures.get(0) as Error).message : values[0]])
  }
  const call = new Call({}, 0, 'map', 'ns.task', header, 0, { take, fail: () => undefined })
  calls.add(call)
  const common = {
    taskId: 'ns.task',
    data: '',
    parts: undefined,
    shared: undefined,
    size: 0,
    priority: 0,
    call,
    index: 4,
    arriving: false,
  }
  const chunk = { length: 1, first: 0, failures: new Map(), payload: undefined }
  const copy: PendingChunk = { ...common, chunk, jobId: ids[1], copy: 1, sent: true, backup: undefined }
  const first: PendingChunk = { ...common, chunk, jobId: ids[0], copy: 0, sent: true, backup: copy }
  calls.expect(first)
  return { calls, call, copy, first, taken, outrun, unwanted }
}

const value = (one: number): Outcome => ({ payload: { encoding: 'json', text: `[${one}]` }, failures: [], duration: 1 })
const failed = (offset: number, error: Error): Outcome => ({
  payload: { encoding: 'json', text: '[null]' },
  failures: [[offset, encodeError(error)]],
  duration: 1,
})
const lost = failed(0, new WorkerLostError('lost', { starts: 3 }))
const unknown = failed(-1, new UnknownTaskError('unknown', { taskId: 'ns.task' }))
const thrown = failed(0, new TypeError('thrown'))

test.each([
  [0, 1],
  [1, 0],
] as const)('the first outcome counts, of copy %i; the other is stopped, and dropped when it comes', (one, other) => {
  const { calls, taken, outrun } = opened()
  calls.hear({ jobId: ids[one], outcome: value(7) })
  calls.hear({ jobId: ids[other], outcome: value(8) })
  calls.hear({ jobId: ids[one], outcome: value(9) })
  expect(taken).toEqual([[4, 7]])
  expect(outrun).toEqual([ids[other]])
})

test('what the task throws is an outcome', () => {
  const { calls, taken, outrun } = opened()
  calls.hear({ jobId: ids[1], outcome: thrown })
  expect(taken).toEqual([[4, 'thrown']])
  expect(outrun).toEqual([ids[0]])
})

test.each([
  ['the chunk', 0, 1],
  ['its copy', 1, 0],
] as const)('%s loses its worker processes: the other one counts, also when it fails alike', (_, one, other) => {
  for (const [befell, last, result] of [
    [lost, value(7), 7],
    [unknown, value(7), 7],
    [lost, unknown, 'unknown'],
    [unknown, lost, 'lost'],
  ] as const) {
    const { calls, call, first, copy, taken, outrun } = opened()
    calls.hear({ jobId: ids[one], outcome: befell })
    calls.hear({ jobId: ids[one], outcome: befell })
    expect(taken).toEqual([])
    const left = [first, copy][other]
    expect([calls.awaited(ids[one]), calls.awaited(ids[other])]).toEqual([undefined, left])
    expect([[...calls.sent()], [...call.pendingIds()]]).toEqual([[left], [ids[other]]])
    calls.hear({ jobId: ids[other], outcome: last })
    expect([taken, outrun]).toEqual([[[4, result]], []])
    expect(calls.underWay).toBe(0)
  }
})

test('a copy that Redis has not confirmed is nothing to wait for', () => {
  const { calls, copy, taken } = opened()
  copy.sent = false
  calls.hear({ jobId: ids[0], outcome: lost })
  expect(taken).toEqual([[4, 'lost']])
})

test('both are looked after while they run, and not wanted when the call ends', () => {
  const { calls, call, first, copy, unwanted } = opened()
  expect([...calls.sent()]).toEqual([first, copy])
  expect([calls.awaited(ids[0]), calls.awaited(ids[1])]).toEqual([first, copy])
  calls.fail(call, new Error('cancelled'))
  expect(unwanted).toEqual([...ids])
})
