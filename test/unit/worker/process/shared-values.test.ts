// What a host and a process keep of shared values: fetched once by those who need them at the same time, and no more of them than fits.
import { chownSync, mkdirSync, readdirSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type BlobsPayload,
  cutPieces,
  Deferred,
  encodeValues,
  inBlobs,
  ProtocolError,
  type SharedContent,
  sharedContent,
} from '@poolmq/shared'
import { describe, expect, test } from 'vitest'
import { type Fetch, SharedFiles } from '../../../../packages/worker/src/line/shared-files.js'
import { SharedValueCache } from '../../../../packages/worker/src/process/shared-values.js'
import { Scratch } from '../../../support/latch.js'

const contentOf = (seed: number, length = 2_500_000) =>
  sharedContent(inBlobs(encodeValues([Buffer.alloc(length, seed)], 'value')))
const plain = (payload: BlobsPayload | undefined) => payload && Buffer.concat(payload.blobs).toString('latin1')

/** Gives it as Redis does, in pieces. */
function giving({ payload }: SharedContent, before: Promise<void> = Promise.resolve()): Fetch {
  return async (take) => {
    await before
    let at = 0
    for (const piece of cutPieces(payload)) {
      await take?.(piece, at)
      at += piece.length
    }
    return payload
  }
}

describe('the files of a host', () => {
  test('one fetches, the others wait for its file', async () => {
    using scratch = new Scratch()
    const directory = join(scratch.directory, 'files')
    const content = contentOf(1)
    const [asked, come] = [new Deferred(), new Deferred()]
    let fetched = 0
    const fetch: Fetch = (take) => {
      fetched++
      asked.resolve()
      return giving(content, come.promise)(take)
    }
    const all = [1, 2, 3].map(() => new SharedFiles(directory).get(content, fetch))
    await asked.promise
    come.resolve()
    const payloads = await Promise.all(all)
    expect([...new Set(payloads.map(plain))]).toEqual([plain(content.payload)])
    expect(payloads[1]?.segments).toEqual(content.payload.segments)
    expect([fetched, readdirSync(directory)]).toEqual([1, [content.hash]])
    expect([statSync(directory).mode & 0o777, statSync(join(directory, content.hash)).mode & 0o777]).toEqual([
      0o700, 0o600,
    ])
  })

  test('one that is not to be had, or fails, keeps nobody', async () => {
    using scratch = new Scratch()
    const files = new SharedFiles(scratch.directory)
    const content = contentOf(1)
    expect(await files.get(content, async () => undefined)).toBeUndefined()
    await expect(files.get(content, () => Promise.reject(new RangeError('no')))).rejects.toThrow('no')
    expect(plain(await files.get(content, giving(content)))).toBe(plain(content.payload))
  })

  test('one whose process has died while it fetched is not waited for', async () => {
    using scratch = new Scratch()
    const content = contentOf(1)
    const lock = join(scratch.directory, `${content.hash}.lock`)
    writeFileSync(lock, '')
    utimesSync(lock, 0, 0)
    const files = new SharedFiles(scratch.directory)
    expect(plain(await files.get(content, giving(content)))).toBe(plain(content.payload))
    expect(readdirSync(scratch.directory)).toEqual([content.hash])
  })

  test.each([0, 10, 1_500_000])('one that is cut off at %d bytes is fetched again', async (length) => {
    using scratch = new Scratch()
    const files = new SharedFiles(scratch.directory)
    const content = contentOf(1)
    await files.get(content, giving(content))
    truncateSync(join(scratch.directory, content.hash), length)
    expect(plain(await files.get(content, giving(content)))).toBe(plain(content.payload))
    expect(statSync(join(scratch.directory, content.hash)).size).toBeGreaterThan(2_500_000)
  })

  test('those that were used longest ago go, the newest stays', async () => {
    using scratch = new Scratch()
    const files = new SharedFiles(scratch.directory, 6_000_000)
    const contents = [1, 2, 3].map((seed) => contentOf(seed))
    for (const [i, content] of contents.entries()) {
      await files.get(content, giving(content))
      utimesSync(join(scratch.directory, content.hash), 1000 + i, 1000 + i)
    }
    expect(readdirSync(scratch.directory).sort()).toEqual([contents[1]?.hash, contents[2]?.hash].sort())
    const huge = contentOf(4, 7_000_000)
    await files.get(huge, giving(huge))
    expect(readdirSync(scratch.directory)).toEqual([huge.hash])
  })

  test('a directory that is somebody else’s is not used', async () => {
    using scratch = new Scratch()
    const isRoot = process.getuid?.() === 0
    if (isRoot) chownSync(scratch.directory, 12345, 12345)
    const before = readdirSync(isRoot ? scratch.directory : '/')
    const content = contentOf(1)
    const files = new SharedFiles(isRoot ? scratch.directory : '/')
    expect(plain(await files.get(content, giving(content)))).toBe(plain(content.payload))
    await files.put(content)
    expect(readdirSync(isRoot ? scratch.directory : '/')).toEqual(before)
  })

  test('what a Pool has it puts there itself, once', async () => {
    using scratch = new Scratch()
    const content = contentOf(1)
    const files = new SharedFiles(join(scratch.directory, 'files'))
    await files.put(content)
    await files.put(content)
    const payload = await files.get(content, () => Promise.reject(new Error('it is there')))
    expect([plain(payload), readdirSync(join(scratch.directory, 'files'))]).toEqual([
      plain(content.payload),
      [content.hash],
    ])
  })

  test('where there is no place for them, each process fetches for itself', async () => {
    using scratch = new Scratch()
    const file = join(scratch.directory, 'file')
    writeFileSync(file, '')
    mkdirSync(join(scratch.directory, 'empty'))
    const content = contentOf(1)
    const files = new SharedFiles(join(file, 'no-directory'))
    expect(plain(await files.get(content, giving(content)))).toBe(plain(content.payload))
  })
})

