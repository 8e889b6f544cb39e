"""The kernels: one table of one person becomes cells, one walk per group, newest row first, moments in registers.

A plan is data to them: groups hold strands (one field, one column to count, or the rows themselves), strands hold items (windows), and an item has
a mask of the answers wanted and the place of the first of them among the cells. Compiled once per type, cached; nothing is compiled per variable.
A missing value is a quiet NaN that carries its reason (`Missing`) in its lowest bits; `deliver` makes it the one NaN.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Whole = Any  # an int64 (or, among wide numbers, uint64) scalar of the compiled code
Real = Any  # a float64 scalar of the compiled code
Wide = tuple[Any, Any]  # 128 bits, two's complement: high and low uint64

FIELD, EVENTS, DISTINCT = 0, 1, 2
NO_EVENT, NULL_FIELD, UNDEFINED = 2, 3, 4
HOUR_US, SECOND_US = 3_600_000_000, 1_000_000
DAY_SECONDS, DAY_US = 86_400, 86_400_000_000
HALF, LOW, ONE, ZERO, TOP = np.uint64(32), np.uint64(0xFFFFFFFF), np.uint64(1), np.uint64(0), np.uint64(63)
LOW_BITS = 20
LOW_MASK = (1 << LOW_BITS) - 1
SAFE = float(1 << 61)
EXACT = float(1 << 53)
NAN = np.nan


@njit(cache=True, error_model="numpy", nogil=True)
def mul_wide(a: Whole, b: Whole) -> Wide:
    """Multiply two uint64 to 128 bits: (high, low)."""
    a0, a1, b0, b1 = a & LOW, a >> HALF, b & LOW, b >> HALF
    p00, p01, p10, p11 = a0 * b0, a0 * b1, a1 * b0, a1 * b1
    mid = (p00 >> HALF) + (p01 & LOW) + (p10 & LOW)
    return p11 + (p01 >> HALF) + (p10 >> HALF) + (mid >> HALF), (p00 & LOW) | (mid << HALF)


@njit(cache=True, error_model="numpy", nogil=True)
def neg_wide(high: Whole, low: Whole) -> Wide:
    """Negate 128 bits, two's complement."""
    low = ~low + ONE
    return ~high + (ONE if low == ZERO else ZERO), low


@njit(cache=True, error_model="numpy", nogil=True)
def mul_signed(a: Whole, b: Whole) -> Wide:
    """Multiply two int64 to 128 bits, two's complement."""
    high, low = mul_wide(np.uint64(-a if a < 0 else a), np.uint64(-b if b < 0 else b))
    if (a < 0) != (b < 0):
        return neg_wide(high, low)
    return high, low


@njit(cache=True, error_model="numpy", nogil=True)
def add_wide(high1: Whole, low1: Whole, high2: Whole, low2: Whole) -> Wide:
    """Add 128 bits."""
    low = low1 + low2
    return high1 + high2 + (ONE if low < low1 else ZERO), low


@njit(cache=True, error_model="numpy", nogil=True)
def shift_wide(high: Whole, low: Whole, bits: Whole) -> Wide:
    """Shift 128 bits left by 1 to 63."""
    left = np.uint64(bits)
    return (high << left) | (low >> (np.uint64(64) - left)), low << left


@njit(cache=True, error_model="numpy", nogil=True)
def round_wide(high: Whole, low: Whole) -> Real:
    """R of a 128-bit whole number: the nearest float64, ties to even."""
    negative = (high >> TOP) == ONE
    if negative:
        high, low = neg_wide(high, low)
    if high == ZERO and (low >> TOP) == ZERO:
        value = np.float64(np.int64(low))
        return -value if negative else value
    bits, rest = 0, high if high != ZERO else low
    while rest != ZERO:
        rest >>= ONE
        bits += 1
    bits += 64 if high != ZERO else 0
    down = bits - 62
    lost = False
    for _ in range(down):
        lost = lost or (low & ONE) == ONE
        low = (low >> ONE) | ((high & ONE) << TOP)
        high >>= ONE
    kept = np.float64(np.int64(low | (ONE if lost else ZERO)))
    value = kept * 2.0**down
    return -value if negative else value


