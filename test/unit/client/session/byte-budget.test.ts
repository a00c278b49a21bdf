// What a client has in Redis stays within its bound, whatever its calls are, and each of them goes on.
import { array, assert as holds, integer, property, record } from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LateChunks } from '../../../../packages/client/src/calls/backlog.js'
import { Call, type PendingChunk } from '../../../../packages/client/src/calls/call.js'
import type { EncodedChunk } from '../../../../packages/client/src/calls/chunker.js'
import {
  ByteBudget,
  defaultBudget,
  type NextChunk,
  smallestBudget,
} from '../../../../packages/client/src/session/byte-budget.js'

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

function chunkOf(size: number, failures: EncodedChunk['failures'] = new Map()): EncodedChunk {
  return { length: 1, first: 0, payload: { encoding: 'numbers', width: 1, bytes: Buffer.alloc(size) }, failures }
}

/** A client as far as a budget goes: chunks are sent, and heard of when the test says so. */
class Client {
  readonly budget: ByteBudget
  /** What is in Redis, oldest first. */
  readonly sent: PendingChunk[] = []
  woken = 0
  #number = 0

  constructor(limit: number | 'unknown' = 8 * mebibyte) {
    this.budget = new ByteBudget(limit === 'unknown' ? undefined : limit, () => this.woken++)
  }

  call(priority = 0, mode: 'first' | 'each' = 'first'): Call {
    const header = { mode, spread: false, spec: false, timeout: 0 } as never
    return new Call(this, this.#number++, 'map', 'task', header, priority, {} as never)
  }

  /** Hands chunks of these sizes over; those that must wait, wait. */
  submit(call: Call, ...sizes: number[]): void {
    for (const size of sizes) {
      const index = call.pending.size + (call.usage.backlog?.length ?? 0)
      const chunk = chunkOf(size)
      if (this.budget.admit(call, chunk)) this.#send({ call, index, chunk })
      else void this.budget.wait(call, index, chunk)
    }
  }

  submitLate(call: Call, count: number, encode: () => EncodedChunk): void {
    let left = count
    const late: LateChunks = {
      get left() {
        return left
      },
      encodeNext() {
        left--
        return encode()
      },
    }
    this.budget.waitLate(call, 0, late)
  }

  /** Sends what there is room for; gives the numbers of the calls. */
  pump(): number[] {
    const numbers: number[] = []
    for (let next = this.budget.next(); next !== undefined; next = this.budget.next()) {
      numbers.push(next.call.number)
      if (next.chunk.failures.size === 0) this.#send(next)
    }
    return numbers
  }

  /** The oldest chunk of a call, or of all, has its outcome. */
  hear(call?: Call, outcome = 8): void {
    const at = call === undefined ? 0 : this.sent.findIndex((chunk) => chunk.call === call)
    const [chunk] = this.sent.splice(at, 1)
    chunk?.call.pending.delete(chunk.index)
    if (chunk !== undefined) this.budget.heard(chunk, outcome)
  }

  get bytes(): number {
    return this.sent.reduce((sum, { size }) => sum + size, 0)
  }

  #send({ call, index, chunk }: NextChunk): void {
    const { bytes } = chunk.payload as { bytes: Buffer }
    const pending = { call, index, size: bytes.length } as PendingChunk
    call.pending.set(index, pending)
    this.sent.push(pending)
  }
}

describe('the bound', () => {
  test('is an eighth of what Redis has, or generous', () => {
    expect([0, 512 * mebibyte, 1].map(defaultBudget)).toEqual([512 * mebibyte, 64 * mebibyte, smallestBudget])
  })

  test('holds, and every chunk goes, whatever the calls', async () => {
    const anyCall = record({
      sizes: array(integer({ min: 0, max: 3 * mebibyte }), { maxLength: 8 }),
      small: array(integer({ min: 0, max: 50 * kibibyte }), { maxLength: 20 }),
      priority: integer({ min: 0, max: 2 }),
      outcome: integer({ min: 0, max: 2 * mebibyte }),
    })
    await holds(
      property(array(anyCall, { maxLength: 8 }), integer({ min: 1, max: 4 }), (calls, limit) => {
        const client = new Client(limit * mebibyte)
        const isWithin = () => {
          const largest = Math.max(...client.sent.map(({ size }) => size))
          return client.bytes <= limit * mebibyte || client.bytes - largest <= (limit * mebibyte) / 8
        }
        const outcomes = new Map(
          calls.map(({ sizes, small, priority, outcome }) => {
            const call = client.call(priority)
            client.submit(call, ...sizes, ...small)
            return [call, outcome] as const
          }),
        )
        let steps = 0
        for (client.pump(); client.sent.length > 0; client.pump()) {
          if (!isWithin() || steps++ > 1000) return false
          const [next] = client.sent
          client.hear(undefined, outcomes.get(next?.call as Call))
        }
        const all = calls.reduce((sum, { sizes, small }) => sum + sizes.length + small.length, 0)
        return steps === all && [...outcomes.keys()].every(({ usage }) => usage.load === 0)
      }),
    )
  })

  test('is not known at first: little goes, the rest when it is', () => {
    const client = new Client('unknown')
    expect(client.budget.limit).toBe(undefined)
    const call = client.call()
    client.submit(call, ...Array(10).fill(mebibyte / 2))
    expect([client.sent.length, client.pump()]).toEqual([1, []])
    client.budget.limit = Number.POSITIVE_INFINITY
    expect(client.pump()).toEqual(Array(9).fill(0))
  })

  test('counts what outcomes take, where that is more', () => {
    const client = new Client()
    const call = client.call()
    client.submit(call, ...Array(1000).fill(10 * kibibyte))
    const atFirst = client.sent.length
    expect(atFirst).toBeGreaterThan(600)
    while (client.sent.length > 100) client.hear(call, mebibyte)
    expect(client.pump()).toEqual([])
    while (client.sent.length > 5) client.hear(call, mebibyte)
    expect(client.pump()).toEqual([0])
    // They have become small again.
    for (let i = 0; i < 6; i++) client.hear(call, 10)
    expect(client.pump().length).toBeGreaterThan(6)
  })
})

