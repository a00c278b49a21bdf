#!/usr/bin/env python3
"""
Asks CPython: runs every case of ./reference on multiprocessing.Pool and writes the answers to golden.json.

    python3 test/conformance/cpython.py            writes golden.json
    python3 test/conformance/cpython.py out.json   writes another file
    python3 test/conformance/cpython.py --case id  prints the answer of one case

The file is the same, byte by byte, on every run. Where CPython hangs, a deadline in a process of its own says "hangs".
"""
import concurrent.futures
import importlib
import json
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import reference
from reference.harness import ALONE, CASES, Context

ALONE_DEADLINE = 120
SHARED_DEADLINE = 300
PARALLEL = 6


def load_cases():
    for module in pkgutil.iter_modules(reference.__path__):
        importlib.import_module(f'reference.{module.name}')


def answer(case_id, observation):
    """One line for the parent; written at once, as the process may be killed before it ends."""
    print(json.dumps({'answer': observation, 'id': case_id}), flush=True)


def run_alone(case_id, directory):
    context = Context(directory)
    answer(case_id, CASES[case_id](context))
    # A damaged pool would block the normal way out; the parent ends what is left of the session.
    os._exit(0)


def run_shared(directory):
    import multiprocessing

    pool = multiprocessing.Pool(4)
    for number, case_id in enumerate(sorted(set(CASES) - ALONE)):
        answer(case_id, CASES[case_id](Context(os.path.join(directory, str(number)), pool)))
    os._exit(0)


def ask(arguments, deadline):
    """Runs this script in a session of its own and returns its answers."""
    directory = tempfile.mkdtemp(prefix='conformance-')
    output, errors = tempfile.TemporaryFile('w+'), tempfile.TemporaryFile('w+')
    try:
        child = subprocess.Popen(
            [sys.executable, __file__, *arguments, directory],
            stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True,
        )
        late = False
        try:
            child.wait(deadline)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
        output.seek(0)
        errors.seek(0)
        answers = {line['id']: line['answer'] for line in map(json.loads, output)}
        if late or child.returncode != 0:
            how = 'ran out of time' if late else 'failed'
            raise RuntimeError(f'{arguments} {how} after {list(answers)[-1:]}:\n{errors.read()[-4000:]}')
        return answers
    finally:
        output.close()
        errors.close()
        shutil.rmtree(directory, ignore_errors=True)


def ask_all():
    jobs = [(['--shared'], SHARED_DEADLINE)] + [(['--alone', case_id], ALONE_DEADLINE) for case_id in sorted(ALONE)]
    answers = {}
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as executor:
        for found in executor.map(lambda job: ask(*job), jobs):
            answers.update(found)
    missing = set(CASES) - set(answers)
    if missing:
        raise RuntimeError(f'no answer to {sorted(missing)}')
    return answers


def main(arguments):
    load_cases()
    match arguments:
        case ['--shared', directory]:
            run_shared(directory)
        case ['--alone', case_id, directory]:
            run_alone(case_id, directory)
        case ['--case', case_id]:
            print(json.dumps(ask(['--alone', case_id], ALONE_DEADLINE)[case_id], sort_keys=True))
        case [] | [_]:
            golden = {'cases': ask_all(), 'python': '.'.join(map(str, sys.version_info[:2]))}
            with open(arguments[0] if arguments else os.path.join(HERE, 'golden.json'), 'w') as file:
                file.write(json.dumps(golden, indent=2, sort_keys=True, ensure_ascii=True) + '\n')
        case _:
            raise SystemExit(__doc__)


if __name__ == '__main__':
    main(sys.argv[1:])
