"""Mutants neither crash nor hang, and the count notices what would."""

from puhui.engines import rules
from puhui.proofs import rules_fuzz


def test_mutants_neither_crash_nor_hang():
    told = rules_fuzz.run(3000, 7)
    assert (told["cases"], told["crashes"]) == (3000, 0), told["first"]


def test_a_loop_of_many_turns_ends_with_a_diagnostic():
    for text in ("for i in 1..100000, j in [1,2,3] return i * j", "some x in 1..90000 satisfies x < 0", "count(for i in 1..99 return for j in 1..999 return i)"):
        told = rules.feel_with(text)
        assert told.value is None
        assert any(one.code == "feel.limit" for one in told.diagnostics)
    assert rules.feel("count(for i in 1..19000 return i)") == 19_000


def test_a_crash_is_counted_with_its_case(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(rules_fuzz.rules, "feel_with", broken)
    told = rules_fuzz.run(10, 1)
    assert told["crashes"] == 7
    assert told["first"].startswith("RuntimeError")
