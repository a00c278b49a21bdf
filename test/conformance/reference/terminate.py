"""terminate() and leaving the scope: what ends, what stays readable, what hangs."""
import os
import threading
import time

from .harness import RETURNS, alone, eventually, in_thread, may_hang, outcome, text_of
from .tasks import fail, hold, hold_and_log, hold_then_mark, ignore_sigterm, ignore_sigterm_and_beat, logged, spin, sqr, worker


def held(ctx, processes=1):
    """A pool whose one worker is in a task, and the pending result of that task."""
    pool, started, go = ctx.make_pool(processes), ctx.latch('started'), ctx.latch()
    result = pool.apply_async(hold, (started.path, go.path, 'held'))
    started.wait()
    return pool, result


@alone('terminate/many-waiting')
def _(ctx):
    pool = ctx.make_pool(3)
    pool.map_async(time.sleep, [3600] * 10_000, 1)
    return {'terminate': may_hang(pool.terminate, RETURNS), 'join': may_hang(pool.join, RETURNS)}


@alone('terminate/keeps-results')
def _(ctx):
    pool = ctx.make_pool(2)
    result = pool.map_async(sqr, range(5))
    failed = pool.apply_async(fail, ('early',))
    result.wait()
    failed.wait()
    pool.terminate()
    pool.join()
    return {'failed': outcome(failed.get), 'result': outcome(result.get)}


@alone('terminate/pending-get')
def _(ctx):
    pool, result = held(ctx)
    pool.terminate()
    return {'get': may_hang(result.get)}


@alone('terminate/pending-state')
def _(ctx):
    pool, result = held(ctx)
    pool.terminate()
    return {'ready': result.ready(), 'successful': outcome(result.successful)}


@alone('terminate/waiting-get')
def _(ctx):
    pool, result = held(ctx)
    getting = in_thread(result.get)
    pool.terminate()
    getting.join(1.5)
    return {'get': 'hangs' if getting.is_alive() else getting.outcome}


@alone('terminate/waiting-map')
def _(ctx):
    pool, log, go = ctx.make_pool(1), ctx.log(), ctx.latch()
    mapping = in_thread(lambda: pool.map(hold_and_log, [(log.path, go.path, x) for x in range(4)], 1))
    log.wait(1)
    pool.terminate()
    mapping.join(1.5)
    return {'map': 'hangs' if mapping.is_alive() else mapping.outcome}


@alone('terminate/waiting-next')
def _(ctx):
    pool, log, go = ctx.make_pool(1), ctx.log(), ctx.latch()
    iterator = pool.imap(hold_and_log, [(log.path, go.path, x) for x in range(4)])
    log.wait(1)
    pool.terminate()
    return {'next': may_hang(iterator.__next__)}


@alone('terminate/waiting-in-next')
def _(ctx):
    pool, log, go = ctx.make_pool(1), ctx.log(), ctx.latch()
    items = [(log.path, go.path, x) for x in range(2)]
    waiting = [in_thread(method(hold_and_log, items).__next__) for method in (pool.imap, pool.imap_unordered)]
    log.wait(1)
    pool.terminate()
    eventually(lambda: not any(thread.is_alive() for thread in waiting), 1.5)
    return {'next': ['hangs' if thread.is_alive() else thread.outcome for thread in waiting]}


@alone('terminate/at-once')
def _(ctx):
    pool, result = held(ctx)
    pool.terminate()
    return {'ready': result.ready()}


@alone('terminate/wait-returns')
def _(ctx):
    pool, result = held(ctx)
    pool.terminate()
    return {'wait': may_hang(result.wait)}


@alone('terminate/kills-running')
def _(ctx):
    pool, started, go, mark = ctx.make_pool(1), ctx.latch('started'), ctx.latch(), ctx.latch('mark')
    pool.apply_async(hold_then_mark, (started.path, go.path, mark.path))
    started.wait()
    pool.terminate()
    pool.join()
    go.open()
    time.sleep(0.3)
    return {'marked': os.path.exists(mark.path)}


@alone('terminate/drops-queued')
def _(ctx):
    pool, _ = held(ctx)
    log = ctx.log()
    pool.map_async(logged, [(log.path, x, False) for x in range(5)], 1)
    pool.terminate()
    pool.join()
    return {'ran': log.numbers()}


@alone('terminate/busy-task')
def _(ctx):
    pool, started = ctx.make_pool(1), ctx.latch('started')
    pool.apply_async(spin, (started.path,))
    started.wait()
    return {'terminate': may_hang(pool.terminate, RETURNS), 'join': may_hang(pool.join, RETURNS)}


@alone('terminate/ignores-sigterm')
def _(ctx):
    pool, started = ctx.make_pool(1), ctx.latch('started')
    pool.apply_async(ignore_sigterm, (started.path,))
    started.wait()
    return {'terminate': may_hang(pool.terminate)}


@alone('terminate/ends-what-ignores-sigterm')
def _(ctx):
    pool, beat = ctx.make_pool(1), ctx.log()
    pool.apply_async(ignore_sigterm_and_beat, (beat.path,))
    beat.wait(1)
    ended = may_hang(pool.terminate)
    before = len(beat.lines())
    return {'gone': not eventually(lambda: len(beat.lines()) > before), 'terminate': ended}


@alone('terminate/blocked-input')
def _(ctx):
    pool, asked = ctx.make_pool(1), threading.Event()

    def source():
        yield 3
        asked.set()
        threading.Event().wait()

    iterator = pool.imap(sqr, source())
    first = next(iterator)
    asked.wait()
    return {'first': first, 'terminate': may_hang(pool.terminate)}


@alone('terminate/close-with-blocked-input')
def _(ctx):
    pool = ctx.make_pool(1)

    def source():
        yield 3
        threading.Event().wait()

    iterator = pool.imap(sqr, source())
    first = next(iterator)
    pool.close()
    return {'first': first, 'join': may_hang(pool.join), 'next': may_hang(iterator.__next__)}


@alone('terminate/during-join')
def _(ctx):
    pool, _ = held(ctx)
    pool.close()
    joining = in_thread(pool.join)
    pool.terminate()
    joining.join(RETURNS)
    return {'join': joining.outcome}


@alone('terminate/ends-workers')
def _(ctx):
    pool = ctx.make_pool(1)
    pid = int(pool.apply(worker))
    pool.terminate()
    pool.join()
    return {'gone': eventually(lambda: not os.path.exists(f'/proc/{pid}'))}


@alone('terminate/scope')
def _(ctx):
    with ctx.make_pool(2) as pool:
        values = pool.map_async(sqr, range(10)).get()
    pool.join()
    return {'after': outcome(lambda: pool.map_async(sqr, [1])), 'text': text_of(pool), 'values': values}


@alone('terminate/scope-pending')
def _(ctx):
    with ctx.make_pool(1) as pool:
        started, go = ctx.latch('started'), ctx.latch()
        result = pool.apply_async(hold, (started.path, go.path, 'held'))
        started.wait()
    return {'get': may_hang(result.get)}


@alone('terminate/scope-error')
def _(ctx):
    def body():
        with ctx.make_pool(1) as pool:
            pool.apply(fail, ('inside',))

    return outcome(body)


@alone('terminate/scope-after-close')
def _(ctx):
    started, go = ctx.latch('started'), ctx.latch()
    with ctx.make_pool(1) as pool:
        result = pool.apply_async(hold, (started.path, go.path, 'held'))
        started.wait()
        pool.close()
    # Too late: CPython does not wait for it, and has ended the worker.
    go.open()
    return {'get': may_hang(result.get)}
