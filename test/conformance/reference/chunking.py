"""Chunk sizes: the default, explicit ones, invalid ones."""
from .harness import alone, may_hang, outcome, shared
from .tasks import logged, mul, sqr, worker_of


def chunk_starts(ctx, pool, items, chunk_size=None):
    """The first item of each chunk: when every item fails, it is the only one of its chunk that runs."""
    log = ctx.log()
    failed = outcome(lambda: pool.map(logged, [(log.path, n, True) for n in range(items)], chunk_size))
    return {'failed': 'error' in failed, 'starts': log.numbers()}


for items, processes in ((1, 4), (10, 4), (16, 4), (17, 4), (100, 4)):
    shared(f'chunking/default-{items}-of-{processes}')(
        lambda ctx, items=items: chunk_starts(ctx, ctx.pool, items)
    )
for items, processes in ((100, 3), (1000, 2)):
    alone(f'chunking/default-{items}-of-{processes}')(
        lambda ctx, items=items, processes=processes: chunk_starts(ctx, ctx.make_pool(processes), items)
    )


@shared('chunking/explicit')
def _(ctx):
    return chunk_starts(ctx, ctx.pool, 12, 5)


@shared('chunking/larger-than-input')
def _(ctx):
    return chunk_starts(ctx, ctx.pool, 6, 1000)


@shared('chunking/one')
def _(ctx):
    return chunk_starts(ctx, ctx.pool, 6, 1)


@shared('chunking/one-worker-each')
def _(ctx):
    workers = ctx.pool.map(worker_of, range(40), 5)
    return {'value': [len(set(workers[n:n + 5])) for n in range(0, 40, 5)]}


@shared('chunking/empty-does-not-stall')
def _(ctx):
    return outcome(lambda: ctx.pool.map_async(sqr, [], 1).get(10))


@shared('chunking/empty-and-invalid')
def _(ctx):
    return outcome(lambda: ctx.pool.map(sqr, [], 'a'))


@shared('chunking/map-zero')
def _(ctx):
    return {'map': outcome(lambda: ctx.pool.map(sqr, [1, 2, 3], 0)), 'then': outcome(lambda: ctx.pool.map(sqr, [4]))}


@shared('chunking/map-negative')
def _(ctx):
    return outcome(lambda: ctx.pool.map(sqr, [1, 2, 3], -1))


@shared('chunking/starmap-zero')
def _(ctx):
    return outcome(lambda: ctx.pool.starmap(mul, [(1, 2), (3, 4)], 0))


@shared('chunking/zero-in-options')
def _(ctx):
    return {
        'imap': outcome(lambda: next(ctx.pool.imap(sqr, [1, 2, 3], chunksize=0))),
        'map': outcome(lambda: ctx.pool.map(sqr, [1, 2, 3], chunksize=0)),
        'mapAsync': outcome(lambda: ctx.pool.map_async(sqr, [1, 2, 3], chunksize=0).get()),
        'starmapAsync': outcome(lambda: ctx.pool.starmap_async(mul, [(1, 2)], chunksize=0).get()),
        'then': outcome(lambda: ctx.pool.map(sqr, [4], chunksize=1)),
    }


@alone('chunking/map-fraction')
def _(ctx):
    return may_hang(lambda: ctx.pool.map(sqr, [1, 2, 3], 1.5))


@alone('chunking/map-text')
def _(ctx):
    return outcome(lambda: ctx.pool.map(sqr, [1, 2, 3], '2'))


@alone('chunking/map-text-then-join')
def _(ctx):
    pool = ctx.make_pool(2)
    refused = outcome(lambda: pool.map(sqr, [1, 2, 3], '2'))
    pool.close()
    return {'join': may_hang(pool.join), 'refused': refused}


for name, method in (('imap', 'imap'), ('imap-unordered', 'imap_unordered')):
    for kind, size in (('zero', 0), ('negative', -3), ('text', '2'), ('fraction', 1.5)):
        shared(f'chunking/{name}-{kind}')(
            lambda ctx, method=method, size=size: {
                'first': outcome(lambda: next(getattr(ctx.pool, method)(sqr, [1, 2, 3], size))),
                'then': outcome(lambda: sorted(getattr(ctx.pool, method)(sqr, [1, 2], 2))),
            }
        )
