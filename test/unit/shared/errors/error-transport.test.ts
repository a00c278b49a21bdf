import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { registerErrors } from '../../../../packages/shared/src/errors/error-class.js'
import { decodeError, encodeError } from '../../../../packages/shared/src/errors/error-transport.js'
import {
  EncodingError,
  InitializerError,
  PoolError,
  ProtocolError,
  TimeoutError,
  WorkerLostError,
} from '../../../../packages/shared/src/errors/errors.js'
import { RemoteTraceback } from '../../../../packages/shared/src/errors/remote-traceback.js'

function travel(thrown: unknown): Error & { readonly code?: unknown } {
  return decodeError(JSON.parse(JSON.stringify(encodeError(thrown)))) as Error & { readonly code?: unknown }
}

describe('classes', () => {
  it.each([Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError])(
    '%o comes back',
    (Class) => {
      const error = Object.assign(new Class('message'), { code: 'E_CODE', when: new Date(0), n: 1n })
      const back = travel(error)
      expect(Object.getPrototypeOf(back)).toBe(Class.prototype)
      expect([back.name, back.message]).toEqual([Class.name, 'message'])
      expect(Object.entries(back)).toEqual(Object.entries(error))
    },
  )

  it('DOMException comes back', async () => {
    const aborted = await AbortSignal.abort().reason
    const back = travel(aborted)
    expect(back).toBeInstanceOf(DOMException)
    expect([back.name, back.message, back.code]).toEqual(['AbortError', aborted.message, 20])
    expect(RemoteTraceback.of(back)).toBeDefined()
  })

  it("PoolMQ's own errors come back", () => {
    const back = travel(new WorkerLostError('lost', { starts: 3, exitCode: 1, host: 'h' }))
    expect(back).toBeInstanceOf(WorkerLostError)
    expect({ ...back }).toEqual({ code: 'ERR_POOL_WORKER_LOST', starts: 3, exitCode: 1, host: 'h' })
    expect(travel(new EncodingError('e', { place: 'result' }))).toBeInstanceOf(EncodingError)
  })

  it('a class of the same name as one of ours is not ours', () => {
    const Foreign = { TimeoutError: class TimeoutError extends Error {} }.TimeoutError
    const back = travel(new Foreign('t'))
    expect(back).not.toBeInstanceOf(TimeoutError)
    expect(back).not.toBeInstanceOf(PoolError)
  })

  it('an unregistered class is the nearest known one, with its name', () => {
    class QuotaError extends RangeError {
      override name = 'QuotaError'
      limit = 5
    }
    const back = travel(new QuotaError('too much'))
    expect(Object.getPrototypeOf(back)).toBe(RangeError.prototype)
    expect({ ...back }).toEqual({ name: 'QuotaError', limit: 5 })
  })

  it('a registered class comes back without its constructor', () => {
    class PaymentError extends Error {
      readonly order: { id: string }
      constructor(order: { id: string }) {
        super(`order ${order.id} was refused`) // throws without its argument, as Python's gh-79492
        this.order = order
      }
      get summary(): string {
        return `${this.order.id}: ${this.message}`
      }
    }
    class CardError extends PaymentError {}
    registerErrors(PaymentError)
    const back = travel(new CardError({ id: 'o1' }))
    assert(back instanceof PaymentError)
    expect(back.summary).toBe('o1: order o1 was refused')
    registerErrors(CardError)
    expect(travel(new CardError({ id: 'o1' }))).toBeInstanceOf(CardError)
    expect(inspect(back)).toContain('order o1 was refused')
  })

  it('refuses to register what is no error class', () => {
    expect(() => registerErrors(Map as never)).toThrow(TypeError)
    expect(() => registerErrors(undefined as never)).toThrow(TypeError)
    expect(() => registerErrors(class extends Error {})).toThrow(/have a name/)
    registerErrors(TypeError, PoolError)
    expect(Object.getPrototypeOf(travel(new TypeError('t')))).toBe(TypeError.prototype)
  })

  it('AggregateError comes back with its members', () => {
    const back = travel(new AggregateError([new TypeError('a'), 1], 'all'))
    assert(back instanceof AggregateError)
    expect(back.errors).toEqual([new TypeError('a'), 1])
    expect(Object.keys(back)).toEqual([])
  })
})

