/**
 * The shared values of a host, in files that its worker processes have in common: whoever needs one first fetches it, the others
 * wait for the file; a Pool puts what it shares there itself, for its own. The directory is their supervisor's, for this user alone, and is removed
 * with it. Those that were used longest ago go when there are too many. Where nothing can be written, each process fetches for itself.
 */

import { lstat, mkdir, open, readdir, stat, unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { clearInterval, setInterval } from 'node:timers'
import { setTimeout as delay } from 'node:timers/promises'
import { type BlobsPayload, formatDirectory, type SharedContent, type SharedRef, type TakePiece } from '@poolmq/shared'
import { readSharedFile, SharedFileWriter } from './shared-file.js'

/** Bytes of all files together; the newest stays, whatever it takes. */
const mostKept = 4 * 1024 ** 3
/** Milliseconds between two looks whether another process has fetched it. */
const pollInterval = 10
/** Milliseconds after which one that has told nothing is not waited for. */
const longestSilence = 10_000
const lockSuffix = '.lock'

/** Fetches a value; undefined when it is not to be had. Pieces may come twice. */
export type Fetch = (take?: TakePiece) => Promise<BlobsPayload | undefined>

export class SharedFiles {
  readonly #directory: string
  readonly #mostBytes: number

  constructor(directory: string, mostBytes = mostKept) {
    this.#directory = directory
    this.#mostBytes = mostBytes
  }

  /** The value, from its file, or fetched into it. */
  async get(ref: SharedRef, fetch: Fetch): Promise<BlobsPayload | undefined> {
    while (await this.#isUsable()) {
      const lock = (await this.#read(ref)) ?? (await this.#lock(ref.hash))
      if (lock === 'none') break
      if (lock === 'taken') await delay(pollInterval)
      else if (lock !== 'ours') return lock
      else return await this.#fetch(ref, fetch)
    }
    return await fetch()
  }

  /** Puts a value there that this process has. Never rejects: what is not there is fetched. */
  async put({ hash, payload }: SharedContent): Promise<void> {
    if (!(await this.#isUsable()) || (await isThere(this.#path(hash)))) return
    const writer = new SharedFileWriter(this.#path(hash))
    const directory = formatDirectory(payload)
    let at = 0
    for (const bytes of [directory, ...payload.blobs]) {
      await writer.write(bytes, at)
      at += bytes.byteLength
    }
    if (await writer.finish(directory.length)) await this.#trim(hash)
  }

  /** Under the lock. */
  async #fetch(ref: SharedRef, fetch: Fetch): Promise<BlobsPayload | undefined> {
    const path = this.#path(ref.hash)
    const alive = setInterval(() => void touch(path + lockSuffix), longestSilence / 5)
    let writer: SharedFileWriter | undefined
    try {
      // Another may have fetched it just before it was locked.
      const there = await this.#read(ref)
      if (there !== undefined) return there
      writer = new SharedFileWriter(path)
      const payload = await fetch(writer.write.bind(writer))
      if (payload === undefined) return undefined
      if (await writer.finish(formatDirectory(payload).length)) await this.#trim(ref.hash)
      writer = undefined
      return payload
    } finally {
      clearInterval(alive)
      await writer?.discard()
      await remove(path + lockSuffix)
    }
  }

  /** The directory is there, and nobody else's: its path is no secret. */
  async #isUsable(): Promise<boolean> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 })
      const { uid } = await lstat(this.#directory)
      return uid === (process.geteuid?.() ?? uid)
    } catch {
      return false
    }
  }

  /** `none`: this host has no place for files. */
  async #lock(hash: string): Promise<'ours' | 'taken' | 'none'> {
    const path = this.#path(hash) + lockSuffix
    try {
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

  async #read(ref: SharedRef): Promise<BlobsPayload | undefined> {
    const path = this.#path(ref.hash)
    try {
      const payload = await readSharedFile(path, ref)
      await touch(path)
      return payload
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') await remove(path) // it is not what was written
      return undefined
    }
  }

  /** Removes what was used longest ago when all takes too much; who reads it has it open. Never rejects. */
  async #trim(newest: string): Promise<void> {
    const names = await readdir(this.#directory).catch(() => [])
    const files: { path: string; size: number; used: number }[] = []
    for (const path of names.filter((name) => !name.includes('.')).map((name) => this.#path(name))) {
      const facts = await stat(path).catch(() => undefined) // another has just removed it
      if (facts !== undefined) files.push({ path, size: facts.size, used: facts.mtimeMs })
    }
    let total = files.reduce((sum, { size }) => sum + size, 0)
    for (const { path, size } of files.sort((a, b) => a.used - b.used)) {
      if (total <= this.#mostBytes) return
      if (path === this.#path(newest)) continue
      total -= size
      await remove(path)
    }
  }

  #path(name: string): string {
    return join(this.#directory, name)
  }
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

/** It was used, or its process lives. */
async function touch(path: string): Promise<void> {
  const now = new Date()
  await utimes(path, now, now).catch(() => undefined) // it has been removed
}

async function remove(path: string): Promise<void> {
  await unlink(path).catch(() => undefined) // it was not there
}
