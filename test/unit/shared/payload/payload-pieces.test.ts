import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../../../packages/shared/src/errors/errors.js'
import {
  type BlobsPayload,
  formatDirectory,
  joinBlobs,
  splitBlobs,
} from '../../../../packages/shared/src/payload/payload-blobs.js'
import {
  compressPiece,
  cutPieces,
  formatHead,
  PieceJoiner,
  parseHead,
  pieceCount,
  pieceSize,
  piecesHead,
} from '../../../../packages/shared/src/payload/payload-pieces.js'

const of = (...blobs: Uint8Array[]): BlobsPayload => ({
  encoding: 'blobs',
  segments: [{ mark: 'j', blobs: blobs.length }],
  blobs,
})
/** Bytes as text: they are compared at once, and not one by one. */
const plain = (payload: BlobsPayload) => ({
  ...payload,
  blobs: payload.blobs.map((blob) => Buffer.from(blob).toString('latin1')),
})

const payloads: Record<string, BlobsPayload> = {
  'no blob': of(),
  'an empty blob': of(Buffer.alloc(0)),
  'empty blobs among others': of(
    Buffer.alloc(0),
    Buffer.from('a'),
    Buffer.alloc(0),
    Buffer.alloc(0),
    Buffer.from('b'),
    Buffer.alloc(0),
  ),
  'a few bytes': of(Buffer.from('abc')),
  'many small ones': of(...Array.from({ length: 3000 }, (_, i) => Buffer.alloc(i % 1000, i))),
  'one of many pieces': of(randomBytes(3 * pieceSize + 17)),
  'some of a piece each': of(...Array.from({ length: 3 }, () => randomBytes(pieceSize))),
  'a view': of(new Uint8Array(randomBytes(100_000).buffer, 8, 50_000)),
  'text and bytes': of(Buffer.from('long text '.repeat(300_000)), randomBytes(1_500_000), Buffer.from('[1]')),
}

async function pieces(payload: BlobsPayload, compress: boolean): Promise<Buffer[]> {
  const cut = [...cutPieces(payload)]
  return compress ? await Promise.all(cut.map((piece) => compressPiece(piece))) : cut
}

async function together(head: string, stored: readonly Buffer[]): Promise<BlobsPayload> {
  const joiner = new PieceJoiner(parseHead(head))
  for (const piece of stored) await joiner.add(piece)
  return joiner.end()
}

const headOf = (payload: BlobsPayload) => formatHead(piecesHead(formatDirectory(payload), payload))

describe.each(Object.entries(payloads))('%s', (_what, payload) => {
  it.each([false, true])('comes back from its pieces (compressed: %s)', async (compress) => {
    const stored = await pieces(payload, compress)
    expect(stored.length).toBe(pieceCount(parseHead(headOf(payload))))
    for (const piece of stored) expect(piece.length).toBeLessThanOrEqual(pieceSize)
    expect(plain(await together(headOf(payload), stored))).toEqual(plain(payload))
  })

  it('comes back from one run of bytes, in memory of its own', () => {
    const back = splitBlobs(joinBlobs(payload))
    expect(plain(back)).toEqual(plain(payload))
    for (const blob of back.blobs) expect(blob.buffer.byteLength).toBe(blob.byteLength)
  })
})

it('is compressed where that pays, and only there', async () => {
  const text = Buffer.from('{"name":"a name","value":12345}'.repeat(30_000))
  expect((await compressPiece(text)).length).toBeLessThan(text.length / 5)
  const noise = randomBytes(1_000_000)
  expect(await compressPiece(noise)).toBe(noise)
})

describe('what is damaged is a ProtocolError:', () => {
  const payload = payloads['text and bytes'] as BlobsPayload
  const head = headOf(payload)
  const directory = (record: unknown) => {
    const bytes = Buffer.from(JSON.stringify(record))
    return together(`${bytes.length},${bytes.length + 4}`, [Buffer.concat([bytes, Buffer.from('abcd')])])
  }
  it.each<[string, () => Promise<unknown>]>([
    ['no head', () => together('', [])],
    ['a head of something else', () => together('{"a":1}', [])],
    ['a directory longer than all', () => together('10,5', [])],
    ['a head that lies', async () => together('999999999999999,999999999999999', await pieces(payload, false))],
    ['a last piece that is missing', async () => together(head, (await pieces(payload, false)).slice(0, -1))],
    ['a piece too many', async () => together(head, [...(await pieces(payload, false)), Buffer.from('x')])],
    [
      'a piece that is cut',
      async () =>
        together(
          head,
          (await pieces(payload, false)).map((one) => one.subarray(5)),
        ),
    ],
    [
      'a piece of nothing',
      async () =>
        together(
          head,
          (await pieces(payload, true)).map(() => Buffer.alloc(0)),
        ),
    ],
    ['pieces in another order', async () => together(head, (await pieces(payload, true)).reverse())],
    [
      'a piece that would become too large',
      async () => together('5,100', [await compressPiece(Buffer.alloc(200_000))]),
    ],
    ['a directory that is a number', () => directory(1)],
    ['a directory without lengths', () => directory({ s: [] })],
    ['lengths that are none', () => directory({ s: [['j', 1]], b: [-4] })],
    ['lengths beyond all', () => directory({ s: [['j', 1]], b: [1e15] })],
    ['lengths of less', () => directory({ s: [['j', 1]], b: [1] })],
    ['a segment of nothing', () => directory({ s: [[]], b: [4] })],
    ['blobs of nobody', () => directory({ s: [['j', 1]], b: [2, 2] })],
  ])('%s', async (_what, read) => {
    await expect(read()).rejects.toThrow(ProtocolError)
  })

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['no directory', Buffer.from('abc\n')],
    ['blobs that are cut off', joinBlobs(payload).subarray(0, -100)],
  ])('%s, in one run', (_what, body) => {
    expect(() => splitBlobs(body)).toThrow(ProtocolError)
  })
})
