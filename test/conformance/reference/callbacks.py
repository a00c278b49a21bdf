"""callback and error_callback: when, with what, how often, and what they may do."""
import os

from .harness import RETURNS, alone, eventually, may_hang, outcome, shared, text_of
from .tasks import checked, fail, hold, hold_and_log, identity, log_and_fail, make_list, mul, sqr, whole_number


def recorder(events):
    """Both callbacks, as keyword arguments; they record what they are called with."""
    return {
        'callback': lambda value: events.append(['callback', value]),
        'error_callback': lambda error: events.append(['errorCallback', str(error)]),
    }


@shared('callbacks/apply')
def _(ctx):
    events = []
    ctx.pool.apply_async(sqr, (3,), **recorder(events)).wait()
    return {'events': events}


@shared('callbacks/apply-error')
def _(ctx):
    events = []
    ctx.pool.apply_async(fail, ('called back',), **recorder(events)).wait()
    return {'events': events}


@shared('callbacks/map')
def _(ctx):
    events = []
    ctx.pool.map_async(sqr, range(5), 1, **recorder(events)).wait()
    return {'events': events}


@shared('callbacks/map-error')
def _(ctx):
    events = []
    ctx.pool.map_async(checked, [(n, n == 2) for n in range(5)], 1, **recorder(events)).wait()
    return {'events': events}


@shared('callbacks/map-many-errors')
def _(ctx):
    events = []
    result = ctx.pool.map_async(checked, [(n, True) for n in range(8)], 1, **recorder(events))
    result.wait()
    return {'count': len(events), 'same': events[0][1] == outcome(result.get)['error']['message']}


@shared('callbacks/starmap')
def _(ctx):
    events = []
    ctx.pool.starmap_async(mul, [(2, 3), (4, 5)], **recorder(events)).wait()
    return {'events': events}


@shared('callbacks/map-reads-text')
def _(ctx):
    events = []
    ctx.pool.map_async(whole_number, ['1'], **recorder(events)).wait()
    ctx.pool.map_async(whole_number, ['a'], **recorder(events)).wait()
    return {'events': events}


@shared('callbacks/only-error-callback')
def _(ctx):
    events = []
    result = ctx.pool.apply_async(sqr, (4,), error_callback=lambda error: events.append(str(error)))
    return {'events': events, 'get': outcome(result.get)}


@shared('callbacks/only-callback')
def _(ctx):
    events = []
    result = ctx.pool.apply_async(fail, ('alone',), callback=events.append)
    return {'get': outcome(result.get), 'events': events}


@shared('callbacks/before-ready')
def _(ctx):
    go, started, seen = ctx.latch(), ctx.latch('started'), []
    result = ctx.pool.apply_async(hold, (started.path, go.path, 1), callback=lambda _: seen.append(result.ready()))
    go.open()
    result.wait()
    return {'after': result.ready(), 'inside': seen}


@shared('callbacks/error-before-ready')
def _(ctx):
    go, log, seen = ctx.latch(), ctx.log(), []
    result = ctx.pool.map_async(
        hold_and_log, [(log.path, go.path, 1), 'short'], 1, error_callback=lambda _: seen.append(result.ready())
    )
    go.open()
    result.wait()
    return {'after': result.ready(), 'inside': seen}


@shared('callbacks/before-get')
def _(ctx):
    events = []
    result = ctx.pool.apply_async(sqr, (5,), callback=lambda _: events.append('callback'))
    result.get()
    events.append('get')
    return {'events': events}


@shared('callbacks/same-value')
def _(ctx):
    seen = []
    result = ctx.pool.apply_async(make_list, (3,), callback=seen.append)
    return {'same': result.get() is seen[0]}


@shared('callbacks/same-error')
def _(ctx):
    seen = []
    result = ctx.pool.apply_async(fail, ('shared',), error_callback=seen.append)
    try:
        result.get()
    except Exception as error:
        return {'same': error is seen[0]}


@alone('callbacks/completion-order')
def _(ctx):
    pool, events = ctx.make_pool(1), []
    for result in [pool.apply_async(sqr, (n,), callback=events.append) for n in range(10)]:
        result.wait()
    return {'value': events}


@alone('callbacks/completion-order-two-workers')
def _(ctx):
    pool, started, go, events = ctx.make_pool(2), ctx.latch('started'), ctx.latch(), []
    held = pool.apply_async(hold, (started.path, go.path, 'held'), callback=events.append)
    started.wait()
    pool.apply_async(identity, ('quick',), callback=events.append).wait()
    go.open()
    held.wait()
    return {'events': events}


@alone('callbacks/one-at-a-time')
def _(ctx):
    pool, running, most = ctx.make_pool(2), [0], [0]

    def callback(_):
        running[0] += 1
        most[0] = max(most[0], running[0])
        eventually(lambda: False, 0.02)
        running[0] -= 1

    for result in [pool.apply_async(sqr, (n,), callback=callback) for n in range(10)]:
        result.wait()
    return {'most': most[0]}


@alone('callbacks/submits')
def _(ctx):
    pool, results = ctx.make_pool(1), []
    pool.apply_async(sqr, (3,), callback=lambda value: results.append(pool.apply_async(sqr, (value,)))).wait()
    return {'value': results[0].get()}


@alone('callbacks/terminates')
def _(ctx):
    pool = ctx.make_pool(1)
    result = pool.apply_async(sqr, (3,), callback=lambda _: pool.terminate())
    return {'get': may_hang(result.get, RETURNS), 'text': text_of(pool)}


@alone('callbacks/error-callback-terminates')
def _(ctx):
    pool = ctx.make_pool(1)
    result = pool.apply_async(fail, ('fatal',), error_callback=lambda _: pool.terminate())
    return {'get': may_hang(result.get, RETURNS), 'text': text_of(pool)}


@alone('callbacks/none-of-terminate')
def _(ctx):
    pool, started, go = ctx.make_pool(1), ctx.latch('started'), ctx.latch()
    events = []
    pool.apply_async(hold, (started.path, go.path, 1), callback=events.append, error_callback=events.append)
    started.wait()
    pool.terminate()
    pool.join()
    eventually(lambda: events, 0.3)
    return {'events': events}


@alone('callbacks/none-after-terminate')
def _(ctx):
    pool, started, go, events = ctx.make_pool(1), ctx.latch('started'), ctx.latch(), []
    pool.apply_async(hold, (started.path, go.path, 1), callback=lambda _: events.append('callback'))
    started.wait()
    pool.terminate()
    pool.join()
    go.open()
    eventually(lambda: events, 0.3)
    return {'events': events}


@shared('callbacks/empty-map')
def _(ctx):
    events = []
    ctx.pool.map_async(sqr, [], **recorder(events)).wait()
    return {'atOnce': list(events), 'later': events if eventually(lambda: events, 0.3) else []}


@shared('callbacks/argument-not-encodable')
def _(ctx):
    events = []
    ctx.pool.apply_async(identity, (lambda: 1,), **recorder(events)).wait()
    return {'events': [event[0] for event in events]}


@shared('callbacks/runs-in-parent')
def _(ctx):
    seen = []
    ctx.pool.apply_async(log_and_fail, (ctx.path('log'),), error_callback=lambda _: seen.append(os.getpid())).wait()
    return {'here': seen == [os.getpid()], 'there': ctx.log().lines() != [str(os.getpid())]}
