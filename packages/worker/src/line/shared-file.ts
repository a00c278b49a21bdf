/**
 * The file of a shared value: how many bytes its directory has, the directory, its blobs. It is written under another name while its
 * pieces come, and has its own when all of it is there. One that cannot be written is none; nobody fails for it.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { type BlobsPayload, parseDirectory, type SharedRef } from '@poolmq/shared'

/** Bytes at the beginning, which tell how many the directory has. */
const headSize = 16
/** Bytes read at a time: the system takes no more than 2 GiB. */
const runSize = 256 * 1024 * 1024
/** Writes that may be under way: what waits to be written takes memory. */
const mostWrites = 8

export class SharedFileWriter {
  readonly #path: string
  readonly #partial: string
  readonly #file: Promise<FileHandle>
  readonly #writes: Promise<unknown>[] = []
  #failed = false

  /** @param path - where it is to be; nothing is there before `finish` */
  constructor(path: string) {
    this.#path = path
    this.#partial = `${path}.${process.pid}.${process.hrtime.bigint()}`
    this.#file = open(this.#partial, 'wx', 0o600)
    this.#file.catch(() => undefined)
  }

  /** Takes a part of directory and blobs; resolves when the next may follow. @param at - where it belongs among them */
  async write(bytes: Uint8Array, at: number): Promise<void> {
    const written = this.#file
      .then((file) => writeAll(file, bytes, headSize + at))
      .catch(() => {
        this.#failed = true
      })
    this.#writes.push(written)
    if (this.#writes.length > mostWrites) await this.#writes.shift()
  }

  /** All has been written: false when it could not be. @param directory - bytes of the directory */
  async finish(directory: number): Promise<boolean> {
    await this.write(Buffer.from(String(directory).padEnd(headSize)), -headSize)
    await Promise.all(this.#writes)
    if (this.#failed || !(await this.#close())) {
      await this.discard()
      return false
    }
    return await rename(this.#partial, this.#path).then(
      () => true,
      () => false,
    )
  }

  /** It will not be finished. */
  async discard(): Promise<void> {
    await Promise.all(this.#writes)
    await this.#close()
    await unlink(this.#partial).catch(() => undefined) // it was never there
  }

  async #close(): Promise<boolean> {
    try {
      await (await this.#file).close()
      return true
    } catch {
      return false // the disk is full, or the directory gone
    }
  }
}

/** @throws Error when there is none, or it is not what was written. */
export async function readSharedFile(path: string, { size }: SharedRef): Promise<BlobsPayload> {
  const file = await open(path, constants.O_RDONLY)
  try {
    const head = await readRun(file, headSize)
    const directory = await readRun(file, Math.min(size, Number(head.toString())))
    const { segments, lengths } = parseDirectory(directory)
    if (lengths.reduce((sum, length) => sum + length, directory.length) !== size) throw new Error('another size')
    const blobs: Buffer[] = []
    for (const length of lengths) blobs.push(await readRun(file, length))
    return { encoding: 'blobs', segments, blobs }
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    done += (await file.write(bytes, done, Math.min(runSize, bytes.byteLength - done), at + done)).bytesWritten
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
