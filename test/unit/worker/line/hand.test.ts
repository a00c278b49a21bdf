// What a worker process has in hand, told through a file without a name.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HandReader, HandWriter, openHand, shownMemory } from '../../../../packages/worker/src/line/hand.js'
import { until } from '../../../support/until.js'

const lanes = 3
let descriptor: number
let reader: HandReader
beforeEach(() => {
  descriptor = openHand(lanes)
  reader = new HandReader(descriptor, lanes)
})
afterEach(() => reader.close())

const idIn = (lane: number) => reader.read().find((held) => held.lane === lane)?.jobId

describe('what is in hand', () => {
  test('nothing at first', () => {
    expect(reader.read()).toEqual([])
  })

  test('the last chunk that was told, whatever stood there before', () => {
    const writer = new HandWriter(shownMemory(descriptor, lanes), lanes)
    for (const id of ['p28uiwmbjglcriyv.12345.67890', 'a.0.0', undefined, 'b.1.1']) {
      writer.write(0, id)
      expect(idIn(0)).toBe(id)
    }
  })

  test('whether there has ever been one, in any lane', () => {
    const writer = new HandWriter(shownMemory(descriptor, lanes), lanes)
    writer.write(1, undefined)
    writer.beat()
    expect(reader.hasHeld()).toBe(false)
    writer.write(1, 'a.0.0')
    writer.write(1, undefined)
    expect(reader.read()).toEqual([])
    expect(reader.hasHeld()).toBe(true)
  })

  test('a chunk in each lane, and whether it runs', () => {
    const writer = new HandWriter(shownMemory(descriptor, lanes), lanes)
    writer.write(0, 'a.0.0')
    writer.write(2, 'p28uiwmbjglcriyv.12345.67890', false)
    writer.beat()
    expect(reader.read()).toEqual([
      { lane: 0, jobId: 'a.0.0', runs: true },
      { lane: 2, jobId: 'p28uiwmbjglcriyv.12345.67890', runs: false },
    ])
    writer.write(0, undefined)
    writer.write(2, 'b.0.0')
    expect(reader.read()).toEqual([{ lane: 2, jobId: 'b.0.0', runs: true }])
  })

  test('a beat tells that the event loop turns, and no more', async () => {
    const writer = new HandWriter(shownMemory(descriptor, lanes), lanes)
    writer.write(1, 'a.0.0')
    const told = reader.lastTold()
    const turns = () => {
      writer.beat()
      return reader.lastTold()
    }
    await until('a beat is seen', turns, (last) => last > told)
    expect(reader.read()).toEqual([{ lane: 1, jobId: 'a.0.0', runs: true }])
  })

  test('nothing, when the id is too long to be ours', () => {
    const writer = new HandWriter(shownMemory(descriptor, lanes), lanes)
    writer.write(0, 'x'.repeat(126))
    expect(idIn(0)).toBe('x'.repeat(126))
    writer.write(0, 'x'.repeat(127))
    expect(reader.read()).toEqual([])
  })

  test('nothing, once nobody is there any more', () => {
    new HandWriter(shownMemory(descriptor)).write(0, 'a.0.0')
    reader.close()
    reader.close()
    expect(reader.read()).toEqual([])
  })

  test('what a process told last, though it was killed in a busy loop', async () => {
    const program = "require('node:fs').writeSync(4, '\\x05\\x01a.1.2', 0); console.log('told'); for (;;);"
    const child = spawn(process.execPath, ['-e', program], {
      stdio: ['ignore', 'pipe', 'inherit', 'ignore', descriptor],
    })
    await once(child.stdout as NonNullable<typeof child.stdout>, 'data')
    expect(idIn(0)).toBe('a.1.2')
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(idIn(0)).toBe('a.1.2')
  })
})
