// The embedded Redis: shared by the process, gone with its last user or with the process, however that ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { EmbeddedRedis, findRedisProgram } from '../../../../packages/shared/src/redis/embedded-redis.js'
import { RedisLink } from '../../../../packages/shared/src/redis/redis-link.js'

const module = resolve(import.meta.dirname, '../../../../packages/shared/dist/redis/redis-link.js')

beforeEach(() => void vi.stubEnv('REDIS_URL', ''))
afterEach(() => vi.unstubAllEnvs())

describe.skipIf(!inject('redisProgram'))('the embedded Redis', () => {
  test('is one for the process, stops with its last link, and can be started again', async () => {
    const [first, second] = await Promise.all([RedisLink.open(undefined), RedisLink.open(undefined)])
    await first.client.set('a', '1')
    expect(await second.client.get('a')).toBe('1')
    const { path } = (first.descriptor as { options: { path: string } }).options
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700)
    expect(await first.client.config('GET', 'port')).toEqual(['port', '0'])
    await first.close()
    expect(await second.client.get('a')).toBe('1')
    await second.close()
    expect(existsSync(dirname(path))).toBe(false)
    await using third = await RedisLink.open(undefined)
    expect(await third.client.get('a')).toBeNull()
  })

  test('starts in a moment', async () => {
    const times: number[] = []
    for (let start = 0; start < 5; start++) {
      const before = performance.now()
      await using _link = await RedisLink.open(undefined)
      times.push(performance.now() - before)
    }
    // 20 to 40 ms on an idle machine; the best of five bears a busy one.
    expect(Math.min(...times)).toBeLessThan(2000)
  })

  test('fails its links when it ends by itself, and the next link has another', async () => {
    await using link = await RedisLink.open(undefined)
    const directory = dirname((link.descriptor as { options: { path: string } }).options.path)
    const failed = once(link, 'failed')
    const blocked = link.duplicate().blpop('list', 0)
    blocked.catch(() => {})
    process.kill(await pidOf(link), 'SIGKILL')
    expect((await failed)[0].message).toMatch(/embedded Redis \(.*-server\) ended with exit code 137/)
    await expect(blocked).rejects.toThrow('Connection is closed.')
    expect(existsSync(directory)).toBe(false)
    await using next = await RedisLink.open(undefined)
    expect(await next.client.ping()).toBe('PONG')
  })

  test('and its directory are gone after a kill -9 of the process', async () => {
    const { child, server, directory } = await userProcess('setInterval(() => {}, 1e6)')
    child.kill('SIGKILL')
    await gone(server, directory)
  })

  test('and its directory are gone when a process ends without closing, which it does not hold', async () => {
    const { child, server, directory } = await userProcess('')
    if (child.exitCode === null) await once(child, 'exit')
    expect(child.exitCode).toBe(0)
    await gone(server, directory)
  })

  test('does not hear the Ctrl-C that the process hears', async () => {
    const { child, lines, server, directory } = await userProcess(`
      const anchor = setInterval(() => {}, 1e6)
      process.on('SIGINT', async () => {
        console.log(await link.client.ping())
        clearInterval(anchor)
      })
      console.log('listening')
    `)
    expect((await lines.next()).value).toBe('listening')
    // To the whole group, as a terminal does.
    process.kill(-Number(child.pid), 'SIGINT')
    expect((await lines.next()).value).toBe('PONG')
    await gone(server, directory)
  })

  test('has a socket path that fits, whatever the temporary directory is', async () => {
    const long = join(await temporaryDirectory(), 'x'.repeat(100))
    await mkdir(long)
    vi.stubEnv('TMPDIR', long)
    const lease = await EmbeddedRedis.acquire()
    expect(Buffer.byteLength(lease.path)).toBeLessThan(104)
    await lease.release()
    await lease.release()
    expect(await lease.ended).toBeUndefined()
  })
})

