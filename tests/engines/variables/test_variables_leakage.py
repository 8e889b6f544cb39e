"""What was not known at the instant asked about changes no bit of the answer."""

from puhui.proofs import leakage


def test_a_planted_future_changes_no_bit_and_a_planted_past_does():
    told = leakage.run(40, seed=3, names=1500)
    assert told["bits_changed"] == 0
    assert told["control_changed"] >= 0.5
    assert (told["mutants"], told["missed"], told["uncompiled_differs"]) == (6, [], False)
