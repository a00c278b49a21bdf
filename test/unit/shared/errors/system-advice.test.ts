import { explainFailure, withAdvice } from '@poolmq/shared'
import { expect, test } from 'vitest'

const refused = (code: string) => Object.assign(new Error(`spawn /bin/sh ${code}`), { code })

test.each(['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM', 'ENOSPC', 'EACCES', 'EPERM', 'ENOENT', 'EROFS', 'E2BIG'])(
  '%s: what the system said, and what to do',
  (code) => {
    expect(withAdvice(refused(code))).toMatch(new RegExp(`^spawn /bin/sh ${code}; .{20,}`))
  },
)

test.each([
  [refused('EWHATEVER'), 'spawn /bin/sh EWHATEVER'],
  [undefined, 'undefined'],
  [null, 'null'],
  ['text', 'text'],
])('what is not known is quoted: %s', (error, says) => {
  expect(withAdvice(error)).toBe(says)
})

test.each([
  ['EMFILE', /no more files can be opened here \(EMFILE\)\. .*ulimit -n/],
  ['EADDRNOTAVAIL', /no port left for it \(EADDRNOTAVAIL\)/],
])('a connection that fails with %s says so', (code, says) => {
  const error = explainFailure(Object.assign(new Error(`connect ${code}`), { code }), {
    kind: 'server',
    options: { host: 'h' },
  })
  expect(error).toMatchObject({ code: 'ERR_POOL_CONNECTION', message: expect.stringMatching(says) })
})
