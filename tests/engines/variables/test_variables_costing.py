"""Cost: what several variables need is shared, nothing is paid twice, and a source that nobody asks any more need not be bought."""

import pytest

from puhui.engines import variables
from puhui.engines.variables import costing

LENDING = variables.lending()
NAMES = ("txn.amount.sum.30d", "txn.amount.mean.30d", "txn.amount.sum.90d", "txn.count.30d[channel=app]", "bureau.count.90d", "app.recency")


def test_shares_add_up_and_what_is_shared_is_cheaper_for_each():
    costs = LENDING.cost(NAMES)
    assert costs.us == pytest.approx(sum(cost.us for cost in costs.by_table().values())) == pytest.approx(sum(cost.us for cost in costs.by_group().values()))
    alone = LENDING.cost(NAMES[:1])
    assert costs.by_name[NAMES[0]].us < alone.us
    assert costs.us < sum(LENDING.cost([name]).us for name in NAMES)


def test_dropping_the_last_of_a_source_saves_its_price_and_dropping_one_of_many_saves_little():
    costs = LENDING.cost(NAMES, prices={"credit_bureau": 300, "wallet_statement": 120})
    assert costs.by_source() == {"credit_bureau": 300, "own_pages": 0, "wallet_statement": 120}
    assert costs.without(["bureau.count.90d"]).sources == ("credit_bureau",)
    assert costs.without(["bureau.count.90d"]).fen == 300
    one = costs.without(["txn.amount.mean.30d"])
    assert (one.sources, one.fen, one.bytes) == ((), 0, 8)
    assert 0 < one.us < costs.without(NAMES[:4]).us
    assert costs.without(NAMES[:4]).fen == 120


def test_the_whole_catalogue_is_priced():
    costs = LENDING.cost()
    assert set(costs.by_table()) == {"txn", "bureau", "app", "repayment", "device"}
    assert len(costs.by_name) == len(LENDING)
    assert costs.without([name for name in LENDING.names if name.startswith("device.")]).us > 0
    assert costing.ROWS["txn"] == 300