@njit(cache=True, error_model="numpy", nogil=True)
def see(
    as_of: Whole, event_time: Ints, known_time: Ints, revision: Ints, retracted: Bools, slots: Codes, is_plain: Whole, seen: Codes,
) -> int:
    """Write the places of the visible rows, newest first, into `seen` (n,) int32; give how many (section 5, steps 1 to 4)."""
    rows, count = len(event_time), 0
    if is_plain:
        for row in range(rows - 1, -1, -1):
            if known_time[row] <= as_of and event_time[row] < as_of:
                seen[count] = row
                count += 1
        return count
    force = np.full(rows, -1, np.int32)
    for row in range(rows):
        if known_time[row] > as_of:
            continue
        slot = slots[row] if len(slots) else row
        other = force[slot]
        if other < 0 or known_time[row] > known_time[other] or (known_time[row] == known_time[other] and revision[row] > revision[other]):
            force[slot] = row
    for row in range(rows - 1, -1, -1):
        slot = slots[row] if len(slots) else row
        if force[slot] == row and not retracted[row] and event_time[row] < as_of:
            seen[count] = row
            count += 1
    return count


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def empty_field(cells: Floats, cell: Whole, mask: Whole, reason: Whole, nans: Floats) -> None:
    """Emit a window without a value of the field; a sum without rows is 0."""
    if mask & 1:
        cells[cell] = 0.0 if reason == NO_EVENT else nans[reason]
        cell += 1
    for bit in range(1, 10):
        if mask >> bit & 1:
            cells[cell] = nans[reason]
            cell += 1


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def emit_field(
    cells: Floats, cell: Whole, mask: Whole, n: Whole, s1: Whole, least: Whole, most: Whole, first: Whole, last: Whole, spread: Whole,
    above: Whole, below: Whole, nans: Floats,
) -> None:
    """Emit a window's aggregates. `spread` is R(n s2 - s1^2); `above`, `below` are the trend's two rounded numbers."""
    mean = np.float64(s1) / np.float64(n)
    if mask & 1:
        cells[cell] = np.float64(s1)
        cell += 1
    if mask & 2:
        cells[cell] = mean
        cell += 1
    if mask & 4:
        cells[cell] = np.float64(least)
        cell += 1
    if mask & 8:
        cells[cell] = np.float64(most)
        cell += 1
    if mask & 16:
        cells[cell] = np.float64(most - least)
        cell += 1
    if mask & 96:
        std = nans[UNDEFINED] if n < 2 else np.sqrt(spread / np.float64(n * (n - 1)))
        if mask & 32:
            cells[cell] = std
            cell += 1
        if mask & 64:
            cells[cell] = nans[UNDEFINED] if n < 2 or s1 == 0 else std / abs(mean)
            cell += 1
    if mask & 128:
        cells[cell] = np.float64(first)
        cell += 1
    if mask & 256:
        cells[cell] = np.float64(last)
        cell += 1
    if mask & 512:
        cells[cell] = nans[UNDEFINED] if n < 2 or below == 0.0 else above / below


@njit(cache=True, error_model="numpy", nogil=True)
def cut_items(as_of: Whole, time: Ints, first_item: Whole, last_item: Whole, end_item: Whole, edge: Ints, turn: Ints, stops: Ints) -> None:
    """Write in which order a strand's items are reached, newest row first, and after how many rows each.

    Items first_item .. last_item are lengths of time, narrower first; last_item .. end_item are numbers of newest rows. `turn` counts from first_item.
    """
    count, inside = len(time), 0
    item, late = first_item, last_item
    for at in range(end_item - first_item):
        if item < last_item:
            while inside < count and time[inside] >= as_of - edge[item]:
                inside += 1
        newest: int = min(int(edge[late]), count) if late < end_item else count
        if item < last_item and (late >= end_item or inside <= newest):
            turn[at], stops[at] = item - first_item, inside
            item += 1
        else:
            turn[at], stops[at] = late - first_item, newest
            late += 1


