"""maxtasksperchild: a task is a chunk; a worker ends after so many of them and is replaced."""
from .harness import alone, eventually, outcome, size_of
from .tasks import checked, log_and_fail, sqr, worker, worker_of


def distinct_workers(ctx, chunk_size, limit):
    return {'workers': len(set(ctx.make_pool(1, None, (), limit).map(worker_of, range(8), chunk_size)))}


for chunk_size, limit in ((4, 1), (None, 1), (1, 1), (1, 2), (2, 2), (8, 1)):
    alone(f'max-tasks/chunk-{chunk_size or "default"}-limit-{limit}')(
        lambda ctx, chunk_size=chunk_size, limit=limit: distinct_workers(ctx, chunk_size, limit)
    )


@alone('max-tasks/unlimited')
def _(ctx):
    return distinct_workers(ctx, 1, None)


@alone('max-tasks/applies')
def _(ctx):
    pool = ctx.make_pool(1, maxtasksperchild=2)
    return {'workers': len({pool.apply(worker) for _ in range(6)})}


@alone('max-tasks/failures-count')
def _(ctx):
    pool, log = ctx.make_pool(1, maxtasksperchild=2), ctx.log()
    for _ in range(4):
        outcome(lambda: pool.apply(log_and_fail, (log.path,)))
    return {'workers': len(set(log.lines()))}


@alone('max-tasks/imap')
def _(ctx):
    pool = ctx.make_pool(1, maxtasksperchild=2)
    return {'workers': len(set(pool.imap(worker_of, range(8), 2)))}


@alone('max-tasks/lifetime')
def _(ctx):
    pool = ctx.make_pool(3, maxtasksperchild=10)
    results = [pool.apply_async(sqr, (n,)) for n in range(100)]
    right = all(result.get() == n * n for n, result in enumerate(results))
    return {'right': right, 'refilled': eventually(lambda: size_of(pool) == 3)}


@alone('max-tasks/lifetime-replaces')
def _(ctx):
    pool = ctx.make_pool(3, maxtasksperchild=10)
    return {'replaced': len(set(pool.map(worker_of, range(100), 1))) >= 10}


@alone('max-tasks/early-close')
def _(ctx):
    pool = ctx.make_pool(3, maxtasksperchild=1)
    results = [pool.apply_async(sqr, (n,)) for n in range(6)]
    pool.close()
    pool.join()
    return {'value': [result.get() for result in results]}


@alone('max-tasks/order-kept')
def _(ctx):
    return outcome(lambda: ctx.make_pool(2, maxtasksperchild=1).map(sqr, range(10), 1))


@alone('max-tasks/with-errors')
def _(ctx):
    pool = ctx.make_pool(2, maxtasksperchild=1)
    bad = outcome(lambda: pool.map(checked, [(1, True)]))
    return {'bad': bad, 'good': outcome(lambda: pool.map(checked, [(2, False)]))}
