"""map, starmap and their async forms: inputs and outputs."""
from .harness import alone, may_hang, outcome, shared
from .tasks import (
    SourceFailure, as_text, await_latch, fail, identity, logged, mul, nothing, open_latch, sqr, total, whole_number,
)


def failing_source(total_items, when):
    """CPython's exception_throwing_generator: raises in place of item `when`; -1 is before the first."""
    if when == -1:
        raise SourceFailure('source')
    for n in range(total_items):
        if n == when:
            raise SourceFailure('source')
        yield n


class Sized:
    """An iterable whose declared length may be wrong."""

    def __init__(self, length, items):
        self.length = length
        self.items = items

    def __len__(self):
        return self.length

    def __iter__(self):
        return iter(self.items)


@shared('map/ten')
def _(ctx):
    return outcome(lambda: ctx.pool.map(sqr, list(range(10))))


@shared('map/chunk-size')
def _(ctx):
    return outcome(lambda: ctx.pool.map(sqr, list(range(100)), 20))


@shared('map/ten-thousand')
def _(ctx):
    values = ctx.pool.map(sqr, range(10_000))
    return {'last': values[-1], 'length': len(values), 'sum': sum(values)}


@shared('map/order')
def _(ctx):
    go = ctx.latch()
    first = ctx.pool.map_async(await_latch, [(go.path, n) for n in range(4)], 1)
    go.open()
    return outcome(first.get)


@shared('map/first-done-last')
def _(ctx):
    go = ctx.latch()
    result = ctx.pool.map_async(await_latch, [(go.path, 'slow'), (ctx.directory, 'quick')], 1)
    ctx.pool.apply(open_latch, (go.path,))
    return outcome(result.get)


@shared('map/async')
def _(ctx):
    return outcome(ctx.pool.map_async(sqr, list(range(10))).get)


@shared('map/no-results')
def _(ctx):
    return outcome(lambda: ctx.pool.map(nothing, range(3)))


@shared('map/empty')
def _(ctx):
    return outcome(lambda: ctx.pool.map(sqr, []))


@shared('map/empty-iterator')
def _(ctx):
    return outcome(lambda: ctx.pool.map(sqr, iter([])))


@shared('map/one')
def _(ctx):
    return outcome(lambda: ctx.pool.map(sqr, [12]))


@shared('map/generator')
def _(ctx):
    return outcome(lambda: ctx.pool.map(sqr, (n for n in range(6))))


@shared('map/set')
def _(ctx):
    return {'value': sorted(ctx.pool.map(sqr, {1, 2, 3}))}


@shared('map/text')
def _(ctx):
    return outcome(lambda: ctx.pool.map(identity, 'pool'))


@shared('map/not-iterable')
def _(ctx):
    return {'map': outcome(lambda: ctx.pool.map(sqr, 5)), 'then': outcome(lambda: ctx.pool.map(sqr, [5]))}


@shared('map/generator-read-in-call')
def _(ctx):
    taken = []
    result = ctx.pool.map_async(sqr, (taken.append(n) or n for n in range(50)))
    return {'taken': len(taken), 'values': len(result.get())}


@shared('map/source-fails-first')
def _(ctx):
    def submit():
        ctx.pool.map_async(sqr, failing_source(1, -1), 1)

    return {'again': outcome(submit), 'first': outcome(submit), 'then': outcome(lambda: ctx.pool.map(sqr, [2]))}


@shared('map/source-fails-midway')
def _(ctx):
    log = ctx.log()
    source = ((log.path, n, False) for n in failing_source(10, 3))
    return {'map': outcome(lambda: ctx.pool.map_async(logged, source, 1)), 'ran': log.numbers()}


@shared('map/source-with-length-fails')
def _(ctx):
    return {
        'map': outcome(lambda: ctx.pool.map(sqr, Sized(1, failing_source(1, -1)), 1)),
        'then': outcome(lambda: ctx.pool.map(sqr, [3])),
    }


@alone('map/declared-too-long')
def _(ctx):
    return {'map': may_hang(lambda: ctx.pool.map(sqr, Sized(10, [1, 2, 3]), 1))}


@alone('map/declared-too-short')
def _(ctx):
    return {'map': outcome(lambda: ctx.make_pool(1).map(sqr, Sized(2, [0, 1, 2, 3]), 1))}


@shared('starmap/ten')
def _(ctx):
    return outcome(lambda: ctx.pool.starmap(mul, list(zip(range(10), range(9, -1, -1)))))


@shared('starmap/chunk-size')
def _(ctx):
    return outcome(lambda: ctx.pool.starmap(mul, list(zip(range(100), range(99, -1, -1))), 20))


@shared('starmap/async')
def _(ctx):
    return outcome(ctx.pool.starmap_async(mul, list(zip(range(100), range(99, -1, -1)))).get)


@shared('starmap/arities')
def _(ctx):
    return outcome(lambda: ctx.pool.starmap(total, [(), (1,), (1, 2), (1, 2, 3)]))


@shared('starmap/generator')
def _(ctx):
    return outcome(lambda: ctx.pool.starmap(mul, ((n, n + 1) for n in range(5))))


@shared('starmap/empty')
def _(ctx):
    return outcome(lambda: ctx.pool.starmap(mul, []))


@shared('starmap/element-not-iterable')
def _(ctx):
    return {
        'starmap': outcome(lambda: ctx.pool.starmap(mul, [(1, 2), 5])),
        'then': outcome(lambda: ctx.pool.starmap(mul, [(2, 3)])),
    }


@shared('starmap/error')
def _(ctx):
    return outcome(lambda: ctx.pool.starmap(fail, [('starred',)]))


@shared('map/task-reads-text')
def _(ctx):
    bad = outcome(lambda: ctx.pool.map(whole_number, ['a']))
    return {'bad': bad, 'good': outcome(lambda: ctx.pool.map(whole_number, ['1']))}


@shared('map/large-items')
def _(ctx):
    return {'lengths': [len(text) for text in ctx.pool.map(as_text, ['x' * 300_000] * 8)]}
