"""Products and sentences are data, and whole."""

import string
from importlib import resources

import pytest

from puhui.vocabulary.products import UnknownProductError, product, read_product
from puhui.vocabulary.reasons import SENTENCES, Reason


def test_the_starter_family_is_what_the_lender_sells() -> None:
    starter = product("starter")
    assert starter.months == (3, 6, 9, 12)
    assert (starter.amount_min_fen, starter.amount_max_fen, starter.amount_typical_fen) == (50_000, 20_000_000, 300_000)
    assert starter.methods == ("level_payment", "level_principal")
    assert starter.charges == ()
    assert (starter.ladder[0].line_min_fen, starter.ladder[0].line_max_fen) == (50_000, 300_000)


@pytest.mark.parametrize(("probability_ppm", "band"), [(0, "A"), (15_000, "A"), (15_001, "B"), (260_000, "G"), (260_001, "H"), (1_000_000, "H")])
def test_a_probability_lies_in_one_band(probability_ppm: int, band: str) -> None:
    assert product("starter").band_of(probability_ppm).name == band


def test_riskier_bands_never_pay_less_nor_borrow_more() -> None:
    bands = product("starter").bands
    assert [band.rate_ppm for band in bands] == sorted(band.rate_ppm for band in bands)
    assert [band.amount_max_fen for band in bands] == sorted((band.amount_max_fen for band in bands), reverse=True)


@pytest.mark.parametrize(("amount_fen", "months", "is_on_sale"), [(300_000, 6, True), (300_001, 6, False), (40_000, 6, False), (300_000, 5, False)])
def test_what_is_on_sale(amount_fen: int, months: int, is_on_sale: bool) -> None:
    assert product("starter").is_on_sale(amount_fen, months) is is_on_sale


def test_an_unknown_product_is_named_and_one_changed_byte_is_another_product() -> None:
    with pytest.raises(UnknownProductError):
        product("gold")
    text = (resources.files("puhui.products") / "starter.toml").read_bytes()
    assert read_product(text) == product("starter")
    assert read_product(text + b"\n").sha256 != product("starter").sha256


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_every_reason_has_both_languages_with_the_same_slots(code: str) -> None:
    slots = {language: {name for _, name, _, _ in string.Formatter().parse(text) if name} for language, text in SENTENCES[code].items()}
    assert set(slots) == {"zh", "en"}
    assert slots["zh"] == slots["en"]
    filled = Reason(code, dict.fromkeys(slots["zh"], "7"))
    assert "{" not in filled.sentence("zh") + filled.sentence("en")
