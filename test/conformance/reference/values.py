"""Values that go to a worker and come back: equal, with their types, identities kept within one value."""
import collections
import datetime
import math
import re

from .harness import shared
from .tasks import TaskFailure, identity

EQUAL = {
    'plain': {'list': [1, 'two', None, True, 2.5], 'nested': {'deep': [[], {}]}},
    'text': 'żółć \U0001f40d \0 \ud83d',
    'whole-numbers': [0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 53 - 1],
    'big-integer': 2 ** 200,
    'infinities': [math.inf, -math.inf, 5e-324, 1.7976931348623157e308],
    'date': datetime.datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=datetime.timezone.utc),
    'set': {1, 2, 3},
    'mapping-with-any-keys': {1: 'number', 'one': 'text', (1, 2): 'pair'},
    'bytes': bytes(range(256)),
    'byte-array': bytearray(b'\x00\xff'),
    'empty-values': ['', [], {}, set(), b''],
    'none-in-list': [None, [None], {'none': None}],
    'large-text': 'x' * 2_000_000,
    'large-list': list(range(50_000)),
    'deeply-nested': None,
}
nested = []
for _ in range(100):
    nested = [nested]
EQUAL['deeply-nested'] = nested

for name, value in EQUAL.items():
    def run(ctx, value=value):
        back = ctx.pool.apply(identity, (value,))
        return {'equal': back == value and type(back) is type(value)}

    shared(f'values/{name}')(run)


@shared('values/minus-zero-and-nan')
def _(ctx):
    zero, nan = ctx.pool.apply(identity, ([-0.0, math.nan],))
    return {'minusZero': math.copysign(1, zero) == -1, 'nan': math.isnan(nan)}


@shared('values/pattern')
def _(ctx):
    back = ctx.pool.apply(identity, (re.compile('a(b+)', re.I),))
    return {'finds': back.search('xABBy').group(1)}


@shared('values/cycle')
def _(ctx):
    value = {'name': 'cycle'}
    value['self'] = value
    back = ctx.pool.apply(identity, (value,))
    return {'cycle': back['self'] is back, 'name': back['name']}


@shared('values/shared-reference')
def _(ctx):
    one = [1]
    back = ctx.pool.apply(identity, ([one, one],))
    return {'same': back[0] is back[1]}


@shared('values/order-of-keys')
def _(ctx):
    return {'value': list(ctx.pool.apply(identity, (collections.OrderedDict([('z', 1), ('a', 2)]),)))}


@shared('values/is-a-copy')
def _(ctx):
    value = [1, 2]
    return {'copy': ctx.pool.apply(identity, (value,)) is not value}


@shared('values/error')
def _(ctx):
    back = ctx.pool.apply(identity, ([ValueError('as a value'), TaskFailure('own')],))
    return {'messages': [str(error) for error in back], 'own': isinstance(back[1], TaskFailure)}


@shared('values/in-map-and-imap')
def _(ctx):
    items = [b'a', {1}, 2 ** 70]
    return {'imap': list(ctx.pool.imap(identity, items)) == items, 'map': ctx.pool.map(identity, items) == items}
