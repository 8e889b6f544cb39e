from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui.foundation.money import ZERO, Money
from puhui.rooms.payments.order import (
    Direction,
    Happened,
    OrderAlreadySent,
    OrderState,
    PaymentOrder,
    Purpose,
    RailContradictsItself,
    RailSays,
    RailState,
    Source,
    cancelled,
    learn,
    refused,
    sending,
    unanswered,
)
from puhui.vocabulary.ids import CustomerId, LoanId, PaymentOrderId

AT = datetime(2026, 9, 1, 2, tzinfo=UTC)
ORDER = PaymentOrder(
    payment_order_id=PaymentOrderId("po-1a3-1"),
    customer_id=CustomerId("cu-1a3-1"),
    loan_id=LoanId("ln-1a3-1"),
    direction=Direction.PAY_OUT,
    purpose=Purpose.DISBURSE,
    amount=Money(300_000),
    sources=(Source("lender-main", Money(90_000)), Source("pool-funder-07", Money(210_000))),
    target="acct-1",
    allow_partial=False,
    note="disburse",
    ordered_at=AT,
)
ACCEPTED = RailSays("r-1", RailState.ACCEPTED, ZERO, ZERO, 1, None, None)
PAID = RailSays("r-1", RailState.PAID, Money(300_000), ZERO, 2, AT, None)
FAILED = RailSays("r-1", RailState.FAILED, ZERO, ZERO, 2, AT, "rail.account-closed")
RETURNED = RailSays("r-1", RailState.RETURNED, Money(300_000), ZERO, 3, AT, "rail.account-closed")


def told(order: PaymentOrder, *news: RailSays) -> tuple[PaymentOrder, list[Happened]]:
    happened: list[Happened] = []
    for one in news:
        order, more = learn(order, one)
        happened += more
    return order, happened


def test_an_order_is_paid_once_however_often_the_rail_says_so():
    order, happened = told(sending(ORDER), ACCEPTED, PAID, PAID, ACCEPTED, PAID)
    assert (order.state, happened, order.done) == (OrderState.PAID, [Happened.PAID], Money(300_000))


@pytest.mark.parametrize("news", list(permutations([ACCEPTED, PAID, RETURNED])))
def test_news_in_any_order_ends_the_same_and_is_booked_in_order(news):
    order, happened = told(sending(ORDER), *news)
    assert order.state is OrderState.RETURNED
    assert happened == [Happened.PAID, Happened.RETURNED]


def test_a_return_that_overtook_its_payment_is_both():
    order, happened = told(sending(ORDER), RETURNED)
    assert (order.state, happened, order.done) == (OrderState.RETURNED, [Happened.PAID, Happened.RETURNED], ORDER.amount)


@pytest.mark.parametrize("news", list(permutations([ACCEPTED, FAILED, FAILED])))
def test_a_failure_is_told_once(news):
    order, happened = told(unanswered(sending(ORDER)), *news)
    assert (order.state, order.code, happened) == (OrderState.FAILED, "rail.account-closed", [Happened.FAILED])


def test_paid_after_failed_is_never_booked():
    failed, _ = told(sending(ORDER), FAILED)
    with pytest.raises(RailContradictsItself):
        learn(failed, replace(PAID, seq=3))


def test_a_pay_out_of_less_than_ordered_is_never_booked():
    with pytest.raises(RailContradictsItself):
        learn(sending(ORDER), replace(PAID, done=Money(299_999)))


def test_a_collect_may_be_partial_when_it_was_allowed():
    collect = replace(ORDER, direction=Direction.COLLECT, purpose=Purpose.BY_MANDATE, allow_partial=True)
    order, happened = told(sending(collect), replace(PAID, done=Money(120_000)))
    assert (order.state, order.done, happened) == (OrderState.PAID, Money(120_000), [Happened.PAID])


def test_silence_is_unknown_and_unknown_is_no_answer():
    order = unanswered(sending(ORDER))
    assert order.state is OrderState.UNKNOWN
    assert not order.has_ended
    paid, _ = told(order, PAID)
    assert unanswered(paid).state is OrderState.PAID


def test_a_signed_refusal_ends_the_order():
    order, happened = refused(sending(ORDER), code="rail.name-mismatch", at=AT)
    assert (order.state, order.code, happened) == (OrderState.FAILED, "rail.name-mismatch", (Happened.FAILED,))
    assert refused(order, code="rail.name-mismatch", at=AT) == (order, ())


def test_only_an_order_that_never_left_can_be_taken_back():
    assert cancelled(ORDER).state is OrderState.CANCELLED
    with pytest.raises(OrderAlreadySent):
        cancelled(sending(ORDER))
    with pytest.raises(OrderAlreadySent):
        sending(cancelled(ORDER))


@given(st.lists(st.sampled_from([ACCEPTED, PAID, RETURNED]), max_size=12), st.booleans())
def test_whatever_arrives_each_thing_happens_at_most_once_and_in_order(news, was_silent):
    order, happened = told(unanswered(sending(ORDER)) if was_silent else sending(ORDER), *news)
    assert happened in ([], [Happened.PAID], [Happened.PAID, Happened.RETURNED])
    assert order.done == (ORDER.amount if happened else ZERO)
