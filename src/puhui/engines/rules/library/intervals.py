"""Allen's relations between points and ranges."""

from __future__ import annotations

from collections.abc import Callable

from puhui.engines.rules.library.registry import BUILTINS, Run, builtin
from puhui.engines.rules.operators import contains, order
from puhui.engines.rules.values import Range, Trouble

Relation = Callable[[object, object], bool]
FORMS = ("point1, point2", "point, range", "range, point", "range1, range2")
RANGES_ONLY = ("range1, range2",)


def _declare(name: str, forms: tuple[str, ...]) -> Callable[[Relation], Relation]:
    def declare(relation: Relation) -> Relation:
        def body(_: Run, left: object, right: object) -> object:
            for one in (left, right):
                if one is None:
                    raise Trouble("null has no place before or after anything", "test for null first", "feel.null")
                if isinstance(one, Range) and (one.start is None or one.end is None or one.unary):
                    raise Trouble("a range with an open end cannot be placed", "give it both ends", "feel.type")
            return relation(left, right)

        for form in forms:
            builtin(name, form)(body)
        return relation

    return declare


def _ranges(left: object, right: object) -> tuple[Range, Range]:
    if isinstance(left, Range) and isinstance(right, Range):
        return left, right
    raise Trouble("expected two ranges", "give ranges", "feel.type")


@_declare("before", FORMS)
def before(left: object, right: object) -> bool:
    end, is_closed = (left.end, left.end_included) if isinstance(left, Range) else (left, True)
    start, is_begun = (right.start, right.start_included) if isinstance(right, Range) else (right, True)
    side = order(end, start)
    return side < 0 or (side == 0 and not (is_closed and is_begun))


@_declare("after", FORMS)
def after(left: object, right: object) -> bool:
    return before(right, left)


@_declare("meets", RANGES_ONLY)
def meets(left: object, right: object) -> bool:
    one, two = _ranges(left, right)
    return one.end_included and two.start_included and order(one.end, two.start) == 0


@_declare("met by", RANGES_ONLY)
def met_by(left: object, right: object) -> bool:
    return meets(right, left)


@_declare("overlaps", RANGES_ONLY)
def overlaps(left: object, right: object) -> bool:
    one, two = _ranges(left, right)
    return not before(one, two) and not before(two, one)


def _ends_later(one: Range, two: Range) -> bool:
    """Whether `one` ends behind `two`."""
    side = order(one.end, two.end)
    return side > 0 or (side == 0 and one.end_included and not two.end_included)


def _starts_earlier(one: Range, two: Range) -> bool:
    side = order(one.start, two.start)
    return side < 0 or (side == 0 and one.start_included and not two.start_included)


@_declare("overlaps before", RANGES_ONLY)
def overlaps_before(left: object, right: object) -> bool:
    one, two = _ranges(left, right)
    return _starts_earlier(one, two) and overlaps(one, two) and not _ends_later(one, two)


@_declare("overlaps after", RANGES_ONLY)
def overlaps_after(left: object, right: object) -> bool:
    return overlaps_before(right, left)


@_declare("finishes", ("point, range", "range1, range2"))
def finishes(left: object, right: object) -> bool:
    if not isinstance(right, Range):
        raise Trouble("expected a range", "give a range", "feel.type")
    if not isinstance(left, Range):
        return right.end_included and order(left, right.end) == 0
    return order(left.end, right.end) == 0 and left.end_included == right.end_included and not _starts_earlier(left, right)


@_declare("finished by", ("range, point", "range1, range2"))
def finished_by(left: object, right: object) -> bool:
    return finishes(right, left)


@_declare("includes", ("range, point", "range1, range2"))
def includes(left: object, right: object) -> bool:
    if not isinstance(left, Range):
        raise Trouble("expected a range", "give a range", "feel.type")
    if not isinstance(right, Range):
        return contains(left, right)
    return not _starts_earlier(right, left) and not _ends_later(right, left)


@_declare("during", ("point, range", "range1, range2"))
def during(left: object, right: object) -> bool:
    return includes(right, left)


@_declare("starts", ("point, range", "range1, range2"))
def starts(left: object, right: object) -> bool:
    if not isinstance(right, Range):
        raise Trouble("expected a range", "give a range", "feel.type")
    if not isinstance(left, Range):
        return right.start_included and order(left, right.start) == 0
    return order(left.start, right.start) == 0 and left.start_included == right.start_included and not _ends_later(left, right)


@_declare("started by", ("range, point", "range1, range2"))
def started_by(left: object, right: object) -> bool:
    return starts(right, left)


@_declare("coincides", ("point1, point2", "range1, range2"))
def coincides(left: object, right: object) -> bool:
    if isinstance(left, Range) and isinstance(right, Range):
        marks = (left.start_included, left.end_included) == (right.start_included, right.end_included)
        return marks and order(left.start, right.start) == 0 and order(left.end, right.end) == 0
    return order(left, right) == 0


assert "before" in BUILTINS
