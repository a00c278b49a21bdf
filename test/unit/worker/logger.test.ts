// What the logs say of an error, and what they keep to themselves.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const logger = fileURLToPath(new URL('../../../packages/worker/dist/logger.js', import.meta.url))

/** The lines that a program logs which has `log`. */
function logged(program: string, level = 'warn'): Record<string, unknown>[] {
  const source = `import { createLogger } from ${JSON.stringify(logger)}; const log = createLogger('test'); ${program}`
  const env = { ...process.env, POOLMQ_LOG: level }
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', source], { env, encoding: 'utf8' })
  return stderr
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

test('an error of Redis: its message and the name of its command, and not what was in it', () => {
  const command = "{ name: 'evalsha', args: ['script', 'a card number'] }"
  const program = `log.warn({ err: Object.assign(new Error('OOM'), { command: ${command}, code: 'E' }) }, 'refused')`
  const [line] = logged(program)
  expect(line).toMatchObject({ msg: 'refused', err: { message: 'OOM', code: 'E', command: 'evalsha' } })
  expect(JSON.stringify(line)).not.toContain('card')
})

test('any other error as it is', () => {
  const [line] = logged("log.warn({ err: new TypeError('no', { cause: new Error('why') }) }, 'refused')")
  expect(line).toMatchObject({ name: 'poolmq-test', err: { type: 'TypeError' } })
  expect(JSON.stringify(line)).toContain('why')
})

test.each([
  ['warn', ['warn', 'error']],
  ['debug', ['debug', 'info', 'warn', 'error']],
  ['silent', []],
  ['ERROR', ['error']],
  ['loud', ['warn', 'error']],
])('at the level %s', (level, expected) => {
  const program = "for (const name of ['trace', 'debug', 'info', 'warn', 'error']) log[name](name)"
  expect(logged(program, level).map((line) => line.msg)).toEqual(expected)
})
