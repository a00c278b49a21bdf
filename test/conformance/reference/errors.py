"""How a task's error arrives, and what cannot be sent."""
import contextlib
import io

from .harness import RETURNS, alone, error_of, eventually, may_hang, outcome, shared
from .tasks import NeedsTwo, TaskFailure, exit_worker, fail, function_or, hard_exit, identity, sqr, worker


class Unsendable:
    """An argument whose serialization fails."""

    def __reduce__(self):
        raise RuntimeError('cannot be sent')


class NotAnException(BaseException):
    """What a task can raise that is not an Exception; JavaScript's `throw` of anything but an Error."""


def raise_value_error():
    raise ValueError('task value')


def raise_type_error():
    raise TypeError('task type')


def raise_with_code():
    error = TaskFailure('coded')
    error.code = 'E_CODE'
    error.details = {'row': 3}
    raise error


def raise_traced():
    raise RuntimeError('task 123')  # some comment


def raise_from_inner():
    try:
        raise ValueError('task inner')
    except ValueError as inner:
        raise RuntimeError('task outer') from inner


def raise_group():
    raise ExceptionGroup('task many', [ValueError('task one'), TypeError('task two')])


def return_error():
    return TaskFailure('a value')


def return_function():
    return lambda: 42


def raise_unsendable():
    error = TaskFailure('holds a function')
    error.function = lambda: 42
    raise error


def raise_undecodable():
    raise NeedsTwo('one', 'two')


def raise_base():
    raise NotAnException('anything')


def vanished():
    """Deleted before the call: no worker knows it."""


def caught(call):
    try:
        call()
    except Exception as error:
        return error


for name, task in (('value', raise_value_error), ('type', raise_type_error)):
    shared(f'errors/built-in-{name}')(lambda ctx, task=task: outcome(lambda: ctx.pool.apply(task)))


@shared('errors/own-class')
def _(ctx):
    error = caught(lambda: ctx.pool.apply(fail, ('mine',)))
    return {'instance': isinstance(error, TaskFailure), 'message': str(error)}


@shared('errors/own-properties')
def _(ctx):
    error = caught(lambda: ctx.pool.apply(raise_with_code))
    return {'code': error.code, 'details': error.details}


@shared('errors/remote-traceback')
def _(ctx):
    error = caught(lambda: ctx.pool.apply(raise_traced))
    return {'cause': type(error.__cause__).__name__, 'showsTheTask': 'raise_traced' in str(error.__cause__)}


@shared('errors/inner-cause')
def _(ctx):
    error = caught(lambda: ctx.pool.apply(raise_from_inner))
    return {'inner': 'task inner' in str(error.__cause__), 'message': str(error)}


@shared('errors/group')
def _(ctx):
    error = caught(lambda: ctx.pool.apply(raise_group))
    return {'members': [outcome(lambda member=member: (_ for _ in ()).throw(member)) for member in error.exceptions]}


@shared('errors/as-value')
def _(ctx):
    value = ctx.pool.apply(return_error)
    return {'instance': isinstance(value, TaskFailure), 'message': str(value)}


@shared('errors/many-then-work')
def _(ctx):
    failed = sum(caught(lambda: ctx.pool.apply(fail, ('one of many',))) is not None for _ in range(30))
    return {'failed': failed, 'then': outcome(lambda: ctx.pool.map(sqr, range(8)))}


@alone('errors/nobody-looks')
def _(ctx):
    noise = io.StringIO()
    with contextlib.redirect_stderr(noise):
        results = [ctx.pool.apply_async(fail, ('unseen',)) for _ in range(5)]
        ctx.pool.close()
        ctx.pool.join()
    return {'noise': len(noise.getvalue()), 'ready': [result.ready() for result in results]}


@shared('errors/argument-apply')
def _(ctx):
    return {
        'apply': outcome(lambda: ctx.pool.apply(identity, (Unsendable(),))),
        'then': outcome(lambda: ctx.pool.apply(sqr, (2,))),
    }