describe('the remote stack', () => {
  it('is in the cause, in the manner of Python', () => {
    const error = new TypeError('boom')
    const back = travel(error)
    assert(back.cause instanceof RemoteTraceback)
    expect(back.cause.text).toBe(error.stack)
    expect(back.cause.text).toContain('error-transport.test.ts:')
    expect(String(back.cause)).toBe(`\n"""\n${error.stack}\n"""`)
    expect(back.cause.name).toBe('RemoteTraceback')
    expect(back.stack).toBe(error.stack)
    expect(inspect(back)).toContain('"""')
  })

  it('ends the chain of causes, which is kept', () => {
    const root = Object.assign(new Error('root'), { code: 'ENOENT' })
    const back = travel(new InitializerError('init', { cause: new TypeError('middle', { cause: root }) }))
    expect(back).toBeInstanceOf(InitializerError)
    expect(back.cause).toBeInstanceOf(TypeError)
    const last = (back.cause as Error).cause as Error & { code: string }
    expect(last.code).toBe('ENOENT')
    assert(last.cause instanceof RemoteTraceback)
    expect(last.cause.text).toMatch(/InitializerError: init.*Caused by: TypeError: middle.*Caused by: Error: root/s)
    expect(RemoteTraceback.of(back)).toBe(last.cause)
  })

  it('stands before a cause that is no Error', () => {
    const back = travel(new Error('e', { cause: { status: 500 } }))
    assert(back.cause instanceof RemoteTraceback)
    expect(back.cause.cause).toEqual({ status: 500 })
  })

  it('survives a second journey', () => {
    const first = travel(new Error('twice'))
    const back = travel(first)
    assert(back.cause instanceof RemoteTraceback)
    expect(back.cause.text).toBe((first.cause as RemoteTraceback).text)
    expect(back.cause.cause).toBeInstanceOf(RemoteTraceback)
  })

  it('is cut when it is huge', () => {
    const error = new Error('e')
    error.stack = 'x'.repeat(1e7)
    expect(JSON.stringify(encodeError(error)).length).toBeLessThan(50_000)
  })
})

describe('what is too large for an error', () => {
  const large = 'x'.repeat(30_000_000)
  const nested = new Error('outer', { cause: new AggregateError([new TypeError(large), new Error('small')], 'inner') })
  let chain: Error = new Error(large)
  for (let i = 0; i < 40; i += 1) chain = new RangeError(`${i} ${'x'.repeat(100_000)}`, { cause: chain })
  const members = Array.from({ length: 3000 }, (_, i) => new TypeError(`${i} ${'x'.repeat(5000)}`))

  it.each<[string, unknown]>([
    ['a message', new TypeError(large)],
    ['a name', Object.assign(new Error('m'), { name: large })],
    ['a property', Object.assign(new Error('m'), { status: 500, body: large })],
    ['a property deep down', Object.assign(new Error('m'), { response: { data: [{ body: large }] } })],
    ['bytes', Object.assign(new Error('m'), { body: Buffer.alloc(30_000_000) })],
    ['a list of numbers', Object.assign(new Error('m'), { body: new Array(3_000_000).fill(0.5) })],
    ['many properties', Object.assign(new Error('m'), Object.fromEntries(members.map((one, i) => [`k${i}`, one])))],
    ['a cause', new Error('m', { cause: large })],
    ['the cause of a cause', nested],
    ['a chain of causes', chain],
    ['members', new AggregateError(members, 'all')],
    ['what was thrown', large],
    ['what was thrown, and is no text', { list: members }],
    ['all of them', Object.assign(new AggregateError(members, large, { cause: nested }), { body: large, members })],
  ])('%s is cut, and it is said', (_what, thrown) => {
    for (const [room, most] of [
      [undefined, 5_000_000],
      [0, 20_000],
    ] as const) {
      const wire = JSON.stringify(encodeError(thrown, room))
      expect(wire.length).toBeLessThan(most)
      const back = decodeError(JSON.parse(wire))
      expect(back).toBeInstanceOf(Error)
      expect(`${back.message} ${RemoteTraceback.of(back)?.text}`).toMatch(/too large for an error|cut|not carried/)
    }
  })

  it('leaves the rest as it was', () => {
    const back = travel(Object.assign(new TypeError('m', { cause: nested }), { status: 500, body: large }))
    expect(back).toBeInstanceOf(TypeError)
    expect({ ...back }).toEqual({ status: 500 })
    const inner = (back.cause as Error).cause as AggregateError
    expect([(back.cause as Error).message, inner.message]).toEqual(['outer', 'inner'])
    expect(inner.errors[0]).toBeInstanceOf(TypeError)
    expect(inner.errors[1]).toEqual(new Error('small'))
    expect(travel(new TypeError(large)).stack).toContain('error-transport.test.ts:')
  })

  it('is nothing that is merely long', () => {
    const long = { message: 'm'.repeat(60_000), body: 'b'.repeat(100_000) }
    const back = travel(Object.assign(new Error(long.message, { cause: new Error(long.body) }), { body: long.body }))
    expect([back.message, (back.cause as Error).message]).toEqual([long.message, long.body])
    expect({ ...back }).toEqual({ body: long.body })
  })
})

