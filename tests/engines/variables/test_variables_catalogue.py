"""The catalogue: identity by meaning, ordinals for ever, one TOML twin, and nothing about a person that no lender should ask."""

import dataclasses
import hashlib
from collections import defaultdict

import pytest

from puhui.engines import variables
from puhui.engines.variables.lending import LENDING as DECLARED
from puhui.engines.variables.refusals import BadDeclaration, NoSuchVariable
from puhui.engines.variables.tables import REFUSED_WORDS

LENDING = variables.lending()
SHOP = variables.Table("shop", zh="购物", en="purchases", source="shop", purpose="credit-assessment", money=("price",), category={"kind": ("a", "b")})
ASKED = variables.over(SHOP).where(variables.ALL, variables.each("kind")).fields("price").windows("7d last1 last2").aggs("sum std").count().gaps("mean std")


def test_an_id_is_the_hash_of_the_written_meaning():
    meaning = '["puhui.variables 1","txn.amount.sum.30d[channel=app]","txn",[["amount","money","fen"],["channel","category",null]]]'
    assert LENDING.id("txn.amount.sum.30d[channel=app]") == hashlib.sha256(meaning.encode()).hexdigest()


def test_a_new_column_or_value_elsewhere_changes_no_id():
    wider = dataclasses.replace(SHOP, money=("price", "tax"), category={"kind": ("a", "b", "c"), "place": ("x",)})
    before, after = variables.Catalogue(ASKED), variables.Catalogue(dataclasses.replace(ASKED, blocks=(dataclasses.replace(ASKED.blocks[0], table=wider),)))
    assert before.id("shop.price.sum.7d[kind=a]") == after.id("shop.price.sum.7d[kind=a]")
    difference = before.diff(after)
    assert not difference.retired
    assert not difference.changed
    assert difference.added
    assert all("kind=c" in name for name in difference.added)
    assert before.shape_sha256 != after.shape_sha256


def test_another_unit_is_another_variable():
    one = variables.Table("w", zh="w", en="w", source="s", purpose="p", number={"x": "days"})
    other = dataclasses.replace(one, number={"x": "hours"})
    before, after = (variables.Catalogue(variables.over(table).fields("x").windows("7d").aggs("sum")) for table in (one, other))
    assert before.diff(after).changed == ("w.x.sum.7d",)


def test_expansion_leaves_out_what_says_nothing():
    names = variables.Catalogue(ASKED).names
    assert "shop.price.sum.last1" in names
    assert "shop.price.std.last1" not in names
    assert "shop.gap.mean.last1" not in names
    assert "shop.gap.std.last2" not in names
    assert len(set(names)) == len(names)


def test_a_released_block_is_frozen_and_more_comes_after():
    lock = variables.Catalogue(ASKED).lock
    more = ASKED + variables.over(SHOP).windows("14d").count()
    grown = variables.Catalogue(more, lock=lock)
    assert grown.names[: len(variables.Catalogue(ASKED))] == variables.Catalogue(ASKED).names
    with pytest.raises(BadDeclaration):
        variables.Catalogue(variables.over(SHOP).windows("14d").count() + ASKED, lock=lock)
    with pytest.raises(BadDeclaration):
        variables.Catalogue(ASKED.windows("7d"), lock=lock)


def test_the_toml_twin_is_the_same_catalogue():
    again = variables.from_toml(LENDING.to_toml())
    assert again.sha256 == LENDING.sha256
    assert again.blocks == LENDING.blocks
    with pytest.raises(BadDeclaration):
        variables.from_toml("[[table]]\nname = 'x'")


def test_the_yaml_twin_is_the_same_catalogue():
    again = variables.from_yaml(LENDING.to_yaml())
    assert again.sha256 == LENDING.sha256
    assert again.blocks == LENDING.blocks
    for text in ("table: [", "- 1", "table:\n- name: x", "block: 3", ""):
        with pytest.raises(BadDeclaration):
            variables.from_yaml(text)


def test_an_undeclared_name_is_read_but_has_no_ordinal():
    assert str(LENDING.parse("txn.count.33d")) == "txn.count.33d"
    assert LENDING.ordinal(LENDING.names[77]) == 77
    with pytest.raises(NoSuchVariable):
        LENDING.ordinal("txn.count.33d")


def test_lineage_reaches_source_purpose_and_consent():
    lineage = LENDING.lineage("bureau.balance.max.90d[kind=status&lender=bank]")
    assert lineage.columns == ("balance", "kind", "lender")
    assert (lineage.source, lineage.purpose, lineage.consent) == ("credit_bureau", "credit-assessment", "credit-report")


def test_a_table_has_sixteen_plain_windows_at_most():
    windows = defaultdict(set)
    for declaration in DECLARED:
        for block in declaration.blocks:
            windows[block.table.name] |= set(block.cuts)
    assert all(len(cuts) <= 16 for cuts in windows.values())


def test_nobody_can_declare_what_no_lender_should_ask():
    for word in sorted(REFUSED_WORDS):
        with pytest.raises(BadDeclaration):
            dataclasses.replace(SHOP, entity=(word,))
    assert all(REFUSED_WORDS.isdisjoint(column.split("_")) for table in LENDING.tables for column in (*table.fields, *table.texts))