describe('the values of a process', () => {
  function cacheOf(mostBytes?: number) {
    const fetched: string[] = []
    const logged: unknown[] = []
    const contents = new Map<string, BlobsPayload>()
    const cache = new SharedValueCache(
      {
        pieces: { getShared: async (hash) => contents.get(hash) },
        files: {
          get: async ({ hash }, fetch) => {
            fetched.push(hash)
            return await fetch()
          },
        },
        insist: (action) => action(),
        log: (error) => logged.push(error),
      },
      mostBytes,
    )
    const put = (seed: number) => {
      const content = contentOf(seed)
      contents.set(content.hash, content.payload)
      return content
    }
    return { cache, fetched, logged, put, contents }
  }

  test('are decoded once, also by those who ask at the same time', async () => {
    const { cache, fetched, put } = cacheOf()
    const one = put(1)
    const [values, others] = await Promise.all([cache.have([one]), cache.have([one])])
    expect(Buffer.alloc(2_500_000, 1).equals(values?.get(one.hash) as Buffer)).toBe(true)
    expect(others?.get(one.hash)).toBe(values?.get(one.hash))
    expect((await cache.have([one]))?.get(one.hash)).toBe(values?.get(one.hash))
    expect(fetched).toEqual([one.hash])
  })

  test('those that were used longest ago are let go of; what a chunk needs is there in any case', async () => {
    const { cache, fetched, put } = cacheOf(6_000_000)
    const [a, b, c] = [put(1), put(2), put(3)] as const
    await cache.have([a])
    await cache.have([b])
    await cache.have([a])
    await cache.have([c])
    await cache.have([a])
    expect(fetched).toEqual([a, b, c].map(({ hash }) => hash))
    await cache.have([b])
    expect(fetched.length).toBe(4)
    expect((await cache.have([a, b, c]))?.size).toBe(3)
  })

  test('one that is missing is told of, with its size', async () => {
    const { cache, logged, put, contents } = cacheOf()
    const [one, other] = [put(1), put(2)] as const
    contents.delete(other.hash)
    expect(await cache.have([one, other])).toBeUndefined()
    expect(logged).toEqual([expect.any(ProtocolError)])
    expect(String(logged[0])).toContain(`${other.hash}, of ${other.size} bytes`)
    contents.set(other.hash, other.payload)
    expect((await cache.have([one, other]))?.size).toBe(2)
  })
})