describe('what is no Error', () => {
  it.each([[undefined], [null], ['text'], [0], [false], [{ a: 1 }], [[1n]], [new Map([[1, 2]])]])(
    '%o is one',
    (thrown) => {
      const back = travel(thrown)
      assert(back instanceof PoolError)
      expect(back.code).toBe('ERR_POOL_NON_ERROR')
      expect(back.message).toContain(inspect(thrown))
      expect(Object.hasOwn(back, 'value')).toBe(true)
      assert.deepStrictEqual(Reflect.get(back, 'value'), thrown)
    },
  )

  it('needs no value that can be carried', () => {
    const back = travel(() => 1)
    expect(back.code).toBe('ERR_POOL_NON_ERROR')
    expect(Object.hasOwn(back, 'value')).toBe(false)
    expect(RemoteTraceback.of(back)?.text).toContain('not carried: value is a function')
  })
})

describe('whatever is thrown', () => {
  const refuse = (): never => {
    throw new Error('refused')
  }
  const handler = Object.fromEntries(
    ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'].map((trap) => [trap, refuse]),
  )
  const trapped = (target: object): object => new Proxy(target, handler)
  const cyclic = new Error('cyclic')
  cyclic.cause = new Error('other', { cause: cyclic })
  const self = new Error('self')
  self.cause = self
  let deep = new Error('0')
  for (let i = 1; i < 50_000; i += 1) deep = new Error(`${i}`, { cause: deep })
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()

  it.each([
    ['a Proxy of an Error', trapped(new Error('x'))],
    ['a revoked Proxy', revoked.proxy],
    [
      'getters that throw',
      Object.defineProperties(new Error('x'), {
        stack: { get: refuse },
        message: { get: refuse },
        name: { get: refuse },
        cause: { get: refuse },
        bad: { get: refuse, enumerable: true },
      }),
    ],
    ['parts of a wrong type', Object.assign(new Error('x'), { message: 1, name: {}, stack: [], errors: 5 })],
    ['a cycle of causes', cyclic],
    ['an error that is its own cause', self],
    ['fifty thousand causes', deep],
    [
      'properties that are not carried',
      Object.assign(new Error('x'), { fn() {}, p: trapped({}), s: Symbol('s'), ok: 1 }),
    ],
    ['an error without prototype', Object.setPrototypeOf(new Error('x'), null)],
    ['a bare object of an error class', Object.create(TypeError.prototype)],
    ['a class that lies', Object.create(Object.defineProperty({}, 'constructor', { get: refuse }))],
    [
      'own keys that are special',
      Object.assign(new Error('x'), JSON.parse('{"__proto__":1,"constructor":2,"toString":3}')),
    ],
  ])('%s is an error', (_name, thrown) => {
    const back = travel(thrown)
    expect(back).toBeInstanceOf(Error)
    expect(typeof back.message).toBe('string')
    expect(RemoteTraceback.of(back)).toBeDefined()
  })

  it('notes what it drops', () => {
    const back = travel(Object.assign(new Error('x'), { request: { send() {} }, status: 500 }))
    expect({ ...back }).toEqual({ status: 500 })
    expect(RemoteTraceback.of(back)?.text).toMatch(/\(not carried: request\.send is a function/)
  })

  it('keeps the cycle of causes finite', () => {
    const back = travel(cyclic)
    expect(back.message).toBe('cyclic')
    expect((back.cause as Error).message).toBe('other')
  })
})

describe('hostile records', () => {
  const good = { classes: ['TypeError'], name: 'TypeError', message: 'm' }
  it.each([
    [undefined],
    [null],
    [0],
    ['text'],
    [[]],
    [{}],
    [{ ...good, classes: 'TypeError' }],
    [{ ...good, classes: [{}] }],
    [{ ...good, name: 1 }],
    [{ ...good, message: undefined }],
    [trap()],
  ])('%# give a ProtocolError', (wire) => {
    expect(decodeError(wire)).toBeInstanceOf(ProtocolError)
  })

  it('keep the error when only the rest is damaged', () => {
    for (const rest of [1, null, {}, { encoding: 'rich', text: '[' }, { encoding: 'json', text: '7' }]) {
      const back = decodeError({ ...good, rest })
      expect(back).toBeInstanceOf(TypeError)
      expect(RemoteTraceback.of(back)?.text).toMatch(/not carried: its properties and causes/)
    }
  })

  it('find no class in a prototype', () => {
    for (const id of ['constructor', '__proto__', 'toString', 'user:Object', 'poolmq:']) {
      expect(Object.getPrototypeOf(decodeError({ ...good, classes: [id] }))).toBe(Error.prototype)
    }
  })

  function trap(): object {
    return new Proxy(
      {},
      {
        get() {
          throw new Error('no')
        },
      },
    )
  }
})
