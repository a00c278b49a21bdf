"""The contestant's end of the line, for those written in Python: one job a line of JSON, one answer a line."""
import json
import resource
import sys
import time

SETUP = json.loads(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].startswith("{") else {}
PROCESSES = SETUP.get("processes", 2)


class Clock:
    """Takes the time of the part of a job that counts."""

    def __init__(self):
        self.answer = {}

    def time(self, work):
        start = time.perf_counter()
        result = work()
        self.answer["seconds"] = time.perf_counter() - start
        return result

    def time_each(self, calls, call):
        latencies = []

        def run():
            for i in range(calls):
                start = time.perf_counter()
                result = call(i)
                latencies.append((time.perf_counter() - start) * 1000)
                check(result == i, f"the identity of {i} is {result!r}")

        self.time(run)
        self.answer["latencies"] = latencies


def check(right, what):
    if not right:
        raise ValueError(f"wrong result: {what}")


def check_identities(results, items):
    check(len(results) == items, f"{len(results)} results for {items} items")
    for i in (0, items // 2, items - 1):
        check(results[i] == i, f"the identity of {i} is {results[i]!r}")


def texts(items, size):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    seed, letters = 1, []
    for _ in range(size):
        seed = (seed * 48271) % 2147483647
        letters.append(alphabet[seed % 64])
    text = "".join(letters)
    return [str(i).zfill(8) + text[8:] for i in range(items)]


def cut(items, size):
    return [items[i : i + size] for i in range(0, len(items), size)]


def serve(operations):
    """Answers jobs with the functions of `operations` until standard input ends."""
    say({"ops": list(operations)})
    for line in sys.stdin:
        job = json.loads(line)
        clock = Clock()
        try:
            operations[job["op"]](job, clock)
            scale = 1 if sys.platform == "darwin" else 1024
            clock.answer["peakRss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
            say(clock.answer)
        except Exception as error:  # told, so that the harness can report it
            say({"error": f"{type(error).__name__}: {error}"})


def say(record):
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()
