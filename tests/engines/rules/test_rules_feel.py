"""FEEL as people write it: values, nulls and names."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from puhui.engines.rules import Date, DateTime, Range, feel, feel_with
from puhui.engines.rules.values import days_of

D = Decimal


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", D(7)),
        ("-2 ** 2", D(4)),
        ("0.1 + 0.2 = 0.3", True),
        ("1 / 3", D("0.3333333333333333333333333333333333")),
        ('"a" + "b"', "ab"),
        ("[1, 2, 3][item > 1]", [D(2), D(3)]),
        ("[10, 20][-1]", D(20)),
        ('[{a: 1, b: "x"}, {a: 2, b: "y"}][a > 1].b', ["y"]),
        ("{first sum: 1 + 1, twice: first sum * 2}.twice", D(4)),
        ("for x in 1..3, y in [10, 20] return x * y", [D(10), D(20), D(20), D(40), D(30), D(60)]),
        ("for i in 0..4 return if i = 0 then 1 else i * partial[-1]", [D(1), D(1), D(2), D(6), D(24)]),
        ("some x in [1, 2] satisfies x > 1", True),
        ("every x in [1, 2] satisfies x > 1", False),
        ("5 in ]1..5]", True),
        ("5 in (< 5)", False),
        ("5 in (1, [4..6[)", True),
        ("7 between 3 and 7 and true", True),
        ('date("2024-02-29") + @"P1Y"', Date(2025, 2, 28)),
        ('@"2026-11-23T23:30:00" + @"PT1H"', DateTime.from_local(days_of(2026, 11, 24) * 86_400 * 10**9 + 1800 * 10**9, None)),
        ('string(@"PT90M")', "PT1H30M"),
        ('string(@"10:00:00@Asia/Shanghai")', "10:00:00@Asia/Shanghai"),
        ("string([1..3))", "[1..3)"),
        ('string length("\\uD83D\\uDC0E")', D(1)),
        ('replace("0123456789", "(\\d{3})(\\d{3})(\\d{4})", "($1) $2-$3")', "(012) 345-6789"),
        ("sort([3, 1, 2], function(x, y) x > y)", [D(3), D(2), D(1)]),
        ("{f: function(n) if n < 2 then 1 else n * f(n - 1), r: f(5)}.r", D(120)),
        ("string(1.50)", "1.5"),
        ("string(1e3)", "1000"),
        ("/* a comment */ 1 // and one more", D(1)),
        ("[1..3[", Range(D(1), D(3), True, False)),
        ("[1, 2] = [1, 2]", True),
        ('is(@"10:00:00Z", @"10:00:00@Etc/UTC")', False),
        ("not(null)", None),
        ("null and false", False),
        ("null or true", True),
        ("null = 5", False),
        ("null < 5", None),
        ('1 = "1"', None),
    ],
)
def test_an_expression_has_its_value(expression, value):
    assert feel(expression) == value


def test_names_of_several_words_are_one_name_where_they_are_known():
    context = {"Pre-bureau risk": "HIGH", "a-b": 7, "a": 10, "b": 4, "Mother's maiden name": "Li", "profit and loss": 3, "月收入": 5}
    assert feel('Pre-bureau risk = "HIGH"', context) is True
    assert feel("a-b", context) == 7
    assert feel("a-b", {"a": 10, "b": 4}) == 6
    assert feel("a - b + 1", context) == 8
    assert feel("Mother's maiden name", context) == "Li"
    assert feel("profit  and loss + 1", context) == 4
    assert feel("月收入 * 2", context) == 10
    assert feel("person.monthly income", {"person": {"monthly income": 8}}) == 8


def test_what_has_no_value_says_what_where_and_what_to_do():
    told = feel_with("1 +\n  nobody")
    assert told.value is None
    first = told.diagnostics[0]
    assert (first.code, first.line, first.column, first.source) == ("feel.name", 2, 3, "nobody")
    assert "nobody" in first.message
    assert first.hint

    told = feel_with("1 +")
    assert told.value is None
    assert told.diagnostics[0].code == "feel.syntax"


def test_a_float_is_not_exact_and_is_not_taken():
    told = feel_with("x", {"x": 0.1})
    assert told.value is None
    assert told.diagnostics[0].code == "feel.float"


def test_values_of_python_are_taken_in_and_what_came_out_may_go_in_again():
    context = {"d": date(2026, 11, 23), "t": datetime(2026, 11, 23, 10, tzinfo=UTC), "p": timedelta(hours=36), "n": 5, "list": (1, 2)}
    assert feel("d + p", context) == Date(2026, 11, 24)
    assert str(feel("t + p", context)) == "2026-11-24T22:00:00Z"
    assert feel("count(list) + n", context) == 7
    back = feel('{a: [1..3], b: @"P1D", f: function(x) x + 1}')
    assert feel("v.f(2) in v.a", {"v": back}) is True


def test_now_and_today_come_from_the_instant_alone():
    at = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
    assert str(feel("now()", at=at)) == "2026-11-23T01:02:03Z"
    assert feel("today()", at=at) == Date(2026, 11, 23)
    told = feel_with("today()")
    assert told.value is None
    assert told.diagnostics[0].code == "feel.instant"
    with pytest.raises(ValueError, match="zone"):
        feel("now()", at=datetime(2026, 11, 23))  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    ["2026-11-23", "-999999999-12-31", "999999999-01-01", "10:00:00@Asia/Shanghai", "10:00:00.5Z", "2026-11-23T10:00:00-03:30", "P1Y2M", "-PT1H30M", "P1DT0.001S", "P0M", "PT0S"],
)
def test_the_text_of_a_value_reads_back_as_that_value(text):
    value = feel(f'@"{text}"')
    assert str(value) == text
    assert feel(f'@"{value}"') == value


@given(st.integers(-(10**9) + 1, 10**9 - 1), st.integers(1, 12), st.integers(1, 28))
def test_days_and_dates_are_one_to_one(year, month, day):
    one = Date(year, month, day)
    assert Date.from_days(one.days) == one
    assert Date.from_days(one.days + 1) > one


@given(st.dates())
def test_days_count_as_the_calendar_does(day):
    one = Date(day.year, day.month, day.day)
    assert one.days == (day - date(1970, 1, 1)).days
    assert one.weekday == day.isoweekday()
    assert feel("week of year(d)", {"d": day}) == day.isocalendar().week


ALPHABET = ["1", "2.5", "x", "a b", "(", ")", "[", "]", "{", "}", ",", ":", "..", "+", "-", "*", "/", "**", "<", ">=", "=", "and", "or", "not(", "if ", " then ", " else "]
MORE = ["for i in ", " return ", "some i in ", " satisfies ", "function(x)", "null", "true", '"s"', '@"P1D"', "?", " in ", "instance of ", "list<", "item", "date(", "."]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(ALPHABET + MORE), max_size=25))
def test_no_text_brings_the_engine_down(pieces):
    told = feel_with(" ".join(pieces), {"x": 3, "a b": [1, 2]})
    assert told.value is not None or told.diagnostics or "null" in pieces


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 5000,
        "[" * 5000,
        "-" * 5000 + "1",
        "1" + "+1" * 5000,
        "{a:" * 2000,
        "[1..[" * 100,
        "10**6144*10",
        "for x in 1..999999999 return x",
        "for x in 1..99999, y in 1..99999 return x*y",
        "{f: function(g, n) g(g, n + 1), r: f(f, 1)}.r",
        'matches("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "(a+)+$b")',
        '@"9999999999999999999-01-01"',
        '"' + "x" * 300_000 + '"',
    ],
)
def test_a_limit_is_a_diagnostic(expression):
    told = feel_with(expression)
    assert told.value is None
    assert told.diagnostics
