// Whatever stands in Redis, reading it gives a record that fits its type or a ProtocolError: never another error, never a
// record that breaks whoever trusts its type, never a changed prototype.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeError } from '../../../../packages/shared/src/errors/error-transport.js'
import { EncodingError, ProtocolError } from '../../../../packages/shared/src/errors/errors.js'
import {
  decodeList,
  decodePayload,
  type Payload,
  type SentPayload,
  type TextPayload,
} from '../../../../packages/shared/src/payload/codec.js'
import { joinBlobs } from '../../../../packages/shared/src/payload/payload-blobs.js'
import { formatChunk, parseChunk } from '../../../../packages/shared/src/records/chunk-record.js'
import { formatOutcome, parseOutcomes } from '../../../../packages/shared/src/records/outcome-record.js'
import {
  formatSpec,
  parsePresence,
  parseSpec,
  versionsOf,
} from '../../../../packages/shared/src/records/pool-records.js'

const runs = 3000
const now = 1_000_000

const key = fc.constantFrom(
  ...['v', 'm', 'x', 's', 't', 'r', 'e', 'f', 'j', 'h', 'p', 'count', 'delay', 'on', 'initializer', 'task', 'args'],
  ...[
    'maxTasksPerChild',
    'encoding',
    'text',
    'host',
    'pid',
    'processes',
    'tasks',
    'expires',
    '__proto__',
    'constructor',
  ],
)
const number = fc.oneof(
  fc.constantFrom('1', '2', '0', '-1', '1e999', '-1e999', '0.5', '9007199254740993'),
  fc.integer().map(String),
)
/** JSON text rather than values: what only text can say (`1e999`, a doubled key, an own `__proto__`) is in it. */
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    number,
    fc.constantFrom(
      'null',
      'true',
      'false',
      '"f"',
      '"e"',
      '"j"',
      '"n"',
      '"n1"',
      '"n4"',
      '"b2"',
      '"b8"',
      '"r"',
      '"json"',
      '"numbers"',
      '"rich"',
      '{}',
      '[]',
    ),
    fc.string().map((text) => JSON.stringify(text)),
    fc.array(tie('json'), { maxLength: 4 }).map((members) => `[${members.join(',')}]`),
    fc.array(fc.tuple(key, tie('json')), { maxLength: 6 }).map(objectText),
  ),
}))

