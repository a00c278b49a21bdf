"""Callbacks that raise, and what is no callback: the result thread dies of it and every result of the pool hangs."""
from .harness import alone, eventually, may_hang
from .tasks import fail, sqr


def throw(_):
    raise ValueError('task of the callback')


@alone('callbacks/throws')
def _(ctx):
    return {'get': may_hang(ctx.pool.apply_async(sqr, (3,), callback=throw).get)}


@alone('callbacks/throws-then-others')
def _(ctx):
    ctx.pool.apply_async(sqr, (3,), callback=throw)
    eventually(lambda: not ctx.pool._result_handler.is_alive())
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
