"""imap and imap_unordered: order, exhaustion, next(timeout), how far the input is read."""
import itertools
import multiprocessing

from .harness import alone, eventually, outcome, shared, steps
from .maps import Sized
from .tasks import await_latch, identity, nothing, sqr


def tapped(taken, items):
    for item in items:
        taken.append(item)
        yield item


@shared('imap/ten')
def _(ctx):
    return {'value': list(ctx.pool.imap(sqr, list(range(10))))}


@shared('imap/one-by-one')
def _(ctx):
    return {'value': steps(ctx.pool.imap(sqr, range(4)), 5)}


@shared('imap/chunk-size')
def _(ctx):
    values = list(ctx.pool.imap(sqr, list(range(1000)), 100))
    return {'ordered': values == sorted(values), 'last': values[-1], 'length': len(values)}


@shared('imap/chunk-size-uneven')
def _(ctx):
    return {'value': list(ctx.pool.imap(sqr, range(10), 4))}


@shared('imap/unordered')
def _(ctx):
    return {'value': sorted(ctx.pool.imap_unordered(sqr, list(range(10))))}


@shared('imap/unordered-chunk-size')
def _(ctx):
    values = sorted(ctx.pool.imap_unordered(sqr, list(range(1000)), 100))
    return {'last': values[-1], 'length': len(values), 'sum': sum(values)}


for name, method in (('ordered', 'imap'), ('unordered', 'imap_unordered')):
    for chunk_size in (1, 3):
        suffix = f'{name}-chunk-{chunk_size}'
        shared(f'imap/empty-{suffix}')(
            lambda ctx, method=method, chunk_size=chunk_size: {
                'value': steps(getattr(ctx.pool, method)(sqr, [], chunk_size), 2)
            }
        )
        shared(f'imap/exhausted-{suffix}')(
            lambda ctx, method=method, chunk_size=chunk_size: {
                'value': steps(getattr(ctx.pool, method)(identity, ['x'], chunk_size), 4)
            }
        )


@shared('imap/is-its-iterator')
def _(ctx):
    iterator = ctx.pool.imap(sqr, [1])
    return {'same': iter(iterator) is iterator, 'value': list(iterator)}


@shared('imap/text')
def _(ctx):
    return {'value': list(ctx.pool.imap(identity, 'abc'))}


@shared('imap/no-results')
def _(ctx):
    return {'value': list(ctx.pool.imap(nothing, range(3)))}


@shared('imap/ordered-waits-for-first')
def _(ctx):
    go = ctx.latch()
    iterator = ctx.pool.imap(await_latch, [(go.path, 'first'), (ctx.directory, 'second'), (ctx.directory, 'third')])
    early = outcome(lambda: iterator.next(0.2))
    go.open()
    return {'early': early, 'late': list(iterator)}


@shared('imap/unordered-by-completion')
def _(ctx):
    go = ctx.latch()
    iterator = ctx.pool.imap_unordered(await_latch, [(go.path, 'held'), (ctx.directory, 'quick')])
    first = next(iterator)
    go.open()
    return {'first': first, 'rest': list(iterator)}


@shared('imap/next-timeout')
def _(ctx):
    go = ctx.latch()
    iterator = ctx.pool.imap(await_latch, [(go.path, n) for n in range(3)])
    early = [outcome(lambda: iterator.next(0.05)) for _ in range(3)]
    go.open()
    return {'early': early, 'late': list(iterator)}


@shared('imap/next-timeout-unordered')
def _(ctx):
    go = ctx.latch()
    iterator = ctx.pool.imap_unordered(await_latch, [(go.path, n) for n in range(3)])
    early = outcome(lambda: iterator.next(0.05))
    go.open()
    return {'early': early, 'late': sorted(iterator)}


@shared('imap/next-timeout-in-time')
def _(ctx):
    iterator = ctx.pool.imap(sqr, [5])
    return {'after': outcome(lambda: iterator.next(10)), 'end': outcome(lambda: iterator.next(10))}


@shared('imap/next-timeout-chunked')
def _(ctx):
    go = ctx.latch()
    iterator = ctx.pool.imap(await_latch, [(go.path, n) for n in range(4)], 2)
    early = outcome(lambda: iterator.next(0.05))
    go.open()
    return {'early': early, 'late': list(iterator)}


@alone('imap/default-bound')
def _(ctx):
    pool, taken = ctx.make_pool(2), []
    iterator = pool.imap(sqr, tapped(taken, range(1000)))
    next(iterator)
    return {'all': eventually(lambda: len(taken) == 1000)}


@alone('imap/unbounded')
def _(ctx):
    pool, taken = ctx.make_pool(2), []
    iterator = pool.imap(sqr, tapped(taken, range(1000)))
    read = eventually(lambda: len(taken) == 1000)
    return {'all': read, 'length': len(list(iterator))}


@shared('imap/declared-length-wrong')
def _(ctx):
    return {
        'long': list(ctx.pool.imap(sqr, Sized(10, range(3)))),
        'short': list(ctx.pool.imap(sqr, Sized(2, range(4)))),
    }


@alone('imap/infinite-input')
def _(ctx):
    iterator = ctx.make_pool(2).imap(sqr, itertools.count())
    return {'value': [next(iterator) for _ in range(5)]}


@shared('imap/abandoned')
def _(ctx):
    iterator = ctx.pool.imap(sqr, range(50))
    first = next(iterator)
    del iterator
    return {'first': first, 'then': outcome(lambda: ctx.pool.map(sqr, range(3)))}


@shared('imap/two-at-once')
def _(ctx):
    first, second = ctx.pool.imap(sqr, range(5)), ctx.pool.imap(sqr, range(5, 10))
    return {'value': [[next(first), next(second)] for _ in range(5)]}


@alone('imap/keeps-its-pool')
def _(ctx):
    go = ctx.latch()
    # Nobody else holds it, so not the Context either. The workers begin when the length is known: if the thread that
    # feeds them is the last to hold the pool, it ends it, and waits for ever for the sentinels that only it could send.
    iterator = multiprocessing.Pool(2, go.wait).imap(sqr, range(5))
    eventually(lambda: iterator._length is not None)
    go.open()
    return {'value': list(iterator)}


@alone('imap/drained-after-join')
def _(ctx):
    pool = ctx.make_pool(2)
    ordered, unordered = pool.imap(sqr, range(20), 3), pool.imap_unordered(sqr, range(20))
    pool.close()
    pool.join()
    return {'ordered': list(ordered), 'unordered': sorted(unordered)}