@njit(cache=True, error_model="numpy", nogil=True, inline="always")
def walk_narrow(
    zero: Real, rows: Ints, hour: Ints, values: Ints, ok: Bools, first_item: Whole, turn: Ints, stops: Ints, mask: Ints, base: Ints, cells: Floats,
    nans: Floats,
) -> None:
    """Walk a field of a group whose every product fits in int64 (lanes a and b of section 8).

    `zero` chooses the moments' type: float64 where every sum stays below 2^53 (they live in the wide registers), else int64. Same integers.
    """
    n = s1 = s2 = sv = svv = svx = first = last = zero
    least, most = zero + np.int64(1 << 62), zero - np.int64(1 << 62)
    walked = 0
    for at in range(len(turn)):
        now, stop = first_item + turn[at], stops[at]
        while walked < stop:
            row = rows[walked]
            x, v, here = zero + values[row], zero + hour[walked], zero + np.int64(ok[row])
            last = x if n == 0 else last
            first = x if here else first
            n += here
            s1 += x
            s2 += x * x
            sv += v * here
            svv += v * v * here
            svx += v * x
            least = min(least, x if here else least)
            most = max(most, x if here else most)
            walked += 1
        if n == 0:
            empty_field(cells, base[now], mask[now], NULL_FIELD if stop > 0 else NO_EVENT, nans)
        else:
            m, t1, tv = np.int64(n), np.int64(s1), np.int64(sv)
            spread, below = np.float64(m * np.int64(s2) - t1 * t1), np.float64(m * np.int64(svv) - tv * tv)
            above = np.float64(24 * (tv * t1 - m * np.int64(svx)))
            emit_field(
                cells, base[now], mask[now], m, t1, np.int64(least), np.int64(most), np.int64(first), np.int64(last), spread, above, below, nans
            )


@njit(cache=True, error_model="numpy", nogil=True)
def wide_moments(
    n: Whole, s1: Whole, hh: Whole, hl: Whole, ll: Whole, sv: Whole, svv: Whole, vh: Whole, vl: Whole,
) -> tuple[Real, Real, Real]:
    """Round the spread and the trend's two numbers from split moments (x = h 2^20 + l)."""
    a, b = mul_signed(n, hh)
    a, b = shift_wide(a, b, 2 * LOW_BITS)
    c, d = mul_signed(n, hl)
    c, d = shift_wide(c, d, LOW_BITS + 1)
    a, b = add_wide(a, b, c, d)
    c, d = mul_signed(n, ll)
    a, b = add_wide(a, b, c, d)
    c, d = mul_signed(s1, s1)
    c, d = neg_wide(c, d)
    a, b = add_wide(a, b, c, d)
    spread = round_wide(a, b)
    a, b = mul_signed(-24 * n, vh)
    a, b = shift_wide(a, b, LOW_BITS)
    c, d = mul_signed(-24 * n, vl)
    a, b = add_wide(a, b, c, d)
    c, d = mul_signed(24 * sv, s1)
    a, b = add_wide(a, b, c, d)
    above = round_wide(a, b)
    a, b = mul_signed(n, svv)
    c, d = mul_signed(sv, sv)
    c, d = neg_wide(c, d)
    a, b = add_wide(a, b, c, d)
    return spread, above, round_wide(a, b)