@shared('errors/argument-map')
def _(ctx):
    refused = outcome(lambda: ctx.pool.map(sqr, [Unsendable()] * 10))
    return {'map': refused, 'then': outcome(lambda: ctx.pool.map(sqr, [2]))}


@shared('errors/argument-imap')
def _(ctx):
    iterator = ctx.pool.imap(identity, [1, Unsendable(), 3])
    return {'value': [outcome(lambda: next(iterator)) for _ in range(4)]}


@shared('errors/argument-neighbours')
def _(ctx):
    iterator = ctx.pool.imap(identity, [1, Unsendable(), 3], 3)
    return {'value': [outcome(lambda: next(iterator)) for _ in range(4)]}


@shared('errors/argument-beside-others')
def _(ctx):
    bad = ctx.pool.apply_async(identity, (Unsendable(),))
    good = ctx.pool.map_async(sqr, range(6))
    return {'bad': outcome(bad.get), 'good': outcome(good.get)}


@shared('errors/result')
def _(ctx):
    error = caught(lambda: ctx.pool.apply(return_function))
    return {'error': error_of(error), 'says': bool(error.exc) and bool(error.value)}


@alone('errors/result-twenty-times')
def _(ctx):
    pool = ctx.make_pool(2)
    before = set(pool.map(worker_again, range(16), 1))
    failed = sum(caught(lambda: pool.apply(return_function)) is not None for _ in range(20))
    after = set(pool.map(worker_again, range(16), 1))
    return {'failed': failed, 'lost': len(before | after) > 2}


def worker_again(_):
    return worker()


@shared('errors/result-error-callback')
def _(ctx):
    seen = []
    ctx.pool.apply_async(return_function, error_callback=lambda error: seen.append({'error': error_of(error)})).wait()
    return {'events': seen}


@shared('errors/result-in-map')
def _(ctx):
    return outcome(lambda: ctx.pool.starmap(return_function, [(), ()], 1))


@shared('errors/result-neighbours')
def _(ctx):
    iterator = ctx.pool.imap(function_or, [(n, n == 1) for n in range(3)], 3)
    return {'value': [outcome(lambda: next(iterator)) for _ in range(4)]}


@shared('errors/unsendable-error')
def _(ctx):
    return outcome(lambda: ctx.pool.apply(raise_unsendable))


@alone('errors/undecodable-error')
def _(ctx):
    return {'apply': may_hang(lambda: ctx.pool.apply(raise_undecodable))}


@alone('errors/undecodable-error-then-others')
def _(ctx):
    ctx.pool.apply_async(raise_undecodable)
    eventually(lambda: not ctx.pool._result_handler.is_alive())
    return {'then': may_hang(lambda: ctx.pool.map(sqr, range(4)))}


@alone('errors/exits')
def _(ctx):
    return {'apply': may_hang(lambda: ctx.pool.apply(exit_worker, (3,)))}


@alone('errors/exits-with-zero')
def _(ctx):
    return {'apply': may_hang(lambda: ctx.pool.apply(hard_exit, (0,)))}


for name in ('undefined', 'text', 'object', 'rejects'):
    alone(f'errors/throws-{name}')(lambda ctx: {'apply': may_hang(lambda: ctx.pool.apply(raise_base))})


@alone('errors/unknown-task')
def _(ctx):
    pool = ctx.pool
    # Unpickling in the worker looks the name up there: the parent gets it after the workers were forked.
    newcomer = type(vanished)(vanished.__code__, globals(), 'newcomer')
    newcomer.__qualname__ = 'newcomer'
    globals()['newcomer'] = newcomer
    return {'apply': may_hang(lambda: pool.apply(newcomer))}


@alone('errors/unknown-task-then-others')
def _(ctx):
    pool = ctx.make_pool(2)
    newcomer = type(vanished)(vanished.__code__, globals(), 'newcomer')
    newcomer.__qualname__ = 'newcomer'
    globals()['newcomer'] = newcomer
    pool.apply_async(newcomer)
    then = may_hang(lambda: pool.map(sqr, range(4)), RETURNS)
    pool.close()
    return {'join': may_hang(pool.join), 'then': then}
