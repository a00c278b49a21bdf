"""
The family of concurrent.futures' ExecutorDeadlockTest: an error, an exit, a crash, at each station of a task's way.
The two test classes share their payloads; Pool has no notion of a broken pool and hangs in most of them.
"""
import os
import pickle
import signal
import sys

from .harness import RETURNS, alone, may_hang, outcome, shared
from .tasks import die, die_on, exit_worker, fail, identity, sqr


def crash(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def leave(*_):
    sys.exit(3)


def refuse(*_):
    raise pickle.PicklingError('task cannot be moved')


class AtPickle:
    def __init__(self, effect):
        self.effect = effect

    def __reduce__(self):
        self.effect()


class AtUnpickle:
    def __init__(self, effect):
        self.effect = effect

    def __reduce__(self):
        return self.effect, ()


EFFECTS = {'error': refuse, 'exit': leave, 'crash': crash}


def make_at_pickle(name):
    return AtPickle(EFFECTS[name])


def make_at_unpickle(name):
    return AtUnpickle(EFFECTS[name])


@shared('deadlock/error-at-argument-encode')
def _(ctx):
    return {
        'apply': outcome(lambda: ctx.pool.apply(identity, (AtPickle(refuse),))),
        'then': outcome(lambda: ctx.pool.apply(sqr, (2,))),
    }


for name, effect in EFFECTS.items():
    def at_argument_decode(ctx, effect=effect):
        return {'apply': may_hang(lambda: ctx.pool.apply(identity, (AtUnpickle(effect),)))}

    def at_result_encode(ctx, name=name):
        return {'apply': may_hang(lambda: ctx.pool.apply(make_at_pickle, (name,)), RETURNS if name == 'error' else 1.5)}

    alone(f'deadlock/{name}-at-argument-decode')(at_argument_decode)
    alone(f'deadlock/{name}-at-result-encode')(at_result_encode)


@alone('deadlock/error-at-result-decode')
def _(ctx):
    return {'apply': may_hang(lambda: ctx.pool.apply(make_at_unpickle, ('error',)))}


@shared('deadlock/error-in-task')
def _(ctx):
    return outcome(lambda: ctx.pool.apply(fail, ('in the task',)))


@alone('deadlock/exit-in-task')
def _(ctx):
    lost = may_hang(lambda: ctx.pool.apply(exit_worker, (1,)))
    return {'apply': lost, 'then': outcome(lambda: ctx.pool.map(sqr, [1, 2]))}


@alone('deadlock/crash-in-task')
def _(ctx):
    return {'apply': may_hang(lambda: ctx.pool.apply(die)), 'then': outcome(lambda: ctx.pool.map(sqr, [1, 2]))}


@alone('deadlock/crash-then-shutdown')
def _(ctx):
    lost = ctx.pool.apply_async(die)
    ctx.pool.close()
    return {'get': may_hang(lost.get), 'join': may_hang(ctx.pool.join)}


@alone('deadlock/bad-argument-then-shutdown')
def _(ctx):
    pool = ctx.make_pool(2)
    refused = pool.apply_async(identity, (AtPickle(refuse),))
    pool.close()
    return {'get': outcome(refused.get), 'join': may_hang(pool.join, RETURNS)}


@alone('deadlock/crash-with-large-data')
def _(ctx):
    data = 'a' * 100_000
    items = [(data, n == 10) for n in range(40)]
    return {'map': may_hang(lambda: ctx.pool.map(die_on, items, 1)), 'then': outcome(lambda: ctx.pool.map(sqr, [1, 2]))}
