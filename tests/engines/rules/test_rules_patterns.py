"""Regular expressions as XPath defines them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui.engines.rules import patterns
from puhui.engines.rules.values import Trouble


@pytest.mark.parametrize(
    ("text", "pattern", "flags", "is_there"),
    [
        ("x", "[A-Z-[OI]]", "i", True),
        ("i", "[A-Z-[OI]]", "i", False),
        ("hello world", r"\p{IsBasicLatin}+", "", True),
        ("Ä", r"^\p{Lu}$", "", True),
        ("a:b", r"^\i\c*$", "", True),
        ("1a", r"^\i", "", False),
        ("aXa", r"^(a)X\1$", "", True),
        ("a\nb", "a.b", "", False),
        ("a\nb", "a.b", "s", True),
        ("a+b", "a+b", "q", True),
        ("K", "k", "i", True),
        ("中国", r"^\w{2}$", "", True),
    ],
)
def test_a_pattern_stands_or_does_not(text, pattern, flags, is_there):
    assert patterns.matches(text, pattern, flags) is is_there


@pytest.mark.parametrize(
    ("pattern", "flags"),
    [("(", ""), (")", ""), ("[", ""), ("[]", ""), ("a**", ""), (r"\2(a)", ""), (r"\q", ""), ("a{3,2}", ""), ("[b-a]", ""), ("a", "y"), (r"\p{Xx}", "")],
)
def test_what_is_no_pattern_is_said(pattern, flags):
    with pytest.raises(Trouble):
        patterns.compiled(pattern, flags)


PIECES = ["a", "b", "c", ".", "[ab]", "[^a]", "(a|b)", "(ab)", "(?:bc)", "a*", "b+", "c?", "a*?", "(ab){1,2}", "^", "$"]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5), st.text("abc", max_size=10))
def test_it_finds_what_pythons_own_finds(pieces, text):
    """Where the two dialects agree, the first place found is the same."""
    pattern = "".join(pieces)
    ours, theirs = patterns.compiled(pattern, "").find(text, 0), re.compile(pattern).search(text)
    assert (ours[:2] if ours else None) == (theirs.span() if theirs else None)
