// `poolmq run`, `map`, `doctor`, `top`: tasks called from a shell, and a pool examined.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RedisLink } from '../../packages/shared/src/redis/redis-link.js'
import { examine } from '../../packages/worker/src/monitor/doctor.js'
import { Scratch } from '../support/latch.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { until } from '../support/until.js'
import { TestServer } from './connection-server.js'

const name = uniqueName('calls')
const scratch = new Scratch()
let host: ProgramRun

beforeAll(async () => {
  host = new ProgramRun([poolmqCommand, 'worker', '--pool', name, '--processes', '2', fixture('math-tasks')], {
    env: { REDIS_URL: redisUrl() },
  })
  await host.says('serving')
})

afterAll(async () => {
  await host[Symbol.asyncDispose]()
  scratch[Symbol.dispose]()
})

/** Runs the command with this on standard input. */
async function poolmq(
  args: readonly string[],
  input: string | Buffer = '',
): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, REDIS_URL: redisUrl(), POOLMQ_POOL: name }
  const child = spawn(process.execPath, [poolmqCommand, ...args], { env })
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text) => (said.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (said.stderr += text))
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number]
  return { code, ...said }
}

describe('run', () => {
  test.each([
    ['a number', ['math.square', '12'], '144\n'],
    ['several arguments', ['math.hypot', '3', '4'], '5\n'],
    ['what is not JSON is text', ['math.identity', 'plain text'], '"plain text"\n'],
    ['an object', ['math.identity', '{"a":[1,null]}'], '{"a":[1,null]}\n'],
  ])('%s', async (_what, args, stdout) => {
    expect(await poolmq(['run', ...args])).toEqual({ code: 0, stdout, stderr: '' })
  })

  test.each([
    ['a task that fails', ['math.failOn', '{"value":7,"bad":[7]}'], 1, /bad 7/],
    ['a task that nobody knows', ['math.sqare', '7'], 1, /math\.square/],
    ['no name of a task', ['square', '7'], 2, /namespace\.name.*"square"/],
    [
      'a pool that nobody serves',
      ['math.square', '7', '--pool', uniqueName('nobody')],
      3,
      /nobody serves.*poolmq worker/,
    ],
  ])('%s', async (_what, args, code, says) => {
    const run = await poolmq(['run', ...args])
    expect(run).toMatchObject({ code, stdout: '' })
    expect(run.stderr).toMatch(says)
  })
})

