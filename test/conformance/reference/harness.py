"""
How a case is written for CPython and how its answer becomes JSON.

A case is a function of a Context that returns an observation: plain JSON without pids, times or addresses. `shared`
cases use one pool of four workers, one after the other; an `alone` case runs in a process of its own, as CPython may
hang in it.
"""
import contextlib
import multiprocessing
import os
import re
import threading
import time

# Seconds for what CPython does do, however slow the machine: less than the deadline of a case, and no wait when it is quick.
RETURNS = 40

CASES = {}
ALONE = set()


def shared(case_id):
    """Registers a case that uses the one pool all such cases share."""
    def register(run):
        assert case_id not in CASES, case_id
        CASES[case_id] = run
        return run
    return register


def alone(case_id):
    """Registers a case that gets a process of its own: it makes pools, or CPython hangs in it."""
    ALONE.add(case_id)
    return shared(case_id)


class Context:
    """What a case works with: a pool of four, more pools, and files for latches and logs."""

    def __init__(self, directory, pool=None):
        self.directory = directory
        self._pool = pool
        # Held until the process exits: a pool that nobody holds is terminated, and could hang, before the answer is out.
        self._made = []
        os.makedirs(directory, exist_ok=True)

    @property
    def pool(self):
        if self._pool is None:
            self._pool = multiprocessing.Pool(4)
        return self._pool

    def make_pool(self, *args, **kwds):
        self._made.append(multiprocessing.Pool(*args, **kwds))
        return self._made[-1]

    def path(self, name):
        return os.path.join(self.directory, name)

    def latch(self, name='go'):
        return Latch(self.path(name))

    def log(self, name='log'):
        return Log(self.path(name))


class Latch:
    """A file that is absent (shut) or present (open): works between any two processes."""

    def __init__(self, path):
        self.path = path

    def open(self):
        open(self.path, 'a').close()

    def wait(self, seconds=RETURNS):
        deadline = time.monotonic() + seconds
        while not os.path.exists(self.path):
            if time.monotonic() > deadline:
                raise AssertionError('the latch was never opened')
            time.sleep(0.005)


class Log:
    """A file that tasks append lines to."""

    def __init__(self, path):
        self.path = path

    def lines(self):
        with contextlib.suppress(FileNotFoundError):
            with open(self.path) as file:
                return file.read().split()
        return []

    def numbers(self):
        return sorted(int(line) for line in self.lines())

    def wait(self, count, seconds=RETURNS):
        eventually(lambda: len(self.lines()) >= count, seconds)


def eventually(condition, seconds=RETURNS):
    """Waits until the condition holds; says whether it did."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def error_of(error):
    kind = type(error)
    name = 'multiprocessing.TimeoutError' if kind is multiprocessing.TimeoutError else kind.__name__
    return {'message': re.sub(r'0x[0-9a-f]+', '0x', str(error)), 'type': name}


def outcome(call):
    """The value that a call returns or the error that it raises."""
    try:
        return {'value': call()}
    except StopIteration:
        return {'done': True}
    except Exception as error:
        return {'error': error_of(error)}


def may_hang(call, seconds=1.5):
    """Like outcome, for a call of which we know that CPython never returns from it."""
    answer = []
    thread = threading.Thread(target=lambda: answer.append(outcome(call)), daemon=True)
    thread.start()
    thread.join(seconds)
    return answer[0] if answer else 'hangs'


def in_thread(call):
    """Runs a blocking call beside the case; the thread has the outcome when it has ended."""
    thread = threading.Thread(target=lambda: setattr(thread, 'outcome', outcome(call)), daemon=True)
    thread.start()
    return thread


def steps(iterator, count):
    """The outcomes of so many calls of next()."""
    return [outcome(lambda: next(iterator)) for _ in range(count)]


def size_of(pool):
    return len(pool._pool)


def text_of(pool):
    return repr(pool).replace('multiprocessing.pool.', '')
