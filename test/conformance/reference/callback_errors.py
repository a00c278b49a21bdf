"""Callbacks that raise, and what is no callback: the result thread dies of it and every result of the pool hangs."""
from .harness import alone, eventually, may_hang
from .tasks import fail, sqr


class NoException(BaseException):
    """What a callback can raise that is not an Exception."""


def throw_no_exception(_):
    raise NoException


def throw(_):
    raise ValueError('task of the callback')


def result_thread_ends(pool):
    eventually(lambda: not pool._result_handler.is_alive())


@alone('callbacks/throws')
def _(ctx):
    return {'get': may_hang(ctx.pool.apply_async(sqr, (3,), callback=throw).get)}


@alone('callbacks/throws-no-error')
def _(ctx):
    successful = may_hang(ctx.pool.apply_async(sqr, (3,), callback=throw_no_exception).get)
    result_thread_ends(ctx.pool)
    return {'successful': successful, 'then': may_hang(lambda: ctx.pool.map(sqr, [1, 2]))}


@alone('callbacks/rejects')
def _(ctx):
    get = may_hang(ctx.pool.apply_async(sqr, (3,), callback=throw).get)
    result_thread_ends(ctx.pool)
    failed = may_hang(ctx.pool.apply_async(fail, ('first',), error_callback=throw).get)
    return {'failed': failed, 'get': get, 'then': may_hang(lambda: ctx.pool.map(sqr, [1, 2]))}


@alone('callbacks/throws-then-others')
def _(ctx):
    ctx.pool.apply_async(sqr, (3,), callback=throw)
    result_thread_ends(ctx.pool)
    return {'then': may_hang(lambda: ctx.pool.map(sqr, [1, 2]))}


@alone('callbacks/map-throws')
def _(ctx):
    return {'get': may_hang(ctx.pool.map_async(sqr, [3], callback=throw).get)}


@alone('callbacks/error-callback-throws')
def _(ctx):
    return {'get': may_hang(ctx.pool.apply_async(fail, ('first',), error_callback=throw).get)}


@alone('callbacks/not-callable')
def _(ctx):
    return may_hang(lambda: ctx.pool.apply_async(sqr, (3,), callback=5).get())
