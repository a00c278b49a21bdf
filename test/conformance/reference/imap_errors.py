"""imap and imap_unordered: failing items, failing inputs."""
from .harness import outcome, shared, steps
from .maps import failing_source
from .tasks import checked, sqr


def drain(iterator):
    """All outcomes up to the end; iteration goes on after an error."""
    found = []
    while not found or 'done' not in found[-1]:
        found.append(outcome(lambda: next(iterator)))
    return found[:-1]


def tally(outcomes):
    values = sorted(found['value'] for found in outcomes if 'value' in found)
    errors = sorted(found['error']['message'] for found in outcomes if 'error' in found)
    return {'errors': errors, 'values': values}


def items(failing, count=10):
    return [(n, n in failing) for n in range(count)]


@shared('imap-errors/goes-on')
def _(ctx):
    return {'value': drain(ctx.pool.imap(checked, items({3, 7})))}


@shared('imap-errors/goes-on-unordered')
def _(ctx):
    return tally(drain(ctx.pool.imap_unordered(checked, items({3, 7}))))


@shared('imap-errors/first')
def _(ctx):
    return {'value': steps(ctx.pool.imap(checked, items({0}, 2)), 4)}


@shared('imap-errors/last')
def _(ctx):
    return {'value': steps(ctx.pool.imap(checked, items({1}, 2)), 4)}


@shared('imap-errors/all')
def _(ctx):
    return tally(drain(ctx.pool.imap(checked, items(set(range(5)), 5))))


@shared('imap-errors/chunked')
def _(ctx):
    return {'value': drain(ctx.pool.imap(checked, items({3}), 2))}


@shared('imap-errors/chunked-unordered')
def _(ctx):
    return tally(drain(ctx.pool.imap_unordered(checked, items({3}), 10)))


@shared('imap-errors/chunked-twice')
def _(ctx):
    return {'value': drain(ctx.pool.imap(checked, items({1, 2}, 6), 3))}


@shared('imap-errors/next-timeout')
def _(ctx):
    iterator = ctx.pool.imap(checked, items({0}, 2))
    return {'value': [outcome(lambda: iterator.next(10)) for _ in range(3)]}


@shared('imap-errors/source-first')
def _(ctx):
    return {'value': [steps(ctx.pool.imap(sqr, failing_source(1, -1)), 2) for _ in range(2)]}


@shared('imap-errors/source-midway')
def _(ctx):
    return {'value': steps(ctx.pool.imap(sqr, failing_source(10, 3)), 5)}


@shared('imap-errors/source-chunk-2')
def _(ctx):
    return {'value': steps(ctx.pool.imap(sqr, failing_source(20, 6), 2), 8)}


@shared('imap-errors/source-within-chunk')
def _(ctx):
    return {'value': steps(ctx.pool.imap(sqr, failing_source(20, 7), 4), 9)}


@shared('imap-errors/source-first-unordered')
def _(ctx):
    return {'value': [steps(ctx.pool.imap_unordered(sqr, failing_source(1, -1)), 2) for _ in range(2)]}


@shared('imap-errors/source-midway-unordered')
def _(ctx):
    return tally(drain(ctx.pool.imap_unordered(sqr, failing_source(10, 3))))


@shared('imap-errors/source-chunk-2-unordered')
def _(ctx):
    found = tally(drain(ctx.pool.imap_unordered(sqr, failing_source(20, 7), 2)))
    return {'errors': found['errors'], 'valid': set(found['values']) <= {n * n for n in range(7)}}


@shared('imap-errors/source-not-remote')
def _(ctx):
    try:
        next(ctx.pool.imap(sqr, failing_source(1, -1)))
    except Exception as error:
        return {'message': str(error), 'remote': error.__cause__ is not None}


@shared('imap-errors/not-iterable')
def _(ctx):
    return {
        'first': outcome(lambda: next(ctx.pool.imap(sqr, 5))),
        'then': outcome(lambda: list(ctx.pool.imap(sqr, [5]))),
    }


@shared('imap-errors/pool-goes-on')
def _(ctx):
    for _ in range(10):
        drain(ctx.pool.imap(checked, items({2}, 4)))
        drain(ctx.pool.imap_unordered(sqr, failing_source(5, 2)))
    return outcome(lambda: ctx.pool.map(sqr, range(5)))