@njit(cache=True, error_model="numpy", nogil=True)
def walk_wide(
    rows: Ints, hour: Ints, values: Ints, ok: Bools, first_item: Whole, turn: Ints, stops: Ints, mask: Ints, base: Ints, cells: Floats, nans: Floats,
) -> None:
    """Walk a field of a group whose sums or products may overflow: split sums, 128-bit products (lane c of section 8)."""
    n = s1 = hh = hl = ll = sv = svv = vh = vl = first = last = np.int64(0)
    least, most = np.int64(1 << 62), np.int64(-(1 << 62))
    walked = 0
    for at in range(len(turn)):
        now, stop = first_item + turn[at], stops[at]
        while walked < stop:
            row = rows[walked]
            if ok[row]:
                x, v = values[row], hour[walked]
                h, low = x >> LOW_BITS, x & LOW_MASK
                last = x if n == 0 else last
                first = x
                n += 1
                s1 += x
                hh += h * h
                hl += h * low
                ll += low * low
                sv += v
                svv += v * v
                vh += v * h
                vl += v * low
                least, most = min(least, x), max(most, x)
            walked += 1
        if n == 0:
            empty_field(cells, base[now], mask[now], NULL_FIELD if stop > 0 else NO_EVENT, nans)
        else:
            spread, above, below = wide_moments(n, s1, hh, hl, ll, sv, svv, vh, vl)
            emit_field(cells, base[now], mask[now], n, s1, least, most, first, last, spread, above, below, nans)


@njit(cache=True, error_model="numpy", nogil=True)
def emit_events(
    cells: Floats, cell: Whole, mask: Whole, rows: Whole, least: Whole, most: Whole, g1: Whole, g2: Whole, newest: Whole, oldest: Whole,
    nans: Floats,
) -> None:
    """Emit a window's count, gaps (seconds to days), recency and tenure (`newest`, `oldest` are ages in us)."""
    k = rows - 1
    if mask & 1:
        cells[cell] = np.float64(rows)
        cell += 1
    none = nans[NO_EVENT] if rows == 0 else nans[UNDEFINED]
    if mask & 2:
        cells[cell] = none if k < 1 else np.float64(g1) / np.float64(DAY_SECONDS * k)
        cell += 1
    if mask & 4:
        cells[cell] = none if k < 1 else np.float64(least) / np.float64(DAY_SECONDS)
        cell += 1
    if mask & 8:
        cells[cell] = none if k < 1 else np.float64(most) / np.float64(DAY_SECONDS)
        cell += 1
    if mask & 16:
        if k < 2:
            cells[cell] = none
        else:
            a, b = mul_wide(np.uint64(k), g2)
            c, d = mul_wide(np.uint64(g1), np.uint64(g1))
            c, d = neg_wide(c, d)
            a, b = add_wide(a, b, c, d)
            cells[cell] = np.sqrt(round_wide(a, b) / np.float64(k * (k - 1))) / np.float64(DAY_SECONDS)
        cell += 1
    if mask & 32:
        cells[cell] = none if rows == 0 else np.float64(newest) / np.float64(DAY_US)
        cell += 1
    if mask & 64:
        cells[cell] = none if rows == 0 else np.float64(oldest) / np.float64(DAY_US)


@njit(cache=True, error_model="numpy", nogil=True)
def walk_events(
    as_of: Whole, time: Ints, first_item: Whole, turn: Ints, stops: Ints, mask: Ints, base: Ints, cells: Floats, nans: Floats,
) -> None:
    """Walk the rows of a group themselves."""
    least, most, g1, g2 = np.int64(1 << 62), np.int64(-1), np.int64(0), ZERO
    walked = 0
    for at in range(len(turn)):
        now, stop = first_item + turn[at], stops[at]
        while walked < stop:
            if walked > 0:
                gap = time[walked - 1] // SECOND_US - time[walked] // SECOND_US
                least, most = min(least, gap), max(most, gap)
                g1 += gap
                g2 += np.uint64(gap) * np.uint64(gap)
            walked += 1
        age, oldest = (as_of - time[0], as_of - time[stop - 1]) if stop > 0 else (np.int64(0), np.int64(0))
        emit_events(cells, base[now], mask[now], stop, least, most, g1, g2, age, oldest, nans)


