"""What a borrower reads when something does not go through: all of it in his language, whatever the step itself found."""

import importlib
import pkgutil
import re
from string import Formatter

import pytest

import puhui
from puhui.foundation.refusals import BadField, NotFound, Refusal
from puhui.web.borrower import stepping
from puhui.web.errors import told

ELSEWHERE = ("puhui.proofs", "puhui.cli", "puhui.engines", "puhui.web.console", "puhui.rooms.staff")
NOT_FOR_BORROWERS = {"puhui.journeys.office", "puhui.rooms.channels.purchase", "puhui.rooms.histories.history"}
PLAIN = {"owed", "loans", "payoff", "last_day", "most", "left_s", "expires_on", "least", "step", "months", "cap"}
"""Facts in Chinese sentences that are numbers, days or names of papers."""
CHINESE = {"customers.no-consent": {"what": "查询征信"}}
"""Facts that are Chinese where they come from."""


def every_refusal() -> list[type[Refusal]]:
    for module in pkgutil.walk_packages(puhui.__path__, "puhui."):
        if not module.name.startswith(ELSEWHERE) and "__main__" not in module.name:
            importlib.import_module(module.name)

    def below(kind: type[Refusal]) -> list[type[Refusal]]:
        return [one for sub in kind.__subclasses__() for one in (sub, *below(sub))]

    found = {kind for kind in below(Refusal) if kind.__module__.startswith("puhui.") and not kind.__module__.startswith(ELSEWHERE)}
    return sorted((kind for kind in found if kind.__module__ not in NOT_FOR_BORROWERS), key=lambda kind: (kind.__module__, kind.__name__))


@pytest.mark.parametrize("kind", every_refusal(), ids=lambda kind: kind.__name__)
def test_no_refusal_says_english_in_a_chinese_page(kind):
    names = {name for text in (kind.zh, kind.__doc__ or "") for _, name, _, _ in Formatter().parse(text) if name}
    facts = {name: 7 if name in PLAIN else "english words" for name in names} | CHINESE.get(kind.code, {})
    shown = stepping.refused(kind.status, told(kind(**facts)))
    assert re.search("[一-鿿]", shown.zh), shown
    assert "english" not in shown.zh, shown
    assert not re.search("[一-鿿]", shown.en), shown


@pytest.mark.parametrize(
    ("field", "zh", "english"),
    [
        ("person.id_number", "“身份证号”没有填对：18 位，请对照身份证再看一遍。什么都没有改变。", "“Id number” is not filled in right: 18 signs; please compare it with the card. Nothing was changed."),
        ("fields.monthly_income_fen", "“每月收入”没有填对：请写每月多少元，例如 4500。什么都没有改变。", "“Monthly income” is not filled in right: write yuan a month, such as 4500. Nothing was changed."),
        ("recipient", "有一处没有填对，请检查后再提交。什么都没有改变。", "Something is not filled in right; please look again. Nothing was changed."),
    ],
)
def test_a_field_that_is_not_right_is_named_and_what_it_wants_is_said(field, zh, english):
    shown = stepping.refused(400, told(BadField(field=field, why="its check sign does not fit")))
    assert (shown.zh, shown.en) == (zh, english)


def test_what_is_not_there_is_named_in_both_languages_and_its_id_in_none():
    shown = stepping.refused(404, told(NotFound(what="loan", which="ln-000-x")))
    assert (shown.zh, shown.en) == ("没有找到这笔借款。请从首页重新进入。", "We did not find this loan. Please begin at the first page.")


def test_the_api_itself_says_no_english_reason_in_its_chinese_sentence():
    """An app that shows `text_zh` as it comes shows Chinese."""
    body = told(BadField(field="amount", why="it must lie between 50000 and 20000000"))
    assert body["text_zh"] == "“amount”没有填对，什么都没有改变，请改好再发一次。"
