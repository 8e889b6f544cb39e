"""A variable is its name: read, written, explained, and refused in any other spelling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puhui.engines import variables
from puhui.engines.variables.names import Clause, Form, Span, Window
from puhui.engines.variables.refusals import NoSuchVariable
from puhui.proofs.variables import random_names

LENDING = variables.lending()


def test_every_declared_name_reads_back_as_itself():
    assert len(LENDING) >= 100_000
    assert all(str(LENDING.parse(name)) == name for name in LENDING.names[::5])


def test_every_form_of_name_reads_back_as_itself():
    names = list(random_names(np.random.default_rng(5), LENDING, 3000))
    assert all(str(LENDING.parse(name)) == name for name in names)


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=4, unique=True))
def test_any_text_can_be_a_filter_value(values):
    variable = variables.Variable("txn", Form.COUNT, window=Window(Span.DAYS, 7), filter=(Clause("channel", tuple(sorted(values))),))
    assert LENDING.parse(str(variable)) == variable


@pytest.mark.parametrize(("wrong", "right"), [
    ("txn.count.24h", "txn.count.1d"),
    ("txn.count.030d", "txn.count.30d"),
    ("txn.count.7d[type=food&channel=app]", "txn.count.7d[channel=app&type=food]"),
    ("txn.count.7d[channel=card|app|card]", "txn.count.7d[channel=app|card]"),
    ("txn.count.7d[channel=%61pp]", "txn.count.7d[channel=app]"),
    ("txn.count.7d[channel=a%2fb]", "txn.count.7d[channel=a%2Fb]"),
    ("txn.count.7d[channel=a b]", "txn.count.7d[channel=a%20b]"),
    ("txn.amount.sum.168h/720h", "txn.amount.sum.7d/30d"),
])  # fmt: skip
def test_another_spelling_is_refused_and_shown_the_right_one(wrong, right):
    with pytest.raises(NoSuchVariable) as refused:
        LENDING.parse(wrong)
    assert refused.value.code == "variables.no-such-variable"
    assert right in refused.value.text
    assert str(LENDING.parse(right)) == right


@pytest.mark.parametrize("name", [
    "", "txn", "txn.", "txn.count", "nobody.count.7d", "txn.amount.7d", "txn.amount.median.7d", "txn.height.sum.7d", "txn.amount.sum.0d",
    "txn.amount.sum.7w", "txn.amount.sum.30d/7d", "txn.amount.sum.7d/7d", "txn.amount.std.7d/30d", "txn.gap.mean.7d/30d", "txn.amount.sum.last3/30d",
    "txn.amount.sum.last3/ever", "txn.count.7d/all", "txn.recency[type=food]/all", "txn.amount.mean.7d[type=food]/all", "txn.count.7d/30d[type=food]/all",
    "txn.gap.max.7d[type=food]/all", "txn.count.7d[]", "txn.count.7d[type=]", "txn.count.7d[type=%FF]", "txn.count.7d[amount=3]",
    "txn.count.7d[counterparty=a]", "txn.count.7d[type=a&type=b]", "txn.distinct.amount.7d", "txn.count.7d[type=food", "txn.recency.7d", "\ud800",
    "txn.count.7d[type=\ud800]", "txn.count." + "9" * 5000 + "d", "txn.count.٣d",
])  # fmt: skip
def test_what_is_no_name_is_refused(name):
    with pytest.raises(NoSuchVariable):
        LENDING.parse(name)


def test_no_two_variables_share_a_sentence():
    for lang in ("zh", "en"):
        sentences = {LENDING.describe(name, lang) for name in LENDING.names[::2]}
        assert len(sentences) == len(LENDING.names[::2])


def test_a_sentence_says_window_group_and_unit():
    assert LENDING.describe("txn.amount.sum.30d[channel=app]") == "近30天手机渠道交易金额合计（分）"
    assert LENDING.describe("txn.gap.max.90d", "en") == "longest gap between transactions in the last 90 days (days)"
