"""RUN, CLOSE, TERMINATE: who may do what when."""
import subprocess
import sys

from .harness import alone, in_thread, outcome, shared, text_of
from .tasks import fail, hold, hold_and_log, mul, sqr

SUBMITS = {
    'apply': lambda pool: pool.apply(sqr, (2,)),
    'apply-async': lambda pool: pool.apply_async(sqr, (2,)).get(),
    'map': lambda pool: pool.map(sqr, [2]),
    'map-async': lambda pool: pool.map_async(sqr, [2]).get(),
    'starmap': lambda pool: pool.starmap(mul, [(2, 3)]),
    'starmap-async': lambda pool: pool.starmap_async(mul, [(2, 3)]).get(),
    'imap': lambda pool: list(pool.imap(sqr, [2])),
    'imap-unordered': lambda pool: list(pool.imap_unordered(sqr, [2])),
}


def stopped(ctx, how):
    pool = ctx.make_pool(1)
    getattr(pool, how)()
    return pool


for name, submit in SUBMITS.items():
    shared(f'state/running-{name}')(lambda ctx, submit=submit: outcome(lambda: submit(ctx.pool)))
    alone(f'state/closed-{name}')(lambda ctx, submit=submit: outcome(lambda: submit(stopped(ctx, 'close'))))
    alone(f'state/terminated-{name}')(lambda ctx, submit=submit: outcome(lambda: submit(stopped(ctx, 'terminate'))))


@alone('state/closed-empty-input')
def _(ctx):
    pool = stopped(ctx, 'close')
    return {'imap': outcome(lambda: pool.imap(sqr, [])), 'map': outcome(lambda: pool.map(sqr, []))}


@alone('state/closed-before-validation')
def _(ctx):
    pool = stopped(ctx, 'close')
    return {'imap': outcome(lambda: pool.imap(sqr, [1], 0)), 'map': outcome(lambda: pool.map(sqr, [1], 'a'))}


@alone('state/closed-leaves-input')
def _(ctx):
    taken = []
    source = (taken.append(x) or x for x in range(3))
    return {'map': outcome(lambda: stopped(ctx, 'close').map(sqr, source)), 'taken': len(taken)}


@shared('state/join-running')
def _(ctx):
    return {'join': outcome(ctx.pool.join), 'then': outcome(lambda: ctx.pool.apply(sqr, (3,)))}


@alone('state/close-twice')
def _(ctx):
    pool = ctx.make_pool(1)
    return {'first': outcome(pool.close), 'second': outcome(pool.close), 'text': text_of(pool)}


@alone('state/join-twice')
def _(ctx):
    pool = stopped(ctx, 'close')
    return {'first': outcome(pool.join), 'second': outcome(pool.join)}


@alone('state/terminate-twice')
def _(ctx):
    pool = ctx.make_pool(1)
    return {'first': outcome(pool.terminate), 'second': outcome(pool.terminate), 'join': outcome(pool.join)}


@alone('state/terminate-after-close')
def _(ctx):
    pool = stopped(ctx, 'close')
    return {'terminate': outcome(pool.terminate), 'text': text_of(pool)}


@alone('state/close-after-terminate')
def _(ctx):
    pool = stopped(ctx, 'terminate')
    return {'close': outcome(pool.close), 'text': text_of(pool)}


@alone('state/close-runs-submitted')
def _(ctx):
    pool, log, go = ctx.make_pool(2), ctx.log(), ctx.latch()
    result = pool.map_async(hold_and_log, [(log.path, go.path, x) for x in range(20)], 1)
    log.wait(1)
    pool.close()
    go.open()
    pool.join()
    return {'ran': log.numbers(), 'ready': result.ready(), 'values': outcome(result.get)}


@alone('state/close-during-map')
def _(ctx):
    pool, log, go = ctx.make_pool(2), ctx.log(), ctx.latch()
    mapping = in_thread(lambda: pool.map(hold_and_log, [(log.path, go.path, x) for x in range(6)], 1))
    log.wait(2)
    pool.close()
    go.open()
    mapping.join()
    return mapping.outcome


@alone('state/join-waits')
def _(ctx):
    pool, started, go, events = ctx.make_pool(1), ctx.latch('started'), ctx.latch(), []
    result = pool.apply_async(hold, (started.path, go.path, 'held'))
    started.wait()
    pool.close()
    joining = in_thread(lambda: (pool.join(), events.append('joined')))
    events.append('released')
    go.open()
    joining.join()
    return {'events': events, 'ready': result.ready()}


@alone('state/close-drains-imap')
def _(ctx):
    pool = ctx.make_pool(2)
    iterator = pool.imap(sqr, iter(range(200)))
    first = next(iterator)
    pool.close()
    pool.join()
    rest = list(iterator)
    return {'first': first, 'last': rest[-1], 'rest': len(rest)}


@alone('state/failures-then-close')
def _(ctx):
    pool = ctx.make_pool(2)
    results = [pool.apply_async(fail, (f'number {n}',)) for n in range(4)]
    pool.close()
    pool.join()
    return {'successful': [result.successful() for result in results]}


@alone('state/exit-without-close')
def _(ctx):
    program = 'from multiprocessing import Pool\npool = Pool(2)\nprint(sum(pool.map(abs, range(10))))'
    command = [sys.executable, '-W', 'ignore', '-c', program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ctx.directory)
    return {'code': done.returncode, 'output': done.stdout.strip()}
