// Who is to blame for dead worker processes: read off the fields of a chunk's hash.
import { encodeError, TaskTimeoutError, WorkerLostError } from '@poolmq/shared'
import { describe, expect, test } from 'vitest'
import { LossLedger, maxStarts } from '../../../../packages/worker/src/queue/loss-ledger.js'

const ledger = (fields: Record<string, string>, lanes = 1) => new LossLedger(new Map(Object.entries(fields)), lanes)

test('a fresh chunk is run without care', () => {
  const fresh = ledger({ name: 'math.square', data: '…', ats: '1' })
  expect(fresh).toMatchObject({ careful: false, persistent: false, unknown: 0 })
  expect(fresh.giveUp(0, 'math.square', 100)).toBeUndefined()
  expect(fresh.updates.size).toBe(0)
})

test('starts that ended in no loss cost nothing, however many', () => {
  expect(ledger({ ats: '50' }).giveUp(0, 't', 100)).toBeUndefined()
})

test('a loss of which the item is not known counts for all items, one that is known for that item', () => {
  const chunk = ledger({ lost: '1', 'lost:7': '2' })
  expect(chunk.careful).toBe(true)
  expect(chunk.giveUp(7, 't', 107)).toBeInstanceOf(WorkerLostError)
  for (const innocent of [0, 6, 8]) expect(chunk.giveUp(innocent, 't', 100 + innocent)).toBeUndefined()
})

test('an item is given up after three starts, and the error says what is known', () => {
  const loss = { pid: 4711, host: 'alpha', exitCode: null, signal: 'SIGKILL' }
  const error = ledger({ 'lost:2': String(maxStarts), loss: JSON.stringify(loss) }).giveUp(2, 'math.exit', 102)
  expect(error).toMatchObject({ code: 'ERR_POOL_WORKER_LOST', starts: 3, pid: 4711, host: 'alpha', signal: 'SIGKILL' })
  expect(error?.message).toContain('pid 4711 on alpha')
})

test('an item whose time was over is not run again, its neighbours are', () => {
  const chunk = ledger({ 'late:3': '500' })
  expect(chunk.careful).toBe(true)
  expect(chunk.giveUp(3, 't', 103)).toBeInstanceOf(TaskTimeoutError)
  // What was left when the supervisor was last told is not what the call had asked for.
  expect(ledger({ 'late:3': '1' }).giveUp(3, 't', 103, 250)).toMatchObject({
    timeout: 250,
    message: expect.stringContaining('250 ms'),
  })
  expect(chunk.giveUp(4, 't', 104)).toBeUndefined()
})

describe('lapses: the whole host was lost', () => {
  test('without a known item, they are laid on the chunk, once', () => {
    const first = ledger({ stc: '1' })
    expect(first).toMatchObject({ unknown: 1, careful: true, persistent: true })
    expect(Object.fromEntries(first.updates)).toEqual({ seen: '1', lost: '1' })
    const again = ledger({ stc: '1', ...Object.fromEntries(first.updates) })
    expect(again.updates.size).toBe(0)
    expect(again.unknown).toBe(1)
  })

  test('with the item that ran last, on that item', () => {
    const chunk = ledger({ stc: '3', seen: '1', lost: '1', at: '5' })
    expect(Object.fromEntries(chunk.updates)).toEqual({ seen: '3', 'lost:5': '2' })
    expect(chunk.giveUp(5, 't', 105)).toBeInstanceOf(WorkerLostError)
    expect(chunk.giveUp(4, 't', 104)).toBeUndefined()
  })
})

test.each([{ loss: '{' }, { loss: 'null' }, { lost: 'many' }, { 'lost:x': '9' }, { stc: 'NaN' }])(
  'damaged fields do no harm: %j',
  (fields) => {
    expect(() => ledger(fields).giveUp(0, 't', 100)).not.toThrow()
  },
)

describe('losses beside other chunks', () => {
  test('are no item’s, make the chunk careful, and after two of them it runs alone', () => {
    expect(ledger({ shared: '1' })).toMatchObject({ careful: true, isSuspect: false, shared: 1, unknown: 0 })
    const often = ledger({ shared: '9' })
    expect(often.isSuspect).toBe(true)
    expect(often.giveUp(0, 't', 0)).toBeUndefined()
  })

  test('are starts, but only those alone give an item up', () => {
    expect(ledger({ shared: '2', 'lost:1': '2' }).giveUp(1, 't', 1)).toBeUndefined()
    expect(ledger({ shared: '2', 'lost:1': '3' }).giveUp(1, 't', 1)).toMatchObject({ starts: 5 })
  })

  test('of a whole host: lapses, where its process may have run several', () => {
    const shared = ledger({ stc: '1', lanes: '8', at: '3' }, 8)
    expect(Object.fromEntries(shared.updates)).toEqual({ seen: '1', shared: '1' })
    expect(shared.giveUp(3, 't', 3)).toBeUndefined()
    const alone = ledger({ stc: '3', seen: '2', shared: '1', lanes: '1', at: '3' }, 8)
    expect(Object.fromEntries(alone.updates)).toEqual({ seen: '3', 'lost:3': '1' })
  })

  test('are noted as over once it runs alone: the next lapse is its own', () => {
    const inLanes = (fields: Record<string, string>, lanes: number) => Object.fromEntries(ledger(fields, lanes).updates)
    expect(inLanes({ shared: '2', lanes: '8' }, 8)).toEqual({ lanes: '1' })
    expect(inLanes({ shared: '1', lanes: '8' }, 8)).toEqual({})
    expect(inLanes({ lanes: '8' }, 1)).toEqual({ lanes: '1' })
    expect(inLanes({}, 1)).toEqual({})
  })
})

test('the error that ended the process is the cause, and whose it was is said when it was none of this chunk', () => {
  const error = encodeError(new RangeError('left behind'))
  const loss = { pid: 4711, host: 'alpha', exitCode: 1, signal: null, error }
  const own = ledger({ lost: String(maxStarts), loss: JSON.stringify(loss) }).giveUp(0, 'math.next', 0)
  expect(own?.cause).toBeInstanceOf(RangeError)
  expect(own?.message).toContain('exited with code 1: RangeError: left behind;')
  expect(own).not.toHaveProperty('signal')
  const other = ledger({ lost: '3', loss: JSON.stringify({ ...loss, culprit: 'math.first' }) }).giveUp(
    0,
    'math.next',
    0,
  )
  expect(other?.message).toMatch(/item of another chunk is to blame, of the task math\.first: RangeError: left behind/)
})
