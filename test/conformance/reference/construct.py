"""Pool(...): validation and its order, size, text."""
import os

from .harness import alone, outcome, shared, size_of, text_of
from .tasks import identity, sqr


def blame(call):
    """Which option the error is about."""
    try:
        call()
    except Exception as error:
        text = str(error).lower().replace('number of processes', 'processes')
        return [name for name in ('processes', 'maxtasksperchild', 'initializer') if name in text][:1]


@alone('construct/size')
def _(ctx):
    return {'value': size_of(ctx.make_pool(3))}


@alone('construct/default-size')
def _(ctx):
    return {'processors': size_of(ctx.make_pool()) == os.cpu_count()}


@alone('construct/text')
def _(ctx):
    return {'value': text_of(ctx.make_pool(3))}


@alone('construct/text-states')
def _(ctx):
    pool, other = ctx.make_pool(2), ctx.make_pool(1)
    pool.close()
    closed = text_of(pool)
    pool.join()
    other.terminate()
    return {'closed': closed, 'joined': text_of(pool), 'terminated': text_of(other)}


INVALID = {
    'processes-zero': (0,),
    'processes-negative': (-1,),
    'processes-text': ('3',),
    'processes-fraction': (1.5,),
    'max-tasks-zero': (3, None, (), 0),
    'max-tasks-negative': (3, None, (), -1),
    'max-tasks-fraction': (3, None, (), 0.5),
    'max-tasks-text': (3, None, (), '12'),
    'initializer-not-callable': (3, 1),
}
for name, arguments in INVALID.items():
    alone(f'construct/{name}')(lambda ctx, arguments=arguments: outcome(lambda: size_of(ctx.make_pool(*arguments))))


@alone('construct/order-processes-first')
def _(ctx):
    return {'blames': blame(lambda: ctx.make_pool(0, 1, (), 0))}


@alone('construct/order-max-tasks-second')
def _(ctx):
    return {'blames': blame(lambda: ctx.make_pool(3, 1, (), 0))}


@alone('construct/order-initializer-last')
def _(ctx):
    return {'blames': blame(lambda: ctx.make_pool(3, 1, (), 5))}


@alone('construct/two-pools')
def _(ctx):
    first, second = ctx.make_pool(1), ctx.make_pool(1)
    first.terminate()
    return {'first': text_of(first), 'second': outcome(lambda: second.apply(sqr, (4,)))}


@shared('construct/pool-as-argument')
def _(ctx):
    sent = outcome(lambda: ctx.pool.apply(identity, (ctx.pool,)))
    return {'sent': sent, 'then': outcome(lambda: ctx.pool.apply(sqr, (2,)))}
