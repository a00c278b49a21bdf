"""A worker that dies: in a task, idle, once, always. CPython replaces it and loses the chunk it had."""
import os
import signal

from .harness import RETURNS, alone, eventually, may_hang, outcome, size_of
from .tasks import die, die_on, die_once, hold, log_and_die, sqr, worker


@alone('worker-death/apply')
def _(ctx):
    return {'apply': may_hang(lambda: ctx.pool.apply(die))}


@alone('worker-death/details')
def _(ctx):
    return {'apply': may_hang(lambda: ctx.pool.apply(die))}


@alone('worker-death/starts')
def _(ctx):
    log = ctx.log()
    answer = may_hang(lambda: ctx.pool.apply(log_and_die, (log.path,)))
    log.wait(1)
    return {'apply': answer, 'starts': len(log.lines())}


@alone('worker-death/once')
def _(ctx):
    return {'apply': may_hang(lambda: ctx.pool.apply(die_once, (ctx.path('marker'),)))}


@alone('worker-death/map')
def _(ctx):
    return {'map': may_hang(lambda: ctx.pool.map(die_on, [(n, n == 2) for n in range(6)], 1))}


@alone('worker-death/imap')
def _(ctx):
    iterator = ctx.pool.imap(die_on, [(n, n == 1) for n in range(3)])
    return {'value': [outcome(iterator.__next__), may_hang(iterator.__next__)]}


@alone('worker-death/imap-neighbours')
def _(ctx):
    iterator = ctx.pool.imap(die_on, [(n, n == 1) for n in range(4)], 4)
    return {'value': [may_hang(iterator.__next__)]}


@alone('worker-death/others-go-on')
def _(ctx):
    lost = ctx.pool.apply_async(die)
    values = outcome(lambda: ctx.pool.map(sqr, range(20), 1))
    return {'lost': may_hang(lost.get), 'values': values}


@alone('worker-death/error-callback')
def _(ctx):
    events = []
    ctx.pool.apply_async(die, error_callback=lambda error: events.append('errorCallback'))
    eventually(lambda: events, 1.5)
    return {'events': events}


@alone('worker-death/replaced')
def _(ctx):
    pool = ctx.make_pool(2)
    pool.apply_async(die)
    values = outcome(lambda: pool.map(sqr, range(4)))
    return {'refilled': eventually(lambda: size_of(pool) == 2), 'then': values}


@alone('worker-death/join')
def _(ctx):
    ctx.pool.apply_async(die)
    ctx.pool.close()
    return {'join': may_hang(ctx.pool.join)}


@alone('worker-death/terminate')
def _(ctx):
    ctx.pool.apply_async(die)
    return {'terminate': may_hang(ctx.pool.terminate, RETURNS)}


def kill_idle(pool):
    """Kills the one worker while it waits for work: it dies with the lock of the task queue in its hands."""
    pid = int(pool.apply(worker))
    eventually(pool._inqueue._rlock._semlock._is_zero)
    os.kill(pid, signal.SIGKILL)
    # A pool that is closed before it has noticed starts no successor, and its join has nobody to wait for.
    eventually(lambda: any(other.pid != pid for other in pool._pool))


@alone('worker-death/idle')
def _(ctx):
    pool = ctx.make_pool(1)
    kill_idle(pool)
    return {'apply': may_hang(lambda: pool.apply(sqr, (5,)))}


@alone('worker-death/idle-then-terminate')
def _(ctx):
    pool = ctx.make_pool(1)
    kill_idle(pool)
    return {'terminate': may_hang(pool.terminate)}


@alone('worker-death/idle-then-join')
def _(ctx):
    pool = ctx.make_pool(1)
    kill_idle(pool)
    pool.close()
    return {'join': may_hang(pool.join)}


@alone('worker-death/innocent-neighbour')
def _(ctx):
    started, go = ctx.latch('started'), ctx.latch()
    held = ctx.pool.apply_async(hold, (started.path, go.path, 'unharmed'))
    started.wait()
    lost = ctx.pool.apply_async(die)
    answer = may_hang(lost.get)
    go.open()
    return {'held': outcome(held.get), 'lost': answer}


@alone('worker-death/many')
def _(ctx):
    lost = [ctx.pool.apply_async(die) for _ in range(3)]
    answers = [may_hang(result.get, 1) for result in lost]
    return {'lost': answers, 'then': outcome(lambda: ctx.pool.map(sqr, range(4)))}
