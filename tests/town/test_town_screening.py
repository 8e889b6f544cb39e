"""Names are found on the lists in characters, letters, any order and spacing, by alias, and one letter off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from puhui_town.checks.pictures import KINDS, VARIANTS, Picture, draw, read
from puhui_town.checks.screening import Entry, Likeness, Lists, published
from puhui_town.checks.spelling import fold, syllables, unreadable

LIKENESS = Likeness(1_000_000, 950_000, 900_000, 880_000, 820_000, 8)
ONE = Entry(list="court", entry_id="c-1", name="欧阳建国", aliases=("Ouyang Jianguo", "老欧"), kind="court")
LISTS = Lists(version="1", entries=(ONE,), likeness=LIKENESS)


@pytest.mark.parametrize(
    ("asked", "ppm"),
    [
        ("欧阳建国", 1_000_000),
        ("欧阳 建国", 1_000_000),
        ("建国欧阳", 950_000),
        ("老欧", 1_000_000),
        ("OUYANG JIANGUO", 900_000),
        ("ouyang jian-guo", 900_000),
        ("Ōuyáng Jiànguó", 900_000),
        ("Jianguo Ouyang", 880_000),
        ("jian guo, OUYANG", 880_000),
        ("Ouyang Jiangou", 0),
        ("Ouyang Jiangu", 820_000),
        ("李伟", 0),
        ("", 0),
    ],
)
def test_a_name_is_found_however_it_is_spelled(asked: str, ppm: int):
    hits = LISTS.screen(asked)
    assert [hit.similarity_ppm for hit in hits] == ([ppm] if ppm else [])


def test_the_shipped_lists_find_their_own_and_nearly_nobody_else():
    lists = published()
    assert len(lists.entries) >= 60
    for entry in lists.entries:
        assert not unreadable(entry.name)
        for name in entry.names:
            assert entry in [hit.entry for hit in lists.screen(name)]
    common = [surname + given for surname in "王李张刘陈杨赵黄周吴" for given in ("伟", "芳", "秀英", "建国", "小红", "志强")]
    assert not [name for name in common if lists.screen(name)]


def test_a_changed_list_is_another_version_with_one_more_entry():
    before, after = published(), published(changes=1)
    assert len(after.entries) == len(before.entries) + 1
    assert after.version != before.version


def test_surnames_are_read_in_their_own_way():
    assert syllables("单伟") == ("shan", "wei")
    assert syllables("曾红") == ("zeng", "hong")
    assert syllables("司马光") == ("sima", "guang")
    assert fold("Ｌǐ·Wěi") == "li wei"


@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1), st.sampled_from(VARIANTS))
def test_a_picture_shows_what_was_drawn(kind, number, variant):
    assert read(draw(Picture(kind, number, variant))) == Picture(kind, number, variant)


def test_a_picture_survives_being_encoded_again_and_nothing_else_is_one():
    import io

    from PIL import Image

    picture = Picture("face", 4_000_000_001, "screen")
    with Image.open(io.BytesIO(draw(picture))) as image:
        for size, form, quality in (((120, 160), "JPEG", 35), ((333, 211), "PNG", 0), ((800, 600), "JPEG", 50)):
            out = io.BytesIO()
            image.convert("RGB").resize(size).save(out, form, quality=quality)
            assert read(out.getvalue()) == picture
    plain = io.BytesIO()
    Image.new("RGB", (100, 100), "white").save(plain, "JPEG")
    for other in (b"", b"no picture", plain.getvalue(), draw(picture)[:100]):
        assert read(other) is None
