"""The tasks of the suite; test/fixtures/conformance-tasks.ts has the same ones under the same names in camelCase."""
import os
import signal
import sys
import time

from .harness import Latch


class TaskFailure(Exception):
    """What a task raises in most cases: an error of the user's own."""


class SourceFailure(Exception):
    """What an input iterator raises."""


class NeedsTwo(Exception):
    """Serializes but does not deserialize: unpickling calls it with one argument."""

    def __init__(self, first, second):
        super().__init__(f'{first} and {second}')


def append(path, line):
    with open(path, 'a') as file:
        file.write(f'{line}\n')


def sqr(x):
    return x * x


def mul(x, y):
    return x * y


def total(*xs):
    return sum(xs)


def power(base, exponent):
    return base ** exponent


def scale(x, factor):
    return x * factor


def identity(x):
    return x


def nothing(*_):
    return None


def as_text(x):
    return str(x)


def make_list(n):
    return list(range(n))


def whole_number(text):
    if not text.isdigit():
        raise ValueError(f'task cannot read {text}')
    return int(text)


def fail(message):
    raise TaskFailure(message)


def checked(item):
    x, fails = item
    if fails:
        raise TaskFailure(f'item {x}')
    return x


def logged(item):
    path, x, fails = item
    append(path, x)
    return checked((x, fails))


def log_and_fail(path):
    append(path, os.getpid())
    raise TaskFailure('logged')


def await_latch(item):
    path, x = item
    Latch(path).wait()
    return x


def fail_or_wait(item):
    """Plays one role: fails at once, opens the latch, or waits for it and then fails."""
    role, path, x = item
    if role == 'open':
        Latch(path).open()
        return x
    if role == 'wait':
        Latch(path).wait()
    raise TaskFailure(f'item {x}')


def open_latch(path):
    Latch(path).open()


def hold(started, go, value):
    Latch(started).open()
    Latch(go).wait()
    return value


def hold_and_log(item):
    log, go, x = item
    append(log, x)
    Latch(go).wait()
    return x


def hold_then_mark(started, go, mark):
    hold(started, go, None)
    Latch(mark).open()


def worker():
    return str(os.getpid())


def worker_of(_):
    return str(os.getpid())


def function_or(item):
    x, is_function = item
    return (lambda: x) if is_function else x


def large_failure(size):
    raise TaskFailure('x' * size)


def exit_worker(code):
    sys.exit(code)


def hard_exit(code):
    os._exit(code)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(marker):
    if not os.path.exists(marker):
        append(marker, 'died')
        die()
    return 'second run'


def die_on(item):
    x, dies = item
    if dies:
        die()
    return x


def log_and_die(path):
    append(path, 'start')
    die()


def ignore_sigterm(started):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Latch(started).open()
    while True:
        time.sleep(1)


def ignore_sigterm_and_beat(path):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        append(path, 'beat')
        time.sleep(0.02)


def spin(started):
    Latch(started).open()
    while True:
        pass


def counter():
    counter.count = getattr(counter, 'count', 0) + 1
    return counter.count


def set_base(value):
    set_base.value = value
    return 'ignored'


def add_base(x):
    return set_base.value + x


def note_start(path):
    append(path, os.getpid())


def note_and_fail(path):
    append(path, os.getpid())
    raise TaskFailure('initializer')
