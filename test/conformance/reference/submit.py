"""apply and apply_async, their arguments, and the order of work."""
import os
import threading

from .harness import alone, in_thread, may_hang, outcome, shared
from .tasks import fail, hold, identity, logged, nothing, power, scale, sqr, total, worker


@shared('apply/args')
def _(ctx):
    return outcome(lambda: ctx.pool.apply(total, (1, 2, 3)))


@shared('apply/kwds')
def _(ctx):
    return outcome(lambda: ctx.pool.apply(power, (), {'base': 2, 'exponent': 10}))


@shared('apply/args-and-kwds')
def _(ctx):
    return outcome(lambda: ctx.pool.apply(scale, (7,), {'factor': 3}))


@shared('apply/no-args')
def _(ctx):
    return outcome(lambda: ctx.pool.apply(total))


@shared('apply/no-result')
def _(ctx):
    return outcome(lambda: ctx.pool.apply(nothing))


@shared('apply/runs-once')
def _(ctx):
    log = ctx.log()
    value = ctx.pool.apply(logged, ((log.path, 5, False),))
    return {'ran': log.numbers(), 'value': value}


@shared('apply/error')
def _(ctx):
    return outcome(lambda: ctx.pool.apply(fail, ('applied',)))


@shared('apply/not-a-function')
def _(ctx):
    return {'apply': outcome(lambda: ctx.pool.apply(5)), 'then': outcome(lambda: ctx.pool.apply(sqr, (2,)))}


@shared('apply/args-not-a-list')
def _(ctx):
    return {'apply': outcome(lambda: ctx.pool.apply(sqr, 5)), 'then': outcome(lambda: ctx.pool.apply(sqr, (2,)))}


@shared('apply/in-a-worker')
def _(ctx):
    return {'elsewhere': ctx.pool.apply(worker) != str(os.getpid())}


@shared('apply-async/get')
def _(ctx):
    return outcome(ctx.pool.apply_async(sqr, (7,)).get)


@shared('apply-async/kwds')
def _(ctx):
    return outcome(ctx.pool.apply_async(scale, (7,), {'factor': 2}).get)


@shared('apply-async/hundred')
def _(ctx):
    return {'value': [result.get() for result in [ctx.pool.apply_async(sqr, (n,)) for n in range(100)]]}


@shared('apply-async/parallel')
def _(ctx):
    started, go = [ctx.latch(f's{n}') for n in range(4)], ctx.latch()
    results = [ctx.pool.apply_async(hold, (latch.path, go.path, n)) for n, latch in enumerate(started)]
    for latch in started:
        latch.wait()
    go.open()
    return {'value': [result.get() for result in results]}


@alone('submit/first-in-first-out')
def _(ctx):
    pool, started, go, log = ctx.make_pool(1), ctx.latch('started'), ctx.latch(), ctx.log()
    pool.apply_async(hold, (started.path, go.path, None))
    started.wait()
    mapped = pool.map_async(logged, [(log.path, n, False) for n in range(4)], 1)
    applied = pool.apply_async(logged, ((log.path, 9, False),))
    go.open()
    mapped.wait()
    applied.wait()
    return {'order': log.lines()}


def behind_blocked_feeder(ctx, submit):
    """Submits while the pool's one feeder thread is busy with another call's input, as under load."""
    pool, gate = ctx.make_pool(2), threading.Event()

    def source():
        gate.wait()
        yield 1

    pool.imap(identity, source())
    result, change = submit(pool)
    change()
    gate.set()
    return outcome(result.get)


@alone('submit/argument-changed-later')
def _(ctx):
    argument = [1, 2, 3]
    return behind_blocked_feeder(
        ctx, lambda pool: (pool.apply_async(identity, (argument,)), lambda: argument.append('changed'))
    )


@alone('submit/list-changed-later')
def _(ctx):
    items = [1, 2, 3]
    return behind_blocked_feeder(
        ctx, lambda pool: (pool.map_async(identity, items), lambda: items.__setitem__(0, 'changed'))
    )


@alone('submit/blocked-input-elsewhere')
def _(ctx):
    pool = ctx.make_pool(2)
    pool.imap(identity, iter(threading.Event().wait, None))
    return {
        'apply': may_hang(lambda: pool.apply(sqr, (6,))),
        'imap': may_hang(lambda: list(pool.imap(sqr, [2, 3]))),
    }


@shared('submit/from-two-callers')
def _(ctx):
    callers = [in_thread(lambda n=n: ctx.pool.map(sqr, range(n, n + 50))) for n in (0, 100)]
    for caller in callers:
        caller.join()
    values = [caller.outcome['value'] for caller in callers]
    return {'firsts': [found[0] for found in values], 'lengths': [len(found) for found in values]}