describe('map', () => {
  test('lines in order, from and to a pipe', async () => {
    const lines = Array.from({ length: 30_000 }, (_, i) => i)
    const run = await poolmq(['map', 'math.square', '--items', '-', '--out', '-'], `${lines.join('\n')}\n`)
    expect({ ...run, stdout: '' }).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(run.stdout === `${lines.map((i) => i * i).join('\n')}\n`).toBe(true)
  })

  test('files; argument lists; a last line without an end, and an empty one', async () => {
    const [items, out] = [join(scratch.directory, 'items.jsonl'), join(scratch.directory, 'out.jsonl')]
    writeFileSync(items, '[3,4]\n\n[5,12]')
    const run = await poolmq(['map', 'math.hypot', '--items', items, '--out', out, '--spread'])
    expect(run).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(readFileSync(out, 'utf8')).toBe('5\n13\n')
  })

  test('a failed item is a line with its error, the others are results; exit code 1', async () => {
    const items = [1, 2, 3].map((value) => JSON.stringify({ value, bad: [2] })).join('\n')
    const run = await poolmq(['map', 'math.failOn', '--items', '-', '--out', '-'], items)
    const failed = '{"error":{"name":"RangeError","message":"bad 2"},"index":1}'
    expect(run).toMatchObject({ code: 1, stdout: `1\n${failed}\n3\n` })
    expect(run.stderr).toMatch(/^poolmq: 1 items failed/)
  })

  test.each([
    ['a line that is not JSON', '1\n2\nthree\n4\n', /line 3 is not JSON.*three/],
    ['bytes that are no text', Buffer.from([0x31, 0x0a, 0x22, 0xe9, 0x22, 0x0a, 0x34]), /line 2 is not JSON .*UTF-8/],
    ['half a character at the end', Buffer.from([0x31, 0x0a, 0x22, 0xc3]).toString('latin1'), /line 2 is not JSON/],
  ])('%s ends it, after what came before', async (_what, input, says) => {
    const run = await poolmq(['map', 'math.square', '--items', '-', '--out', '-', '--chunk-size', '1'], input)
    expect(run.code).toBe(1)
    expect(run.stderr).toMatch(says)
    expect(run.stdout.startsWith('1\n')).toBe(true)
  })

  test('a reader that has had enough ends it', async () => {
    const command = `seq 1 100000000 | "${process.execPath}" "${poolmqCommand}" map math.square --items - --out - | head -5; exit \${PIPESTATUS[1]}`
    await using run = new ProgramRun(['-c', command], {
      command: ['bash'],
      env: { REDIS_URL: redisUrl(), POOLMQ_POOL: name },
    })
    expect(await run.exit(60_000)).toBe(0)
    expect(run).toMatchObject({ stdout: '1\n4\n9\n16\n25\n', stderr: '' })
  })

  test('a mark of the byte order, line ends of Windows, characters that come in halves', async () => {
    const text = ['"é"', '"€"', '"😀"', '""'].join('\r\n')
    // One line is longer than what a pipe gives at a time, so that characters and lines come in pieces.
    const long = JSON.stringify('ä€'.repeat(100_000))
    const input = `\ufeff${text}\n${long}`
    const run = await poolmq(['map', 'math.identity', '--items', '-', '--out', '-'], input)
    expect(run).toMatchObject({ code: 0, stderr: '' })
    expect(run.stdout === `${text.replaceAll('\r', '')}\n${long}\n`).toBe(true)
  })

  test('the file of the items is not written over', async () => {
    const items = join(scratch.directory, 'both.jsonl')
    writeFileSync(items, '1\n2\n')
    const run = await poolmq(['map', 'math.square', '--items', items, '--out', items])
    expect(run.code).toBe(2)
    expect(run.stderr).toMatch(/--out .*both\.jsonl is the file that the items are read from/)
    expect(readFileSync(items, 'utf8')).toBe('1\n2\n')
  })

  test('a disk that is full, however little is written', async () => {
    const run = await poolmq(['map', 'math.square', '--items', '-', '--out', '/dev/full'], '1\n')
    expect(run).toMatchObject({ code: 1, stdout: '' })
    expect(run.stderr).toMatch(/^poolmq: the results cannot be written: ENOSPC/)
  })

  test.each(['SIGTERM', 'SIGHUP'] as const)('%s ends it, though it waits for a named pipe', async (signal) => {
    const pipe = join(scratch.directory, `pipe-${signal}`)
    execFileSync('mkfifo', [pipe])
    const output = join(scratch.directory, `out-${signal}`)
    await using run = new ProgramRun([poolmqCommand, 'map', 'math.square', '--items', pipe, '--out', output], {
      env: { REDIS_URL: redisUrl(), POOLMQ_POOL: name },
    })
    // It has read what was written, and waits for more.
    const writer = await open(pipe, 'w')
    await writer.write('3\n')
    await until(
      'the result is there',
      () => (existsSync(output) ? readFileSync(output, 'utf8') : ''),
      (text) => text === '9\n',
    )
    run.kill(signal)
    expect(await run.exit()).toBe(signal)
    await writer.close()
  })

  test.each([
    ['a directory to read', ['--items', '/', '--out', '-'], 1, /the input cannot be read: EISDIR/],
    ['no file to read', ['--items', '/no/such/file', '--out', '-'], 1, /cannot read \/no\/such\/file/],
    ['no file to write', ['--items', '-', '--out', '/no/such/file'], 1, /cannot write \/no\/such\/file/],
    ['no items', ['--out', '-'], 2, /--items/],
  ])('%s', async (_what, flags, code, says) => {
    const run = await poolmq(['map', 'math.square', ...flags])
    expect(run.code).toBe(code)
    expect(run.stderr).toMatch(says)
  })
})

test('doctor: what is well, and what is not', async () => {
  const well = await poolmq(['doctor', '-o', 'json'])
  expect({ code: well.code, stderr: well.stderr }).toEqual({ code: 0, stderr: '' })
  const findings = JSON.parse(well.stdout) as { check: string; state: string; detail: string }[]
  for (const check of ['redis', 'server', 'memory', 'rights', 'clock here', 'hosts', 'versions', 'tasks', 'work']) {
    expect(findings.find((one) => one.check === check)).toBeDefined()
  }
  expect(findings.filter((one) => one.state === 'failed')).toEqual([])
  const alone = await poolmq(['doctor', '--pool', uniqueName('nobody')])
  expect(alone.code).toBe(3)
  expect(alone.stdout).toMatch(/FAILED +hosts +nobody serves the pool/)
})

test.each(['eval', 'evalsha', 'xread'])('doctor: a user who may not send %s is told so', async (command) => {
  const server = await TestServer.start()
  await using link = await RedisLink.open(server.path)
  await link.client.call('ACL', 'SETUSER', 'worker', 'on', '>p', '~*', '&*', '+@all', `-${command}`)
  await using other = await RedisLink.open({ path: server.path, username: 'worker', password: 'p' })
  const rights = (await examine(other as never, 'nobody')).find(({ check }) => check === 'rights')
  expect(rights).toMatchObject({
    state: 'failed',
    detail: expect.stringMatching(new RegExp(`refused: ${command} `, 'i')),
  })
})

test('top: one status after the other where there is no terminal; a signal ends it', async () => {
  await using top = new ProgramRun([poolmqCommand, 'top', '--interval', '100'], {
    env: { REDIS_URL: redisUrl(), POOLMQ_POOL: name },
  })
  await top.says(/(Pool [\s\S]*){3}/)
  top.kill('SIGTERM')
  expect(await top.exit()).toBe(0)
  expect(top.stderr).toBe('')
  expect(top.stdout).not.toContain('\x1b')
})