@njit(cache=True, error_model="numpy", nogil=True)
def walk_distinct(
    rows: Ints, codes: Codes, stamp: Ints, strand: Whole, first_item: Whole, turn: Ints, stops: Ints, base: Ints, cells: Floats, nans: Floats,
) -> None:
    """Count different values of a column: a code is new if its stamp is not this strand's."""
    found = 0
    walked = 0
    for at in range(len(turn)):
        now, stop = first_item + turn[at], stops[at]
        while walked < stop:
            code = codes[rows[walked]]
            if code > 0 and stamp[code] != strand:
                stamp[code] = strand
                found += 1
            walked += 1
        cells[base[now]] = nans[NULL_FIELD] if stop > 0 and found == 0 else np.float64(found)


@njit(cache=True, error_model="numpy", nogil=True)
def group_rows(
    seen: Codes, codes: Codes, family_start: Ints, family_column: Ints, family_map: Ints, family_stride: Ints, family_base: Ints,
    maps: Ints, bucket_start: Ints, bucket_group: Ints, groups: Whole,
) -> tuple[Ints, Codes]:
    """Sort the visible rows (newest first) by group; group 0 holds all. Gives (start (groups + 1,), member (entries,)), members in walking order."""
    count, families = len(seen), len(family_base)
    bucket = np.empty((families, count), np.int64)
    start = np.zeros(groups + 1, np.int64)
    start[1] = count
    for family in range(families):
        for place in range(count):
            at = family_base[family]
            for factor in range(family_start[family], family_start[family + 1]):
                at += maps[family_map[factor] + codes[family_column[factor], seen[place]]] * family_stride[factor]
            bucket[family, place] = at
            for entry in range(bucket_start[at], bucket_start[at + 1]):
                start[bucket_group[entry] + 1] += 1
    for group in range(groups):
        start[group + 1] += start[group]
    member = np.empty(start[groups], np.int32)
    fill = start[:groups].copy()
    for place in range(count):
        member[place] = place
    for family in range(families):
        for place in range(count):
            at = bucket[family, place]
            for entry in range(bucket_start[at], bucket_start[at + 1]):
                group = bucket_group[entry]
                member[fill[group]] = place
                fill[group] += 1
    return start, member