describe('a small call', () => {
  test('never waits behind large ones', () => {
    const client = new Client()
    const large = client.call()
    client.submit(large, ...Array(100).fill(mebibyte))
    client.submit(client.call(), 100 * mebibyte)
    expect(client.sent.length).toBe(6)
    for (let i = 0; i < 50; i++) client.submit(client.call(5), 1000)
    expect(client.sent.length).toBe(56)
  })

  test('has its turn when many small ones wait', () => {
    const client = new Client()
    for (let i = 0; i < 3000; i++) client.submit(client.call(), 0)
    const before = client.sent.length
    expect(before).toBeLessThan(3000)
    client.hear()
    expect(client.pump()).toEqual([before])
  })

  test('that becomes large waits with the large, and holds up no small one', () => {
    const client = new Client()
    const large = client.call()
    client.submit(large, ...Array(100).fill(mebibyte))
    const growing = client.call()
    client.submit(growing, ...Array(1200).fill(500))
    const small = client.call()
    client.submit(small, 1000)
    expect(client.sent.at(-1)?.call).toBe(small)
  })
})

describe('large calls', () => {
  test('take turns', () => {
    const client = new Client()
    const calls = [0, 0, 0].map((priority) => client.call(priority))
    for (const call of calls) client.submit(call, ...Array(20).fill(mebibyte))
    const order: number[] = []
    for (let i = 0; i < 12; i++) {
      client.hear()
      order.push(...client.pump())
    }
    expect(order).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
  })

  test('of a lower priority number go first, but for one turn in 16', () => {
    const client = new Client()
    const [slow, fast] = [client.call(7), client.call(0)]
    client.submit(slow, ...Array(50).fill(mebibyte))
    client.submit(fast, ...Array(50).fill(mebibyte))
    const order: number[] = []
    for (let i = 0; i < 32; i++) {
      client.hear()
      order.push(...client.pump())
    }
    expect([order.filter((number) => number === slow.number).length, order.indexOf(slow.number)]).toEqual([2, 15])
  })

  test('one that is larger than all goes alone, when its turn has come', () => {
    const client = new Client()
    const [many, huge] = [client.call(), client.call()]
    client.submit(many, ...Array(20).fill(mebibyte))
    client.submit(huge, 50 * mebibyte)
    const order: number[] = []
    while (client.sent.length > 0 && !order.includes(huge.number)) {
      client.hear()
      order.push(...client.pump())
    }
    expect([order, client.sent.map(({ call }) => call)]).toEqual([[0, 1], [huge]])
    client.hear()
    expect(client.pump()).toEqual([0, 0, 0, 0, 0, 0])
  })
})

describe('what is encoded late', () => {
  test('is encoded when there is room for it, one at a time', () => {
    const client = new Client()
    let encoded = 0
    client.submitLate(client.call(), 100, () => {
      encoded++
      return chunkOf(mebibyte)
    })
    expect([client.pump().length, encoded]).toEqual([6, 7])
    client.hear()
    expect([client.pump().length, encoded]).toEqual([1, 8])
    expect(client.budget.early).toBeGreaterThan(30 * mebibyte)
    expect(client.budget.early).toBeLessThanOrEqual(32 * mebibyte)
  })

  test('and fails takes no room', () => {
    const client = new Client()
    const call = client.call()
    client.submitLate(call, 1000, () => chunkOf(mebibyte, new Map([[0, new Error('no') as never]])))
    expect([client.pump().length, call.usage.load, call.usage.backlog]).toEqual([1000, 0, undefined])
  })
})

test('a call that is over leaves its room, and nobody waits for what it had', async () => {
  const client = new Client()
  const [over, other] = [client.call(), client.call()]
  client.submit(over, ...Array(40).fill(mebibyte))
  expect(client.budget.early).toBeLessThanOrEqual(0)
  const waits = client.budget.wait(over, 40, chunkOf(1))
  client.submit(other, mebibyte, mebibyte)
  expect(client.sent.length).toBe(6)
  client.budget.ended(over)
  await waits
  expect(client.budget.early).toBeGreaterThan(0)
  expect(client.pump()).toEqual([1, 1])
})