function objectText(members: readonly (readonly [string, string])[]): string {
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`
}

/** A good record, of which a piece is cut, doubled, or overwritten. */
function damaged(good: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(good, fc.nat(), fc.nat(), fc.string({ maxLength: 8 })).map(([text, from, length, put]) => {
    const start = from % (text.length + 1)
    return text.slice(0, start) + put + text.slice(start + (length % 20))
  })
}

/** The same of bytes. */
function damagedBytes(good: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const piece = fc.oneof(
    fc.string({ maxLength: 8 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  )
  return fc.tuple(good, fc.nat(), fc.nat(), piece).map(([bytes, from, length, put]) => {
    const start = from % (bytes.length + 1)
    return Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(start + (length % 20))])
  })
}

const inBytes = (text: string | Buffer): Buffer => Buffer.from(text as string)

/** A header with our version and some of our fields, so that most get past the first checks. */
const ours = (fields: Record<string, fc.Arbitrary<string>>, always: string[] = []): fc.Arbitrary<string> =>
  fc
    .tuple(fc.record(fields, { requiredKeys: always }), fc.array(fc.tuple(key, json), { maxLength: 2 }))
    .map(([known, more]) => objectText([['v', '1'], ...(Object.entries(known) as [string, string][]), ...more]))

const text = fc.record({
  encoding: fc.constantFrom('json' as const, 'rich' as const),
  text: fc.oneof(fc.string(), json),
})
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.uint8Array({ minLength: 2000, maxLength: 2100, size: 'max' }),
)
const numbers = fc.record({
  encoding: fc.constant('numbers' as const),
  width: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const),
  bytes: bytes.map((array) => Buffer.from(array)),
})
const blobs = fc.array(fc.tuple(fc.constantFrom('j', 'r', 'n1', 'n8'), bytes), { maxLength: 4 }).map((segments) => ({
  encoding: 'blobs' as const,
  segments: segments.map(([mark]) => ({ mark, blobs: 1 })),
  blobs: segments.map(([, array]) => Buffer.from(array)),
}))
const apart = fc.record({ encoding: fc.constant('apart' as const), name: fc.constantFrom('', 'abc') })
const payload: fc.Arbitrary<Payload> = fc.oneof(text, numbers, blobs)
const sent: fc.Arbitrary<SentPayload> = fc.oneof(payload, apart)
/** What stands after a header, or in its own field. */
const body = fc.oneof(
  json.map(inBytes),
  fc.base64String().map(inBytes),
  bytes.map((array) => Buffer.from(array)),
  blobs.map((one) => joinBlobs(one)),
)
const call = fc.record({
  mode: fc.constantFrom('first' as const, 'each' as const),
  spread: fc.boolean(),
  spec: fc.boolean(),
  timeout: fc.nat(),
  version: fc.string(),
})

const retry = ours({ count: number, delay: number, on: fc.oneof(json, fc.constant('["TypeError"]')) })
const mode = fc.constantFrom('"f"', '"e"')
const encoding = fc.constantFrom(
  ...[
    '"x"',
    '"a"',
    '"j"',
    '"r"',
    '"n"',
    '"n1"',
    '"n2"',
    '"n4"',
    '"n8"',
    '"b1"',
    '"b2"',
    '"b4"',
    '"b8"',
    '"b3"',
    '"n16"',
  ],
)

const chunk = fc.oneof(
  fc.string().map(inBytes),
  bytes.map((array) => Buffer.from(array)),
  damagedBytes(fc.tuple(call, sent).map((parts) => inBytes(formatChunk(...parts)))),
  fc
    .tuple(
      ours({ m: mode, t: fc.oneof(number, json), r: fc.oneof(retry, json), x: json, s: json, w: json, e: encoding }, [
        'm',
        'e',
      ]),
      body,
    )
    .map(([header, rest]) => Buffer.concat([inBytes(`${header}\n`), rest])),
)

const failures = fc.array(fc.tuple(fc.integer({ min: -2, max: 5 }), fc.jsonValue()), { maxLength: 3 })
const outcome: fc.Arbitrary<Buffer[]> = fc.oneof(
  fc.array(fc.oneof(key.map(inBytes), body, fc.string().map(inBytes)), { maxLength: 8 }),
  fc
    .tuple(sent, failures)
    .map(([text, list]) => formatOutcome('client00.1.2', { payload: text, failures: list, duration: 1 } as never))
    .map((fields) => fields.map(inBytes)),
  fc
    .tuple(ours({ e: encoding, f: json }, ['e']), body)
    .map(([h, p]) => [...['j', 'client00.1.2', 'h', h, 'p'].map(inBytes), p]),
)

const args = ours({ encoding: fc.constantFrom('"json"', '"numbers"', '"rich"', '"none"', '["json"]'), text: json }, [
  'encoding',
])
const initializer = ours({ task: json, args: fc.oneof(args, json) }, ['task', 'args'])
const spec = fc.oneof(
  fc.string(),
  json,
  ours({ initializer: fc.oneof(initializer, json), maxTasksPerChild: fc.oneof(number, json) }),
  damaged(text.map((args) => formatSpec({ initializer: { task: 'a.b', args }, maxTasksPerChild: 3 }))),
  fc
    .oneof(text, numbers)
    .map((args) => formatSpec({ initializer: { task: 'a.b', args: args as unknown as TextPayload } })),
)

const presence = fc.oneof(
  fc.string(),
  json,
  ours({
    host: json,
    pid: number,
    processes: number,
    lanes: number,
    expires: fc.oneof(number, fc.constant('2000000')),
    tasks: json,
    taskVersions: fc.oneof(json, fc.constant('{"a.b":["1"],"__proto__":["2"]}')),
    build: json,
  }),
  damaged(
    fc
      .nat()
      .map((pid) => JSON.stringify({ v: 1, host: 'h', pid, processes: 2, lanes: 6, tasks: ['a.b'], expires: 2 * now })),
  ),
)

/** What reading gave, or undefined where it was refused as it should be. */
function read<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError)
    expect((error as Error).message.length).toBeLessThan(400)
    return undefined
  }
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isCount = (value: unknown, least: number): boolean => Number.isSafeInteger(value) && (value as number) >= least

function expectText(value: TextPayload): void {
  expect(['json', 'rich']).toContain(value.encoding)
  expect(value.text).toBeTypeOf('string')
  decoded(() => decodePayload(value))
}

function expectPayload(value: SentPayload): void {
  const list = decoded(() => decodeList(value))
  if (value.encoding === 'apart' || value.encoding === 'blobs') return
  if (value.encoding !== 'numbers') {
    expectText(value)
    if (list !== undefined) expect(Array.isArray(list)).toBe(true)
    return
  }
  expect([1, 2, 4, 8]).toContain(value.width)
  expect(Buffer.isBuffer(value.bytes)).toBe(true)
  expect(list?.length).toBe(value.bytes.length % value.width === 0 ? value.bytes.length / value.width : undefined)
  expect(Array.from(list ?? []).every((item) => typeof item === 'number')).toBe(true)
}

function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    expect(error).toBeInstanceOf(EncodingError)
    return undefined
  }
}

describe('bytes that are not ours', () => {
  test('parseChunk', () => {
    const check = (data: Buffer) => {
      const found = read(() => parseChunk(data))
      if (found === undefined) return
      expect(['first', 'each']).toContain(found.mode)
      expect([typeof found.spread, typeof found.spec]).toEqual(['boolean', 'boolean'])
      expect(Number.isFinite(found.timeout) && found.timeout >= 0).toBe(true)
      expect(['string', 'undefined']).toContain(typeof found.version)
      if (found.retry !== undefined) {
        expect(isCount(found.retry.count, 0)).toBe(true)
        expect(Number.isFinite(found.retry.delay) && found.retry.delay >= 0).toBe(true)
        expect((found.retry.on ?? []).every(isText)).toBe(true)
      }
      expectPayload(found.payload)
    }
    fc.assert(fc.property(chunk, check), { numRuns: runs })
  })

  test('parseOutcomes', () => {
    const check = (entries: Buffer[][]) => {
      for (const found of parseOutcomes(entries.flat())) {
        expect(found.jobId).toBeTypeOf('string')
        if (found.outcome instanceof Error) {
          expect(found.outcome).toBeInstanceOf(ProtocolError)
          expect(found.outcome.message.length).toBeLessThan(400)
          continue
        }
        for (const [offset, error] of found.outcome.failures) {
          expect(isCount(offset, -1)).toBe(true)
          expect(decodeError(error)).toBeInstanceOf(Error)
        }
        expectPayload(found.outcome.payload)
      }
    }
    fc.assert(fc.property(fc.array(outcome, { maxLength: 3 }), check), { numRuns: runs })
  })

  test('parseOutcomes: those that stand in one entry are those that stand alone', () => {
    const alone = fc.array(outcome, { minLength: 2, maxLength: 5 })
    const check = (entries: Buffer[][]) => {
      const isOurs = (fields: Buffer[]) => [fields[0], fields[2], fields[4]].join('') === 'jhp' && fields.length === 6
      const short = entries.filter(
        (fields) => isOurs(fields) && !fields.some((field) => /[ \n]/.test(field.toString('latin1'))),
      )
      if (short.length < 2) return
      const [ids, heads, payloads] = [1, 3, 5].map((i) => short.map((fields) => fields[i]?.toString('latin1')))
      const together = ['j', ids?.join(' '), 'h', heads?.join('\n'), 'p', payloads?.join('\n')]
      const found = parseOutcomes(together.map((field) => Buffer.from(field ?? '', 'latin1')))
      expect(found).toEqual(short.flatMap((fields) => parseOutcomes(fields)))
    }
    fc.assert(fc.property(alone, check), { numRuns: runs })
  })

  test.each([
    ['heads', 'a.1.0 a.1.1', '{"v":1,"e":"j","d":1}', '[1]\n[2]'],
    ['payloads', 'a.1.0 a.1.1', '{"v":1,"e":"j","d":1}\n{"v":1,"e":"j","d":1}', '[1]'],
  ])('parseOutcomes: %s that are missing are told to each chunk', (_what, ids, heads, payloads) => {
    const found = parseOutcomes(['j', ids, 'h', heads, 'p', payloads].map((field) => Buffer.from(field)))
    expect(found.map(({ jobId }) => jobId)).toEqual(['a.1.0', 'a.1.1'])
    for (const { outcome: read } of found) expect(read).toBeInstanceOf(ProtocolError)
  })

  test('parseSpec', () => {
    const check = (text: string) => {
      const found = read(() => parseSpec(text))
      if (found?.initializer !== undefined) {
        expect(found.initializer.task).toBeTypeOf('string')
        expectText(found.initializer.args)
      }
      if (found?.maxTasksPerChild !== undefined) expect(isCount(found.maxTasksPerChild, 1)).toBe(true)
    }
    fc.assert(fc.property(spec, check), { numRuns: runs })
  })

  test('parsePresence', () => {
    const check = (text: string) => {
      const found = parsePresence(text, now)
      if (found === undefined) return
      expect(found.host).toBeTypeOf('string')
      expect(isCount(found.pid, 0)).toBe(true)
      expect(isCount(found.processes, 0)).toBe(true)
      expect(found.tasks.every(isText)).toBe(true)
      expect(['string', 'undefined']).toContain(typeof found.build)
      for (const id of ['a.b', 'constructor', '__proto__', 'toString']) {
        expect(versionsOf(found, id).every(isText)).toBe(true)
      }
      expect(Number.isFinite(found.expires)).toBe(true)
    }
    fc.assert(fc.property(presence, check), { numRuns: runs })
  })

  test('nothing has reached a prototype', () => {
    const own = JSON.parse('{"v":1,"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}')
    for (const parse of [parseSpec, (text: string) => parsePresence(text, now)]) parse(JSON.stringify(own))
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })
})
