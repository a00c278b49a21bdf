/**
 * The shared values of a host, in files that its worker processes have in common: whoever needs one first fetches it, the others
 * wait for the file; a Pool puts what it shares there itself, for its own. The directory is their supervisor's, for this user alone, and is removed with it. A file has its name when all
 * of it is there; those that were used longest ago go when there are too many. Where nothing can be written, each process fetches for itself.
 */
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type BlobsPayload, formatDirectory, parseDirectory, type SharedContent, type SharedRef } from '@poolmq/shared'

/** Bytes of all files together; the newest stays, whatever it takes. */
const mostKept = 4 * 1024 ** 3
/** Bytes at the beginning of a file, which tell how many its directory has. */
const headSize = 16
/** Bytes read or written at a time: the system takes no more than 2 GiB. */
const runSize = 256 * 1024 * 1024
/** Milliseconds between two looks whether another process has fetched it. */
const pollInterval = 10
/** Milliseconds after which one that has told nothing is not waited for. */
const longestSilence = 10_000
const lockSuffix = '.lock'

export class SharedFiles {
  readonly #directory: string
  readonly #mostBytes: number

  constructor(directory: string, mostBytes = mostKept) {
    this.#directory = directory
    this.#mostBytes = mostBytes
  }

  /**
   * The value, from its file, or fetched into it.
   *
   * @param fetch - undefined when it is not to be had
   */
  async get(ref: SharedRef, fetch: () => Promise<BlobsPayload | undefined>): Promise<BlobsPayload | undefined> {
    for (;;) {
      const there = await this.#read(ref)
      if (there !== undefined) return there
      const lock = await this.#lock(ref.hash)
      if (lock === 'none') return await fetch()
      if (lock === 'taken') await delay(pollInterval)
      else return (await this.#read(ref)) ?? (await this.#fetch(ref, fetch))
    }
  }

  /** Puts a value there that this process has. Never rejects: what is not there is fetched. */
  async put({ hash, payload }: SharedContent): Promise<void> {
    const isThere = await stat(this.#path(hash)).then(
      () => true,
      () => false,
    )
    if (isThere) return
    await mkdir(this.#directory, { recursive: true, mode: 0o700 }).catch(() => undefined) // then nothing can be written
    await this.#write(hash, payload)
  }

  /** Under the lock. */
  async #fetch(ref: SharedRef, fetch: () => Promise<BlobsPayload | undefined>): Promise<BlobsPayload | undefined> {
    const lock = this.#path(ref.hash) + lockSuffix
    const alive = setInterval(() => void touch(lock), longestSilence / 5)
    try {
      const payload = await fetch()
      if (payload !== undefined) await this.#write(ref.hash, payload)
      return payload
    } finally {
      clearInterval(alive)
      await remove(lock)
    }
  }

  /** `none`: this host has no place for files. */
  async #lock(hash: string): Promise<'ours' | 'taken' | 'none'> {
    const path = this.#path(hash) + lockSuffix
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 })
      await (await open(path, 'wx', 0o600)).close()
      return 'ours'
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return 'none'
    }
    const since = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    )
    // Its process has died, or stands still.
    if (since > longestSilence) await remove(path)
    return 'taken'
  }

  async #write(hash: string, payload: BlobsPayload): Promise<void> {
    const path = this.#path(hash)
    const partial = `${path}.${process.pid}.${process.hrtime.bigint()}`
    try {
      const file = await open(partial, 'wx', 0o600)
      try {
        const directory = formatDirectory(payload)
        await writeAll(file, Buffer.from(String(directory.length).padEnd(headSize)))
        for (const bytes of [directory, ...payload.blobs]) await writeAll(file, bytes)
      } finally {
        await file.close()
      }
      await rename(partial, path)
      await this.#trim(hash)
    } catch {
      // The disk is full, or the directory gone: the others fetch it themselves.
      await remove(partial)
    }
  }

  async #read({ hash, size }: SharedRef): Promise<BlobsPayload | undefined> {
    const path = this.#path(hash)
    const file = await open(path, constants.O_RDONLY).catch(() => undefined)
    if (file === undefined) return undefined
    try {
      const head = await readRun(file, headSize)
      const directory = await readRun(file, Number(head.toString()))
      const { segments, lengths } = parseDirectory(directory)
      if (lengths.reduce((sum, length) => sum + length, directory.length) !== size) throw new Error('another size')
      const blobs: Buffer[] = []
      for (const length of lengths) blobs.push(await readRun(file, length))
      await touch(path)
      return { encoding: 'blobs', segments, blobs }
    } catch {
      await remove(path) // it is not what was written
      return undefined
    } finally {
      await file.close()
    }
  }

  /** Removes what was used longest ago when all takes too much; who reads it has it open. */
  async #trim(newest: string): Promise<void> {
    const names = (await readdir(this.#directory)).filter((name) => !name.includes('.') && name !== newest)
    const files = await Promise.all(
      names.map(async (name) => ({
        path: this.#path(name),
        facts: await stat(this.#path(name)).catch(() => undefined),
      })),
    )
    const { size } = await stat(this.#path(newest))
    let total = files.reduce((sum, { facts }) => sum + (facts?.size ?? 0), size)
    for (const { path, facts } of files.sort((a, b) => (a.facts?.mtimeMs ?? 0) - (b.facts?.mtimeMs ?? 0))) {
      if (total <= this.#mostBytes) return
      total -= facts?.size ?? 0
      await remove(path)
    }
  }

  #path(name: string): string {
    return join(this.#directory, name)
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) {
    at += (await file.write(bytes, at, Math.min(runSize, bytes.byteLength - at))).bytesWritten
  }
}

/** So many bytes, in memory that is nobody else's: it may become that of a value. */
async function readRun(file: FileHandle, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, Math.min(runSize, length - at))
    if (bytesRead === 0) throw new Error('it is cut off')
    at += bytesRead
  }
  return bytes
}

/** It was used, or its process lives. */
async function touch(path: string): Promise<void> {
  const now = new Date()
  await utimes(path, now, now).catch(() => undefined) // it has been removed
}

async function remove(path: string): Promise<void> {
  await unlink(path).catch(() => undefined) // it was not there
}
