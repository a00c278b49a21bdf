"""What a failing item does to its chunk, to the other chunks, and to the result."""
from .harness import alone, outcome, shared
from .tasks import checked, fail_or_wait, large_failure, logged, sqr


def run(ctx, count, failing, chunk_size):
    log = ctx.log()
    answer = outcome(lambda: ctx.pool.map(logged, [(log.path, n, n in failing) for n in range(count)], chunk_size))
    return {'failed': 'error' in answer, 'ran': log.numbers()}


@shared('map-errors/ends-its-chunk')
def _(ctx):
    return run(ctx, 12, {1, 9}, 4)


@shared('map-errors/others-run')
def _(ctx):
    return run(ctx, 12, {0, 5}, 1)


@shared('map-errors/all-fail')
def _(ctx):
    return run(ctx, 8, set(range(8)), 1)


@shared('map-errors/last-item')
def _(ctx):
    return run(ctx, 12, {11}, 4)


@shared('map-errors/one-error')
def _(ctx):
    return outcome(lambda: ctx.pool.map(checked, [(n, n == 3) for n in range(6)], 2))


@shared('map-errors/first-of-chunk')
def _(ctx):
    return outcome(lambda: ctx.pool.map(checked, [(n, n > 1) for n in range(6)], 6))


@alone('map-errors/first-in-time')
def _(ctx):
    pool, go = ctx.make_pool(2), ctx.latch()
    roles = [('wait', go.path, 0), ('fail', go.path, 1), ('open', go.path, 2)]
    return outcome(lambda: pool.map(fail_or_wait, roles, 1))


@shared('map-errors/pending-until-all')
def _(ctx):
    go = ctx.latch()
    result = ctx.pool.map_async(fail_or_wait, [('fail', '', 0), ('wait', go.path, 1)], 1)
    early = outcome(lambda: result.get(0.3))
    go.open()
    return {'early': early, 'late': outcome(result.get)}


@shared('map-errors/later-errors-dropped')
def _(ctx):
    result = ctx.pool.map_async(checked, [(n, True) for n in range(10)], 10)
    return {'first': outcome(result.get), 'second': outcome(result.get)}


@shared('map-errors/pool-goes-on')
def _(ctx):
    failures = [outcome(lambda n=n: ctx.pool.map(checked, [(n, True)])) for n in range(20)]
    count = sum('error' in failure for failure in failures)
    return {'failures': count, 'then': outcome(lambda: ctx.pool.map(sqr, range(8)))}


@shared('map-errors/beside-a-good-map')
def _(ctx):
    bad = ctx.pool.map_async(checked, [(n, n % 2 == 1) for n in range(20)], 1)
    good = ctx.pool.map_async(sqr, range(20), 1)
    bad.wait()
    return {'bad': bad.successful(), 'good': outcome(good.get)}


@alone('map-errors/no-fail-fast')
def _(ctx):
    def body():
        with ctx.make_pool(2) as pool:
            try:
                pool.map(large_failure, [1024 ** 2, 1024 ** 2])
            finally:
                pool.close()
                pool.join()

    answer = outcome(body)
    return {'length': len(answer['error']['message']), 'type': answer['error']['type']}


@shared('map-errors/starmap')
def _(ctx):
    return outcome(lambda: ctx.pool.starmap(checked, [((0, False),), ((1, True),)], 1))


@shared('map-errors/starmap-async')
def _(ctx):
    result = ctx.pool.starmap_async(checked, [((0, True),), ((1, False),)], 2)
    result.wait()
    return {'get': outcome(result.get), 'successful': outcome(result.successful)}
