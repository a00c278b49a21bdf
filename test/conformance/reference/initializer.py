"""initializer and initargs."""
from .harness import alone, eventually, may_hang, outcome
from .tasks import add_base, append, counter, log_and_fail, note_and_fail, note_start, set_base, sqr, worker_of


@alone('initializer/without-tasks')
def _(ctx):
    log = ctx.log()
    pool = ctx.make_pool(1, note_start, (log.path,))
    pool.close()
    pool.join()
    return {'runs': len(log.lines())}


@alone('initializer/once-in-each-worker')
def _(ctx):
    log = ctx.log()
    pool = ctx.make_pool(3, note_start, (log.path,))
    pool.map(sqr, range(30), 1)
    pool.close()
    pool.join()
    lines = log.lines()
    return {'runs': len(lines), 'workers': len(set(lines))}


@alone('initializer/before-first-task')
def _(ctx):
    return {'value': ctx.make_pool(2, set_base, (100,)).map(add_base, range(6), 1)}


@alone('initializer/no-args')
def _(ctx):
    return {'value': ctx.make_pool(1, counter).apply(counter)}


@alone('initializer/state-stays')
def _(ctx):
    pool = ctx.make_pool(1)
    return {'value': [pool.apply(counter) for _ in range(4)]}


@alone('initializer/several-args')
def _(ctx):
    log = ctx.log()
    pool = ctx.make_pool(1, append, (log.path, 'second'))
    pool.apply(sqr, (1,))
    return {'lines': log.lines()}


@alone('initializer/replacement-too')
def _(ctx):
    log = ctx.log()
    pool = ctx.make_pool(1, note_start, (log.path,), 1)
    workers = set(pool.map(worker_of, range(4), 1))
    return {'initialized': workers <= set(log.lines()), 'workers': len(workers)}


@alone('initializer/two-pools')
def _(ctx):
    first, second = ctx.make_pool(1, set_base, (10,)), ctx.make_pool(1, set_base, (20,))
    return {'value': [first.apply(add_base, (1,)), second.apply(add_base, (1,))]}


@alone('initializer/task-fails-no-rerun')
def _(ctx):
    log = ctx.log()
    pool = ctx.make_pool(1, note_start, (log.path,))
    for _ in range(3):
        outcome(lambda: pool.apply(log_and_fail, (ctx.path('failures'),)))
    return {'failures': len(ctx.log('failures').lines()), 'runs': len(log.lines())}


@alone('initializer/throws')
def _(ctx):
    pool = ctx.make_pool(1, note_and_fail, (ctx.path('log'),))
    return {'apply': may_hang(lambda: pool.apply(sqr, (1,)))}


@alone('initializer/throws-cause')
def _(ctx):
    return {'cause': may_hang(lambda: ctx.make_pool(1, note_and_fail, (ctx.path('log'),)).apply(sqr, (1,)))}


@alone('initializer/throws-map')
def _(ctx):
    pool = ctx.make_pool(2, note_and_fail, (ctx.path('log'),))
    # With a chunk size: without one, a map that begins while all workers are gone fails with ZeroDivisionError instead,
    # as the default is reckoned from the number of workers alive.
    return {'map': may_hang(lambda: pool.map(sqr, range(8), 1))}


@alone('initializer/throws-imap')
def _(ctx):
    pool = ctx.make_pool(1, note_and_fail, (ctx.path('log'),))
    return {'next': may_hang(pool.imap(sqr, range(8)).__next__)}


@alone('initializer/throws-later-calls')
def _(ctx):
    pool = ctx.make_pool(1, note_and_fail, (ctx.path('log'),))
    first = may_hang(lambda: pool.apply(sqr, (1,)))
    return {'first': first, 'second': may_hang(lambda: pool.apply(sqr, (2,)))}


@alone('initializer/throws-tries')
def _(ctx):
    log = ctx.log()
    pool = ctx.make_pool(1, note_and_fail, (log.path,))
    pool.apply_async(sqr, (1,))
    return {'stops': not eventually(lambda: len(log.lines()) > 10)}


@alone('initializer/throws-then-join')
def _(ctx):
    pool = ctx.make_pool(1, note_and_fail, (ctx.path('log'),))
    pool.apply_async(sqr, (1,))
    pool.close()
    return {'join': may_hang(pool.join)}


@alone('initializer/throws-then-terminate')
def _(ctx):
    pool = ctx.make_pool(1, note_and_fail, (ctx.path('log'),))
    pool.apply_async(sqr, (1,))
    return {'join': (pool.terminate(), outcome(pool.join))[1]}
