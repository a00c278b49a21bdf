// What fails each second is told now and then.
import { expect, test } from 'vitest'
import { RepeatedFailure } from '../../../../packages/worker/src/supervisor/repeated-failure.js'

test('the first, a new reason, and one a minute; the others for those who want to know more', () => {
  const said: string[] = []
  const at = (level: string) => (about: unknown, text?: string) => said.push(`${level}: ${text ?? String(about)}`)
  const log = { warn: at('warn'), info: at('info'), debug: at('debug') }
  const failure = new RepeatedFailure(log as never, 'renewing leases', 3333.3333)
  failure.over()
  for (let second = 0; second < 120; second++) failure.tell(new Error('BUSY'), second * 1000)
  failure.tell(new Error('OOM'), 120_500)
  failure.over()
  failure.tell(new Error('OOM'), 121_500)
  expect(said.filter((line) => !line.startsWith('debug'))).toEqual([
    'warn: renewing leases failed; it is done again in 3333 ms',
    'warn: renewing leases failed 61 times in a row; it is done again in 3333 ms',
    'warn: renewing leases failed 121 times in a row; it is done again in 3333 ms',
    'info: renewing leases works again, after 121 failures',
    'warn: renewing leases failed; it is done again in 3333 ms',
  ])
  expect(said).toHaveLength(5 + 118)
})
