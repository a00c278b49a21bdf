import { describe, expect, it } from 'vitest'
import {
  chunksOf,
  type DurableHead,
  durableId,
  formatDurableHead,
  isDurableId,
  parseDurableHead,
  parseDurableMark,
  specIdOf,
} from '../../../../packages/shared/src/records/durable-record.js'
import { formatChunkId, parseChunkId, randomId } from '../../../../packages/shared/src/records/job-id.js'

const head: DurableHead = {
  key: 'nightly ü',
  form: 'starmap',
  task: 'a.b',
  version: '2',
  items: 7,
  chunkSize: 3,
  digest: 'abc',
  host: 'h',
  pid: 5,
}

describe('the client id of a durable call', () => {
  it('is that of its key, fits into ids of chunks, and is no process’s', () => {
    const id = durableId('nightly ü')
    expect(durableId('nightly ü')).toBe(id)
    expect(durableId('nightly')).not.toBe(id)
    expect(isDurableId(id)).toBe(true)
    const run = Date.now()
    expect(parseChunkId(formatChunkId(id, run, 4))).toEqual({ clientId: id, call: run, index: 4, copy: 0 })
    expect(isDurableId(randomId())).toBe(false)
    expect(specIdOf({ clientId: id, call: 3 })).toBe(`${id}.3`)
    expect(specIdOf({ clientId: 'abcdefgh', call: 3 })).toBe('abcdefgh')
  })
})

describe('the record of a durable call', () => {
  it('comes back as it was, and is refused when it is another', () => {
    expect(parseDurableHead(formatDurableHead(head))).toEqual(head)
    expect(chunksOf(head)).toBe(3)
    for (const other of ['', '[]', '{"v":1}', formatDurableHead({ ...head, chunkSize: 0 })]) {
      expect(() => parseDurableHead(other)).toThrow()
    }
    expect(() => parseDurableHead(formatDurableHead(head).replace('"v":1', '"v":99'))).toThrow('update its PoolMQ')
  })
})

describe('marks in its stream', () => {
  it('are told from all else', () => {
    const fields = (...texts: string[]) => texts.map((text) => Buffer.from(text))
    expect(parseDurableMark(fields('d', '12', 'from', 'failed'))).toEqual({ run: 12, what: 'failed' })
    for (const other of [[], ['j', '1'], ['d', 'x', 'from', 'all'], ['d', '1', 'from', 'here']]) {
      expect(parseDurableMark(fields(...other))).toBeUndefined()
    }
  })
})