describe('without a working redis-server', () => {
  test('there are three ways to get one', async () => {
    vi.stubEnv('PATH', await temporaryDirectory())
    expect(findRedisProgram()).toBeUndefined()
    const opened = RedisLink.open(undefined)
    await expect(opened).rejects.toMatchObject({
      code: 'ERR_POOL_CONNECTION',
      message: expect.stringMatching(/connection option.*REDIS_URL.*valkey-server.*PATH.*docker run/s),
    })
  })

  test.each([
    ['is not there', (folder: string) => join(folder, 'nowhere')],
    ['is a file', (folder: string) => join(folder, 'file')],
    ['takes no directories', () => '/proc'],
  ])('a TMPDIR that %s is named, with what to do', async (_what, place) => {
    const folder = await temporaryDirectory()
    await writeFile(join(folder, 'file'), '')
    const bin = await temporaryDirectory()
    await writeFile(join(bin, 'redis-server'), '#!/bin/sh\nexit 3\n')
    await chmod(join(bin, 'redis-server'), 0o755)
    vi.stubEnv('PATH', [bin, process.env.PATH].join(delimiter))
    vi.stubEnv('TMPDIR', place(folder))
    const opened = RedisLink.open(undefined)
    await expect(opened).rejects.toMatchObject({ code: 'ERR_POOL_CONNECTION' })
    await expect(opened).rejects.toThrow(new RegExp(`${place(folder)} does not take one: set TMPDIR`))
  })

  test('a system that starts no process is quoted, with what to do', async () => {
    // The line to the shell that keeps the server is longer than the system takes.
    const bin = await temporaryDirectory()
    await writeFile(join(bin, 'redis-server'), '')
    await chmod(join(bin, 'redis-server'), 0o755)
    vi.stubEnv('PATH', bin)
    vi.stubEnv('LONG', 'x'.repeat(3 * 1024 * 1024))
    await expect(RedisLink.open(undefined)).rejects.toMatchObject({
      code: 'ERR_POOL_CONNECTION',
      cause: { code: 'E2BIG' },
    })
  })

  test('one that does not start is quoted, and leaves nothing', async () => {
    const bin = await temporaryDirectory()
    const temporary = await temporaryDirectory()
    await writeFile(join(bin, 'valkey-server'), '#!/bin/sh\necho "FATAL CONFIG FILE ERROR" >&2\nexit 3\n')
    await chmod(join(bin, 'valkey-server'), 0o755)
    vi.stubEnv('PATH', ['/nowhere', bin].join(delimiter))
    vi.stubEnv('TMPDIR', temporary)
    await expect(RedisLink.open(undefined)).rejects.toThrow(
      /valkey-server\) ended with exit code 3.*FATAL CONFIG FILE ERROR/s,
    )
    expect(await stat(temporary).then((entry) => entry.nlink)).toBe(2)
  })
})

/** A process of its own group with an open link, that then runs `body`. */
async function userProcess(body: string) {
  const code = `
    import { RedisLink } from ${JSON.stringify(module)}
    const link = await RedisLink.open(undefined)
    const hold = setInterval(() => {}, 1e6)
    const [pid] = /process_id:(\\d+)/.exec(await link.client.info('server')).slice(1)
    console.log(JSON.stringify({ server: Number(pid), path: link.descriptor.options.path }))
    clearInterval(hold)
    ${body}
  `
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', code], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  if (!child.stdout) throw new Error('no pipe')
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const { server, path } = JSON.parse((await lines.next()).value) as { server: number; path: string }
  return { child, lines, server, directory: dirname(path) }
}

async function gone(pid: number, directory: string): Promise<void> {
  await vi.waitFor(
    () => {
      expect(() => process.kill(pid, 0)).toThrow('ESRCH')
      expect(existsSync(directory)).toBe(false)
    },
    { timeout: 30_000, interval: 5 },
  )
}

async function pidOf(link: RedisLink): Promise<number> {
  return Number(/process_id:(\d+)/.exec(await link.client.info('server'))?.[1])
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'poolmq-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}
