// One initializer runs in a process: whose chunks it may run then, and what it remembers of the many that it meets.
import {
  defineTasks,
  encodeValue,
  formatSpec,
  InitializerError,
  PoolKeys,
  type RedisLink,
  type SharedRef,
} from '@poolmq/shared'
import { describe, expect, test } from 'vitest'
import { hostNow } from '../../../../packages/worker/src/line/host-clock.js'
import { Initializer, InitializerFailure } from '../../../../packages/worker/src/process/initializer.js'
import type { SharedValueCache } from '../../../../packages/worker/src/process/shared-values.js'

const ran: unknown[] = []
defineTasks(import.meta.url, 'initializer-test', {
  note: (value: unknown) => ran.push(value),
  fail: () => {
    throw new RangeError('not today')
  },
})

const keys = new PoolKeys('initializer-test')
/** Shared values: `there` is, `missing` is not. */
const values = {
  have: async ([ref]: readonly SharedRef[]) => (ref?.hash === there ? new Map([[there, ['shared']]]) : undefined),
} as unknown as SharedValueCache
const [there, missing] = ['t', 'm'].map((letter) => letter.repeat(43)) as [string, string]
/** A Redis that has these specs, by client. */
const linkTo = (specOf: (clientId: string) => string | null) =>
  ({ client: { get: async (key: string) => specOf(key.split(':').at(-1) ?? '') } }) as unknown as RedisLink
const spec = (task: string, ...args: unknown[]) =>
  formatSpec({ initializer: { task: `initializer-test.${task}`, args: encodeValue(args, 'initArgs') } })

/** Its arguments are a shared value. */
function sharingSpec(hash: string): string {
  const args = { encoding: 'rich', text: JSON.stringify([[null], [25, hash]]) } as const
  return formatSpec({ initializer: { task: 'initializer-test.note', args, shared: [{ hash, size: 9 }] } })
}

const specs: Record<string, string> = {
  a: spec('note', 'A'),
  'a-too': spec('note', 'A'),
  b: spec('note', 'B'),
  none: formatSpec({ maxTasksPerChild: 3 }),
  failing: spec('fail'),
  sharing: sharingSpec(there),
  early: sharingSpec(missing),
}
const make = (failed: ConstructorParameters<typeof Initializer>[3] = []) => {
  const initialized: string[] = []
  const link = linkTo((clientId) => specs[clientId] ?? null)
  return {
    initialized,
    initializer: new Initializer(link, keys, values, failed, (clientId) => initialized.push(clientId)),
  }
}
const rests = (clientId: string, milliseconds: number) => ({ clientId, restsUntil: hostNow() + milliseconds })
const broken = (clientId: string) => ({ ...rests(clientId, 0), broken: { name: 'Error', message: 'no' } as never })

describe('a process', () => {
  test('is the first client’s that has an initializer, and of those that have the same', async () => {
    const { initializer, initialized } = make()
    expect(await initializer.ensure('none')).toEqual({ fit: 'now', limits: { maxTasksPerChild: 3 } })
    ran.length = 0
    expect(await initializer.ensure('a')).toEqual({ fit: 'now', limits: {} })
    expect(await initializer.ensure('a-too')).toMatchObject({ fit: 'now' })
    expect(await initializer.ensure('none')).toMatchObject({ fit: 'now' })
    expect(await initializer.ensure('b')).toMatchObject({ fit: 'never' })
    expect(await initializer.ensure('gone')).toBeUndefined()
    expect(ran).toEqual(['A'])
    expect(initialized).toEqual(['a'])
    expect(initializer.suited).toEqual(['a', 'a-too'])
  })

  test('whose initializer throws says whose it was', async () => {
    const { initializer } = make()
    await expect(initializer.ensure('failing')).rejects.toThrow(InitializerFailure)
    await expect(initializer.ensure('failing')).rejects.toMatchObject({
      clientId: 'failing',
      reason: expect.any(RangeError),
    })
  })

  test('does not try what rests, nor what is given up on its host', async () => {
    const { initializer, initialized } = make([rests('a', 60_000), broken('b')])
    expect(await initializer.ensure('a')).toMatchObject({ fit: 'later' })
    await expect(initializer.ensure('b')).rejects.toThrow(InitializerError)
    initializer.note(rests('a', 0))
    expect(await initializer.ensure('a')).toMatchObject({ fit: 'now' })
    expect(initialized).toEqual(['a'])
  })

  test('waits for a shared value among the arguments, which its client has not sent yet', async () => {
    const { initializer } = make()
    ran.length = 0
    expect(await initializer.ensure('early')).toEqual({ fit: 'later', milliseconds: expect.any(Number), missing: true })
    expect(await initializer.ensure('sharing')).toMatchObject({ fit: 'now' })
    expect(ran).toEqual(['shared'])
    expect(await initializer.ensure('early')).toMatchObject({ fit: 'never' })
  })

  test('in which it has run serves its client, whatever became of it elsewhere', async () => {
    const { initializer } = make()
    await initializer.ensure('a')
    initializer.note(rests('a', 60_000))
    expect(await initializer.ensure('a')).toMatchObject({ fit: 'now' })
    initializer.note(broken('a'))
    expect(await initializer.ensure('a')).toMatchObject({ fit: 'now' })
  })
})

test('after hundreds of clients, with arguments of a mebibyte, it holds what it held after a hundred', async () => {
  const large = 'x'.repeat(1024 * 1024)
  const texts = [spec('note', 'own'), spec('note', large)] as const
  const initializer = new Initializer(
    linkTo((id) => texts[id === 'own' ? 0 : 1]),
    keys,
    values,
    [],
    () => undefined,
  )
  await initializer.ensure('own')
  const meet = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const clientId = `client-${Math.random()}`
      expect(await initializer.ensure(clientId)).toMatchObject({ fit: 'never' })
      initializer.note(rests(clientId, 1))
    }
    return initializer.size
  }
  const few = await meet(150)
  expect(await meet(300)).toBe(few)
  expect(few).toBeLessThanOrEqual(200)
  expect(await initializer.ensure('own')).toMatchObject({ fit: 'now' })
})
