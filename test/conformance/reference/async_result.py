"""AsyncResult and MapResult: get, wait, ready, successful."""
from .harness import in_thread, outcome, shared
from .tasks import await_latch, checked, fail, hold, make_list, sqr


def pending(ctx, value='held'):
    """The result of a task that is running, and the latch that lets it end."""
    started, go = ctx.latch('started'), ctx.latch()
    result = ctx.pool.apply_async(hold, (started.path, go.path, value))
    started.wait()
    return result, go


@shared('async-result/get')
def _(ctx):
    return outcome(ctx.pool.apply_async(sqr, (6,)).get)


@shared('async-result/get-twice')
def _(ctx):
    result = ctx.pool.apply_async(make_list, (3,))
    first, second = result.get(), result.get()
    return {'same': first is second, 'value': second}


@shared('async-result/get-error-twice')
def _(ctx):
    result = ctx.pool.apply_async(fail, ('again',))
    caught = []
    for _ in range(2):
        try:
            result.get()
        except Exception as error:
            caught.append(error)
    return {'count': len(caught), 'message': str(caught[1]), 'same': caught[0] is caught[1]}


@shared('async-result/ready')
def _(ctx):
    result, go = pending(ctx)
    before = result.ready()
    go.open()
    result.wait()
    return {'after': result.ready(), 'before': before}


@shared('async-result/successful-pending')
def _(ctx):
    result, go = pending(ctx)
    answer = outcome(result.successful)
    go.open()
    result.wait()
    return {'after': outcome(result.successful), 'before': answer}


@shared('async-result/successful-failed')
def _(ctx):
    result = ctx.pool.apply_async(fail, ('no success',))
    result.wait()
    return {'ready': result.ready(), 'successful': outcome(result.successful)}


@shared('async-result/wait')
def _(ctx):
    return outcome(ctx.pool.apply_async(sqr, (2,)).wait)


@shared('async-result/wait-failed')
def _(ctx):
    return outcome(ctx.pool.apply_async(fail, ('waited',)).wait)


@shared('async-result/wait-timeout')
def _(ctx):
    result, go = pending(ctx)
    waited = outcome(lambda: result.wait(0.05))
    ready = result.ready()
    go.open()
    return {'get': outcome(result.get), 'ready': ready, 'wait': waited}


@shared('async-result/get-timeout')
def _(ctx):
    result, go = pending(ctx)
    early = outcome(lambda: result.get(0.05))
    go.open()
    return {'get': early, 'later': outcome(result.get)}


@shared('async-result/get-zero')
def _(ctx):
    result, go = pending(ctx)
    early = outcome(lambda: result.get(0))
    go.open()
    result.wait()
    return {'early': early, 'late': outcome(lambda: result.get(0))}


@shared('async-result/get-negative')
def _(ctx):
    result, go = pending(ctx)
    early = outcome(lambda: result.get(-1))
    go.open()
    result.wait()
    return {'early': early, 'late': outcome(lambda: result.get(-1))}


@shared('async-result/get-many-timeouts')
def _(ctx):
    result, go = pending(ctx)
    early = [outcome(lambda: result.get(0.01)) for _ in range(5)]
    go.open()
    return {'early': early, 'late': outcome(result.get)}


@shared('async-result/two-getters')
def _(ctx):
    result, go = pending(ctx)
    getters = [in_thread(result.get) for _ in range(2)]
    go.open()
    for getter in getters:
        getter.join()
    return {'value': [getter.outcome for getter in getters]}


@shared('async-result/empty-map')
def _(ctx):
    result = ctx.pool.map_async(sqr, [])
    return {'get': outcome(lambda: result.get(0)), 'ready': result.ready(), 'successful': outcome(result.successful)}


@shared('async-result/map-same-list')
def _(ctx):
    result = ctx.pool.map_async(sqr, range(3))
    return {'same': result.get() is result.get()}


@shared('async-result/map-ready-when-all')
def _(ctx):
    go = ctx.latch()
    result = ctx.pool.map_async(await_latch, [(ctx.directory, 0), (go.path, 1)], 1)
    early = outcome(lambda: result.get(0.2))
    ready = result.ready()
    go.open()
    return {'early': early, 'late': outcome(result.get), 'ready': ready}


@shared('async-result/map-failed')
def _(ctx):
    result = ctx.pool.map_async(checked, [(0, False), (1, True)], 1)
    result.wait()
    return {'get': outcome(result.get), 'ready': result.ready(), 'successful': outcome(result.successful)}


@shared('async-result/successful-true')
def _(ctx):
    result = ctx.pool.map_async(sqr, range(4))
    result.wait()
    return {'get': outcome(lambda: result.get(0)), 'successful': outcome(result.successful)}
