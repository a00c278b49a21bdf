// What a worker process has in hand, told through a file without a name.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HandReader, HandWriter, openHand } from '../../../../packages/worker/src/line/hand.js'

let descriptor: number
let reader: HandReader
beforeEach(() => {
  descriptor = openHand()
  reader = new HandReader(descriptor)
})
afterEach(() => reader.close())

describe('what is in hand', () => {
  test('nothing at first', () => {
    expect(reader.read()).toBeUndefined()
  })

  test('the last chunk that was told, whatever stood there before', () => {
    const writer = new HandWriter(descriptor)
    for (const id of ['p28uiwmbjglcriyv.12345.67890', 'a.0.0', undefined, 'b.1.1']) {
      writer.write(id)
      expect(reader.read()).toBe(id)
    }
  })

  test('nothing, when the id is too long to be ours', () => {
    const writer = new HandWriter(descriptor)
    writer.write('x'.repeat(127))
    expect(reader.read()).toBe('x'.repeat(127))
    writer.write('x'.repeat(128))
    expect(reader.read()).toBeUndefined()
  })

  test('nothing, once nobody is there any more', () => {
    new HandWriter(descriptor).write('a.0.0')
    reader.close()
    reader.close()
    expect(reader.read()).toBeUndefined()
  })

  test('what a process told last, though it was killed in a busy loop', async () => {
    const program = "require('node:fs').writeSync(4, '\\x05a.1.2', 0); console.log('told'); for (;;);"
    const child = spawn(process.execPath, ['-e', program], {
      stdio: ['ignore', 'pipe', 'inherit', 'ignore', descriptor],
    })
    await once(child.stdout as NonNullable<typeof child.stdout>, 'data')
    expect(reader.read()).toBe('a.1.2')
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(reader.read()).toBe('a.1.2')
  })
})