@njit(cache=True, error_model="numpy", nogil=True)
def fill_table(
    as_of: Whole, event_time: Ints, known_time: Ints, revision: Ints, retracted: Bools, slots: Codes, is_plain: Whole, values: Ints,
    ok: Bools, codes: Codes, filter_codes: Codes, largest: Ints, code_count: Whole, family_start: Ints, family_column: Ints,
    family_map: Ints, family_stride: Ints, family_base: Ints, maps: Ints, bucket_start: Ints, bucket_group: Ints, strand_start: Ints,
    strand_kind: Ints, strand_column: Ints, time_items: Ints, last_items: Ints, is_like_before: Bools, edge: Ints, mask: Ints, base: Ints, cells: Floats,
    nans: Floats,
) -> int:
    """Write every cell of one table that is there as of an instant; give how many rows were visible.

    as_of            int64, us UTC
    event_time ..    (n,) as `history.Rows`; values, ok (fields, n); codes, filter_codes (texts, n); largest (fields,)
    family_*, maps, bucket_*   how a row's codes choose its groups (see `plan.Families`)
    strand_start     (groups + 1,) into the strands; kinds FIELD, EVENTS, DISTINCT
    time_items       (strands + 1,) and last_items (strands,): a strand's items by length, then by newest rows
    is_like_before   (strands,): the windows are those of the strand before
    edge, mask, base (items,): length in us or number of rows, answers wanted, first cell
    """
    seen = np.empty(len(event_time), np.int32)
    count = see(as_of, event_time, known_time, revision, retracted, slots, is_plain, seen)
    seen = seen[:count]
    groups = len(strand_start) - 1
    start, member = group_rows(seen, filter_codes, family_start, family_column, family_map, family_stride, family_base, maps, bucket_start, bucket_group, groups)
    rows, time, hour = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    stamp = np.full(code_count + 1, -1, np.int64)
    turn, stops = np.empty(len(edge), np.int64), np.empty(len(edge), np.int64)
    now_hour = as_of // HOUR_US
    oldest = float(now_hour - event_time[seen[count - 1]] // HOUR_US) if count else 0.0
    square = float(count) * float(count)
    for group in range(groups):
        size = start[group + 1] - start[group]
        for place in range(size):
            row = seen[member[start[group] + place]]
            rows[place] = row
            time[place] = event_time[row]
            hour[place] = now_hour - event_time[row] // HOUR_US
        own_rows, own_time, own_hour = rows[:size], time[:size], hour[:size]
        for strand in range(strand_start[group], strand_start[group + 1]):
            kind, column = strand_kind[strand], strand_column[strand]
            first_item, items = time_items[strand], time_items[strand + 1] - time_items[strand]
            if strand == strand_start[group] or not is_like_before[strand]:
                cut_items(as_of, own_time, first_item, last_items[strand], time_items[strand + 1], edge, turn, stops)
            own_turn, own_stops = turn[:items], stops[:items]
            if kind == EVENTS:
                walk_events(as_of, own_time, first_item, own_turn, own_stops, mask, base, cells, nans)
                continue
            if kind == DISTINCT:
                walk_distinct(own_rows, codes[column], stamp, strand, first_item, own_turn, own_stops, base, cells, nans)
                continue
            size_of = float(largest[column])
            square_of, slope_of = max(size_of * size_of, oldest * oldest), oldest * size_of
            own_values, own_ok = values[column], ok[column]
            if square * max(square_of, 48.0 * slope_of) >= SAFE:
                walk_wide(own_rows, own_hour, own_values, own_ok, first_item, own_turn, own_stops, mask, base, cells, nans)
            elif count * max(square_of, slope_of) < EXACT:
                walk_narrow(np.float64(0.0), own_rows, own_hour, own_values, own_ok, first_item, own_turn, own_stops, mask, base, cells, nans)
            else:
                walk_narrow(np.int64(0), own_rows, own_hour, own_values, own_ok, first_item, own_turn, own_stops, mask, base, cells, nans)
    return count


@njit(cache=True, error_model="numpy", nogil=True)
def deliver(cells: Floats, upper: Codes, lower: Codes, quotients: Codes, out: Floats) -> None:
    """Write the vector: cells, and at the places `quotients` one cell divided by another.

    upper, lower  (v,) int32, places among the cells; quotients (q,) int32, places in `out`; out (v,) float64 or float32
    """
    for place in range(len(upper)):
        value = cells[upper[place]]
        out[place] = value + 0.0 if value == value else NAN  # noqa: PLR0124  (NaN differs from itself)
    for at in range(len(quotients)):
        place = quotients[at]
        value, below = cells[upper[place]], cells[lower[place]]
        out[place] = value / below + 0.0 if value == value and below == below and below != 0.0 else NAN  # noqa: PLR0124


@njit(cache=True, error_model="numpy", nogil=True)
def deliver_kinds(cells: Floats, reasons: NDArray[np.uint64], upper: Codes, lower: Codes, below_rows: Codes, out: NDArray[np.uint8]) -> None:
    """Write why each variable is missing (0: it is not). `reasons` are the cells' bits; below_rows (v,) is the count of the wider window."""
    for place in range(len(upper)):
        value = cells[upper[place]]
        reason = np.uint8(0) if value == value else np.uint8(reasons[upper[place]] & np.uint64(7))  # noqa: PLR0124
        if lower[place] >= 0 and reason != 1:
            below = cells[lower[place]]
            if cells[below_rows[place]] == 0.0:
                reason = np.uint8(NO_EVENT)
            elif reason == 0 and below != below:  # noqa: PLR0124
                reason = np.uint8(reasons[lower[place]] & np.uint64(7))
            elif reason == 0 and below == 0.0:
                reason = np.uint8(UNDEFINED)
        out[place] = reason
