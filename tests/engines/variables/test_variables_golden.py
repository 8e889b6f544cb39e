"""Golden vectors: what a release answered, the next one answers too, to the last bit; and what it stored, the next one reads.

When the meaning of a variable is to change, it gets another name; these figures then grow, and none of them is rewritten.
"""

import hashlib

import pytest

from puhui.engines import variables
from puhui.engines.variables.missing import Missing

DAY = 86_400_000_000
A = 20_500 * DAY + 12_345
LENDING = variables.lending()
# Of each person: SHA-256 of the blob, of the vector of all declared variables, and of its reasons.
GOLDEN = {
    "nobody": ("38b660e1cea2cd962f07b9cb", "e76152c24804fe02e779777f", "6e412eade6a80d17d533ee89"),
    "few rows": ("b329cadd08e7e252e44f5fe6", "78d707dec5503bdc40085637", "5790ec2c72519ef257395f74"),
    "many rows": ("8d182c9840477b4e386165bb", "0570d1124a5b54d29be85815", "94eaab175ad961ae8daf3822"),
    "large amounts": ("d5cf3f57227345aa29450939", "8ccb7ec8403deb424d284fba", "897c24fa3a4c6ce660f3f67e"),
    "the largest amounts": ("2f57beb729e11b1e58e08e48", "95a7a8d72073ebf960336d17", "f926966ebcfb1bc635bdb6b7"),
}
CATALOGUE = (211_961, "b8aa600e1c8ddb1b7fb5063a", "83c62659dfab7531fcc2abcb")
ANSWERS = {
    "txn.count.30d": "0x1.2000000000000p+3",
    "txn.amount.sum.90d": "0x1.3f4fc40000000p+23",
    "txn.amount.std.360d": "0x1.2221d311e7af7p+18",
    "txn.amount.cv.720d[direction=out]": "0x1.e04ad2dd11bbbp-1",
    "txn.amount.trend.180d": "0x1.0301c7a67d36ap+9",
    "txn.gap.std.720d": "0x1.62955df7c737dp+1",
    "txn.balance.sum.30d/90d": "0x1.4fd71352361c0p-2",
    "txn.amount.sum.360d[direction=in]/all": "0x1.c5803b8708c18p-4",
    "bureau.distinct.organization.720d": "0x1.4000000000000p+2",
    "app.recency": "0x1.76280b18b7dcdp+1",
    "repayment.late_days.mean.last10": "0x1.ef44600000000p+17",
    "device.tenure": "0x1.bee0b7764d216p+9",
}


def turns(seed):
    """Give whole numbers that depend on nothing but the seed."""
    while True:
        seed = (seed * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % (1 << 64)
        yield seed >> 33


def somebody(seed, rows, size):
    """Give a history of so many rows a table, with nulls, corrections, and amounts below `size`."""
    dice = turns(seed)
    tables = {}
    for table in LENDING.tables:
        columns = {name: [] for name in ("event_id", "event_time", "known_time", "revision", "retracted", *table.fields, *table.texts)}
        for event in range(rows):
            at = A - (next(dice) << 31 | next(dice)) % (900 * DAY)
            columns["event_id"].append(event - (event % 7 == 6))
            columns["event_time"].append(at)
            columns["known_time"].append(at + (next(dice) << 31 | next(dice)) % (3 * DAY))
            columns["revision"].append(event)
            columns["retracted"].append(next(dice) % 23 == 0)
            for name in table.fields:
                columns[name].append(None if next(dice) % 11 == 0 else (next(dice) << 31 | next(dice)) % size - size // 5)
            for name in table.texts:
                words = (*table.category.get(name, ("p", "q", "r", "s")), None, "别的")
                columns[name].append(words[next(dice) % len(words)])
        tables[table.name] = columns
    fetches = {table.name: [variables.Fetch(A - DAY, f"consent-{table.name}")] for table in LENDING.tables if table.consent}
    return variables.History.read(LENDING, tables, fetches=fetches)


PEOPLE = {
    "nobody": lambda: variables.History.read(LENDING, {}),
    "few rows": lambda: somebody(1, 9, 100_000),
    "many rows": lambda: somebody(2, 400, 1_000_000),
    "large amounts": lambda: somebody(3, 150, 1 << 34),
    "the largest amounts": lambda: somebody(4, 60, 1 << 39),
}


def marks(person):
    plan = LENDING.plan()
    found = (person.blob(), plan.one(person, A).tobytes(), plan.kinds(person, A).tobytes())
    return tuple(hashlib.sha256(one).hexdigest()[:24] for one in found)


@pytest.mark.parametrize("who", sorted(PEOPLE))
def test_a_release_answers_what_the_one_before_answered(who):
    assert marks(PEOPLE[who]()) == GOLDEN[who]


def test_the_catalogue_is_the_released_one():
    assert (len(LENDING), LENDING.sha256[:24], LENDING.shape_sha256[:24]) == CATALOGUE


def test_some_answers_of_many_rows_by_name():
    person = PEOPLE["many rows"]()
    plan = LENDING.plan(sorted(ANSWERS))
    assert {name: value.hex() for name, value in zip(plan.names, plan.one(person, A).tolist(), strict=True)} == ANSWERS
    assert plan.why(PEOPLE["nobody"](), A, "txn.count.30d") is Missing.NO_TABLE
