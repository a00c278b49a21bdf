// What is logged, where, and in which form.
import { Pool, type PoolLogger } from '@poolmq/client'
import { expect, test } from 'vitest'
import { RedisLink } from '../../packages/shared/src/redis/redis-link.js'
import { logConnection } from '../../packages/worker/src/supervisor/connection-log.js'
import { math } from '../fixtures/dist/math-tasks.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'
import { until } from '../support/until.js'
import { TestServer } from './connection-server.js'

/** A host that loses a worker process, in whatever way it is run. */
async function lossOn(name: string, env: NodeJS.ProcessEnv, command?: readonly string[]): Promise<ProgramRun> {
  const args = ['worker', '--pool', name, '--processes', '1', fixture('math-tasks')]
  const run =
    command === undefined
      ? new ProgramRun([poolmqCommand, ...args], { env })
      : new ProgramRun([[process.execPath, poolmqCommand, ...args].join(' '), '/dev/null'], { env, command })
  await run.says('serving')
  const pool = new Pool({ name, connection: redisUrl() })
  await pool.apply(math.exit, [5]).catch(() => undefined)
  await pool.terminate()
  await run.says('died with a chunk in hand')
  return run
}

test('a host: JSON lines, each with the pool, the host and the process; of a chunk also its call and its task', async () => {
  const name = uniqueName('logs')
  await using run = await lossOn(name, { REDIS_URL: redisUrl() })
  const lines = run.complaints.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as object)
  expect(lines.length).toBeGreaterThan(0)
  for (const line of lines)
    expect(line).toMatchObject({ pool: name, host: expect.any(String), pid: expect.any(Number) })
  expect(lines).toContainEqual(
    expect.objectContaining({
      chunk: expect.stringMatching(/^\w+\.0\.0$/),
      call: expect.stringMatching(/^\w+\.0$/),
      task: 'math.exit',
      loss: expect.objectContaining({ exitCode: 5 }),
    }),
  )
})

test('a host: that Redis is lost, why it does not come back, and that it is back', async () => {
  const server = await TestServer.start()
  await using link = await RedisLink.open(server.path)
  const may = ['~*', '&*', '+@all']
  await link.client.call('ACL', 'SETUSER', 'worker', 'on', '>old', ...may)
  await using worker = await RedisLink.open({ path: server.path, username: 'worker', password: 'old' })
  const told: string[] = []
  const log = (level: string) => (about: unknown, text?: string) => void told.push(`${level}: ${text ?? String(about)}`)
  logConnection(worker as never, { warn: log('warn'), info: log('info') } as never, 20)
  await link.client.call('ACL', 'SETUSER', 'worker', 'resetpass', '>new')
  await link.client.call('CLIENT', 'KILL', 'USER', 'worker')
  await until(
    'the reason is told',
    () => told,
    (lines) => lines.some((line) => line.includes('WRONGPASS')),
  )
  expect(told[0]).toBe('warn: the connection to Redis is lost; it is tried again until it is back')
  expect(told.at(-1)).toMatch(/^warn: Redis has been out of reach for \d+ s: Cannot connect .* password are wrong/)
  await link.client.call('ACL', 'SETUSER', 'worker', '>old')
  await until(
    'it is back',
    () => told.at(-1),
    (line) => line?.startsWith('info: the connection to Redis is back') === true,
  )
})

test('a host tells it in its log', async () => {
  const server = await TestServer.start()
  await using host = new ProgramRun(
    [
      poolmqCommand,
      'worker',
      '--pool',
      'logs',
      '--processes',
      '1',
      '--redis',
      `unix://${server.path}`,
      fixture('math-tasks'),
    ],
    { env: { POOLMQ_LOG: 'info' } },
  )
  await host.says('serving')
  await server.kill()
  await host.says('the connection to Redis is lost')
  await server.start()
  await host.says('the connection to Redis is back')
})

test('on a terminal: readable lines', async () => {
  await using run = await lossOn(uniqueName('logs'), { REDIS_URL: redisUrl() }, ['script', '-qec'])
  const [line = ''] = run.stdout.split('\n').filter((one) => one.includes('died with a chunk in hand'))
  expect(line).toMatch(/WARN.*a worker process died with a chunk in hand.*math\.exit/)
  expect(line).not.toMatch(/"level":40/)
})

test('a producer logs to what it was given: its calls, and what becomes of its workers and its Redis', async () => {
  const told: [string, Record<string, unknown>, string][] = []
  const log = (level: string) => (fields: object, message: string) =>
    void told.push([level, fields as Record<string, unknown>, message])
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
  const name = uniqueName('logs')
  await using pool = new Pool({ name, connection: redisUrl(), processes: 1, logger })
  expect(await pool.apply(math.square, [3])).toBe(9)
  const [supervisor] = await pool.hosts()
  process.kill(supervisor?.pid ?? 0, 'SIGKILL')
  expect(await pool.apply(math.square, [4])).toBe(16)
  const about = { pool: name, client: expect.any(String) }
  expect(told[0]).toEqual([
    'debug',
    expect.objectContaining({ ...about, method: 'apply', task: 'math.square' }),
    'a call was made',
  ])
  expect(told).toContainEqual(['debug', expect.objectContaining({ done: 1, failed: 0 }), 'a call has ended'])
  // Its worker processes may have run the call before they ended, and it may have been before its end was seen.
  const lost = () => told.find(([level, { signal }]) => level === 'warn' && signal === 'SIGKILL')
  const loss = await until('the loss is told', lost, (found) => found !== undefined)
  expect(loss?.[2]).toContain('supervisor')
})

test('a logger that throws ends no call; one without its methods is refused', async () => {
  const warned: string[] = []
  const onWarning = (warning: Error) => void warned.push(warning.message)
  process.on('warning', onWarning)
  const fail = () => {
    throw new Error('the disk is full')
  }
  const failWorse = () => {
    throw Object.create(null)
  }
  await using pool = new Pool({ processes: 1, logger: { debug: fail, info: fail, warn: fail, error: fail } })
  await using worse = new Pool({ processes: 1, logger: { debug: failWorse, info: fail, warn: fail, error: fail } })
  expect(await worse.map(math.square, [3])).toEqual([9])
  expect(await pool.map(math.square, [1, 2])).toEqual([1, 4])
  process.off('warning', onWarning)
  expect(warned.some((text) => text.includes('the disk is full'))).toBe(true)
  for (const logger of [null, console.log, {}, { debug: () => undefined }]) {
    expect(() => new Pool({ processes: 1, logger: logger as unknown as PoolLogger })).toThrow(
      /logger must have the methods/,
    )
  }
})
