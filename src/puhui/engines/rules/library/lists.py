"""Built-ins on lists."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cmp_to_key

from puhui.engines.rules import limits
from puhui.engines.rules.library.registry import Run, builtin, listed, number, single, whole
from puhui.engines.rules.operators import arithmetic, kind_name, order, same
from puhui.engines.rules.values import NUMBERS, DaysDuration, Function, MonthsDuration, Trouble


def _given(arguments: Sequence[object]) -> list[object]:
    """The elements, given as one list or one by one. No element at all is Trouble."""
    return listed(arguments[0]) if len(arguments) == 1 else list(arguments)


def _numbers(arguments: Sequence[object]) -> list[Decimal]:
    told = _given(arguments)
    if wrong := [one for one in told if not isinstance(one, Decimal)]:
        raise Trouble(f"expected numbers, not {kind_name(wrong[0])}", "give numbers", "feel.type")
    if not told:
        raise Trouble("the list is empty", "test its length first", "feel.list")
    return [one for one in told if isinstance(one, Decimal)]


@builtin("list contains", "list, element")
def list_contains(_: Run, elements: object, element: object) -> object:
    return any(same(one, element) for one in listed(elements))


@builtin("count", "list")
def count(_: Run, elements: object) -> object:
    return Decimal(len(listed(elements)))


@builtin("min", "list...")
def least(_: Run, *elements: object) -> object:
    return _extreme(elements, -1)


@builtin("max", "list...")
def most(_: Run, *elements: object) -> object:
    return _extreme(elements, 1)


def _extreme(arguments: Sequence[object], side: int) -> object:
    told = _given(arguments)
    if not told:
        raise Trouble("the list is empty", "test its length first", "feel.list")
    best = told[0]
    order(best, best)
    for one in told[1:]:
        if order(one, best) == side:
            best = one
    return best


@builtin("sum", "list...")
def total(_: Run, *elements: object) -> object:
    told = _given(elements)
    if not told:
        raise Trouble("the list is empty", "test its length first", "feel.list")
    if not all(isinstance(one, Decimal | DaysDuration | MonthsDuration) for one in told):
        raise Trouble("only numbers or durations of one kind have a sum", "give numbers", "feel.type")
    whole_sum = told[0]
    for one in told[1:]:
        whole_sum = arithmetic("+", whole_sum, one)
    return whole_sum


@builtin("product", "list...")
def product(_: Run, *elements: object) -> object:
    told = Decimal(1)
    for one in _numbers(elements):
        told = NUMBERS.multiply(told, one)
    return told


@builtin("mean", "list...")
def mean(_: Run, *elements: object) -> object:
    return _mean(_numbers(elements))


def _mean(told: list[Decimal]) -> Decimal:
    whole_sum = Decimal(0)
    for one in told:
        whole_sum = NUMBERS.add(whole_sum, one)
    return NUMBERS.divide(whole_sum, Decimal(len(told)))


@builtin("median", "list...")
def median(_: Run, *elements: object) -> object:
    told = sorted(_numbers(elements))
    middle = len(told) // 2
    if len(told) % 2:
        return told[middle]
    return NUMBERS.divide(NUMBERS.add(told[middle - 1], told[middle]), Decimal(2))


@builtin("stddev", "list...")
def deviation(_: Run, *elements: object) -> object:
    told = _numbers(elements)
    if len(told) < 2:
        raise Trouble("a deviation needs two numbers", "give more numbers", "feel.list")
    middle = _mean(told)
    squares = Decimal(0)
    for one in told:
        away = NUMBERS.subtract(one, middle)
        squares = NUMBERS.add(squares, NUMBERS.multiply(away, away))
    return NUMBERS.sqrt(NUMBERS.divide(squares, Decimal(len(told) - 1)))


@builtin("mode", "list...")
def mode(_: Run, *elements: object) -> object:
    told = _given(elements)
    if not told:
        return []
    counts: dict[Decimal, int] = {}
    for one in _numbers(elements):
        counts[one] = counts.get(one, 0) + 1
    often = max(counts.values())
    return sorted(one for one, times in counts.items() if times == often)


def _truth(arguments: Sequence[object], decisive: bool) -> object:
    told = _given(arguments)
    if wrong := [one for one in told if one is not None and not isinstance(one, bool)]:
        raise Trouble(f"expected booleans, not {kind_name(wrong[0])}", "give booleans", "feel.type")
    if decisive in told:
        return decisive
    if None in told:
        raise Trouble("null leaves it open", "test for null first", "feel.null")
    return not decisive


@builtin("all", "list...")
def every_one(_: Run, *elements: object) -> object:
    return _truth(elements, decisive=False)


@builtin("any", "list...")
def any_one(_: Run, *elements: object) -> object:
    return _truth(elements, decisive=True)


@builtin("and", "list...")
def both(_: Run, *elements: object) -> object:
    return _truth(elements, decisive=False)


@builtin("or", "list...")
def either(_: Run, *elements: object) -> object:
    return _truth(elements, decisive=True)


@builtin("sublist", "list, start position, length?")
def sublist(_: Run, elements: object, start: object, length: object = None) -> object:
    told, begin = listed(elements), _place(listed(elements), start)
    if length is None:
        return told[begin:]
    wanted = whole(length)
    if wanted < 1 or begin + wanted > len(told):
        raise Trouble(f"the list has no {wanted} elements from there", f"it has {len(told)}", "feel.list")
    return told[begin : begin + wanted]


def _place(told: list[object], place: object) -> int:
    """The index of a place that the list has."""
    index = whole(place)
    if index == 0 or abs(index) > len(told):
        raise Trouble(f"the list has no place {index}", f"it has {len(told)} elements", "feel.list")
    return index - 1 if index > 0 else len(told) + index


@builtin("append", "list, item...")
def append(_: Run, elements: object, *items: object) -> object:
    return [*(elements if isinstance(elements, list) else [elements]), *items]


@builtin("concatenate", "list...")
def concatenate(_: Run, *elements: object) -> object:
    return [one for part in elements for one in listed(part)]


@builtin("insert before", "list, position, newItem")
def insert_before(_: Run, elements: object, position: object, item: object) -> object:
    told = listed(elements)
    index = _place(told, position)
    return [*told[:index], item, *told[index:]]


@builtin("remove", "list, position")
def remove(_: Run, elements: object, position: object) -> object:
    told = listed(elements)
    index = _place(told, position)
    return told[:index] + told[index + 1 :]


@builtin("list replace", "list, position, newItem")
def list_replace(run: Run, elements: object, position: object, item: object) -> object:
    if isinstance(position, Function):
        return list_replace_where(run, elements, position, item)
    told = listed(elements)
    index = _place(told, position)
    return [*told[:index], item, *told[index + 1 :]]


@builtin("list replace", "list, match, newItem")
def list_replace_where(run: Run, elements: object, match: object, item: object) -> object:
    if not isinstance(match, Function):
        raise Trouble(f"expected a function, not {kind_name(match)}", "give function(item, newItem) ...", "feel.type")
    told: list[object] = []
    for one in listed(elements):
        is_hit = run.invoke(match, [one, item])
        if not isinstance(is_hit, bool):
            raise Trouble("the match is neither true nor false", "the function must give a boolean", "feel.type")
        told.append(item if is_hit else one)
    return told


@builtin("reverse", "list")
def reverse(_: Run, elements: object) -> object:
    return listed(elements)[::-1]


@builtin("index of", "list, match")
def index_of(_: Run, elements: object, match: object) -> object:
    return [Decimal(place) for place, one in enumerate(listed(elements), 1) if same(one, match)]


def _distinct(told: Sequence[object]) -> list[object]:
    kept: list[object] = []
    plain: set[object] = set()
    for one in told:
        if isinstance(one, Decimal | str) or one is None:
            if one not in plain:
                plain.add(one)
                kept.append(one)
        elif not any(same(one, other) for other in kept):
            kept.append(one)
    return kept


@builtin("union", "list...")
def union(run: Run, *elements: object) -> object:
    return _distinct(listed(concatenate(run, *elements)))


@builtin("distinct values", "list")
def distinct_values(_: Run, elements: object) -> object:
    return _distinct(listed(elements))


@builtin("flatten", "list")
def flatten(_: Run, elements: object) -> object:
    told: list[object] = []
    open_lists = [iter(listed(elements))]
    while open_lists:
        for one in open_lists[-1]:
            if isinstance(one, list):
                open_lists.append(iter(one))
                break
            told.append(one)
            if len(told) > limits.LIST_MAX:
                raise Trouble("the list grows too long", f"at most {limits.LIST_MAX} elements", "feel.limit")
        else:
            open_lists.pop()
    return told


@builtin("sort", "list, precedes?")
def sort(run: Run, elements: object, precedes: object = None) -> object:
    told = listed(elements)
    if precedes is None:
        return sorted(told, key=cmp_to_key(order))
    if not isinstance(single(precedes), Function):
        raise Trouble(f"expected a function, not {kind_name(precedes)}", "give function(x, y) x < y", "feel.type")
    comes_first = single(precedes)

    def side(left: object, right: object) -> int:
        if run.invoke(comes_first, [left, right]) is True:
            return -1
        return 1 if run.invoke(comes_first, [right, left]) is True else 0

    return sorted(told, key=cmp_to_key(side))


__all__ = ["number"]
