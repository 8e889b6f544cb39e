"""The kernels: one table of one person becomes cells, one walk per group, newest row first, moments in registers.

A plan is data to them: a group has its windows, and in it strands are walked, each over one field. What a walk holds where a window ends lies in
moments, one row a moment and one column an item (a strand's window); all items of a table are then finished together, an aggregate at a time, in
loops that a compiler turns into vector instructions. Compiled once per type, cached; nothing is compiled per variable.
A missing value is a quiet NaN; for `kinds` it carries its reason (`Missing`) in its lowest bits (`nans` is an argument).
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Codes = NDArray[np.int32]
Places = NDArray[np.unsignedinteger[Any]]  # uint32 or uint64
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Lane = Any  # (rows,) int64 or float64
Lanes = Any  # (lanes or moments, rows or items) int64 or float64
Whole = Any  # an int64 (or, among wide numbers, uint64) scalar of the compiled code
Real = Any  # a float64 scalar of the compiled code
Wide = tuple[Any, Any]  # 128 bits, two's complement: high and low uint64

NO_EVENT, NULL_FIELD, UNDEFINED = 2, 3, 4
HOUR_US, SECOND_US = 3_600_000_000, 1_000_000
DAY_SECONDS, DAY_US = 86_400, 86_400_000_000
HALF, LOW, ONE, ZERO, TOP = np.uint64(32), np.uint64(0xFFFFFFFF), np.uint64(1), np.uint64(0), np.uint64(63)
TWO, THREE, FOUR = np.uint64(2), np.uint64(3), np.uint64(4)
LOW_BITS = 20
LOW_MASK = (1 << LOW_BITS) - 1
SAFE = float(1 << 61)
EXACT, EXACT_GAPS = float(1 << 53), float(1 << 63)
N, S1, S2, SV, SVV, SVX, LEAST, MOST, FIRST, LAST = range(10)  # rows of the moments
NOUGHT: Whole = np.int64(0)
SPREAD, ABOVE, BELOW = S2, SVX, SVV  # what takes their places once rounded
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
    as_of: Whole, event_time: Ints, known_time: Ints, revision: Ints, retracted: Bools, slots: Codes, is_plain: Whole, seen: Places,
) -> int:
    """Write the places of the visible rows, newest first, into `seen` (n + 1,); give how many (section 5, steps 1 to 4)."""
    rows, count = len(event_time), 0
    if is_plain:
        for row in range(rows - 1, -1, -1):
            seen[count] = row
            count += 1 if known_time[row] <= as_of and event_time[row] < as_of else 0
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


@njit(cache=True, error_model="numpy", nogil=True)
def group_rows(
    seen: Places, codes: Codes, family_start: Ints, family_column: Ints, family_map: Ints, family_stride: Ints, family_base: Ints,
    maps: Ints, bucket_start: Ints, bucket_group: Ints, groups: Whole,
) -> tuple[Places, Places]:
    """Sort the visible rows (newest first) by group; group 0 holds all. Gives (start (groups + 1,), member (entries,)), members in walking order."""
    count, families = len(seen), len(family_base)
    bucket = np.empty((families, count), np.uint32)
    start = np.zeros(groups + 1, np.uint32)
    start[1] = count
    for family in range(families):
        own = bucket[family]
        own[:] = family_base[family]
        for factor in range(family_start[family], family_start[family + 1]):
            column, at, stride = codes[family_column[factor]], family_map[factor], family_stride[factor]
            for place in range(count):
                own[place] += maps[at + column[seen[place]]] * stride
        for place in range(count):
            for entry in range(bucket_start[own[place]], bucket_start[own[place] + np.uint32(1)]):
                start[bucket_group[entry] + 1] += np.uint32(1)
    for group in range(groups):
        start[group + 1] += start[group]
    member = np.empty(start[groups], np.uint32)
    fill = start[:groups].copy()
    for place in range(count):
        member[place] = place
    for family in range(families):
        own = bucket[family]
        for place in range(count):
            for entry in range(bucket_start[own[place]], bucket_start[own[place] + np.uint32(1)]):
                group = bucket_group[entry]
                member[fill[group]] = place
                fill[group] += np.uint32(1)
    return start, member


@njit(cache=True, error_model="numpy", nogil=True)
def reach_windows(as_of: Whole, time: Ints, edges: Ints, reach: Places) -> None:
    """Write for each row, newest first, how many of the lengths of time `edges` (narrower first) it lies beyond."""
    beyond = 0
    for place in range(len(time)):
        while beyond < len(edges) and time[place] < as_of - edges[beyond]:
            beyond += 1
        reach[place] = beyond


@njit(cache=True, error_model="numpy", nogil=True)
def cut_windows(inside: Places, count: Whole, first: Whole, last: Whole, end: Whole, edge: Ints, turn: Places, stops: Places) -> None:
    """Write in which order a group's windows are reached, newest row first, and after how many of its `count` rows each.

    Windows first .. last are lengths of time, narrower first, and hold `inside` rows; last .. end are numbers of newest rows. `turn` counts from
    `first`.
    """
    item, late = first, last
    for at in range(first, end):
        within = inside[item - first] if item < last else count
        newest = min(np.uint64(edge[late]), count) if late < end else count
        if item < last and (late >= end or within <= newest):
            turn[at], stops[at] = item - first, within
            item += 1
        else:
            turn[at], stops[at] = late - first, newest
            late += 1


@njit(cache=True, error_model="numpy", nogil=True)
def cut_groups(
    as_of: Whole, time: Ints, start: Places, member: Places, window_start: Ints, window_last: Ints, edge: Ints, lengths_of: Ints, turn: Places,
    stops: Places,
) -> None:
    """Cut every group by its windows; `turn` and `stops` lie where the group's windows do.

    lengths_of (groups,): the first group that has the same lengths of time.
    """
    most = 0
    for group in range(len(start) - 1):
        most = max(most, window_last[group] - window_start[group])
    reach, inside = np.empty(len(time), np.uint32), np.empty(most + 1, np.uint64)
    held = -1
    for group in range(len(start) - 1):
        begin, count = np.uint64(start[group]), np.uint64(start[group + 1] - start[group])
        first, last = window_start[group], window_last[group]
        if lengths_of[group] != held:
            held = lengths_of[group]
            reach_windows(as_of, time, edge[first:last], reach)
        inside[: last - first + 1] = 0
        rows = member[begin : begin + count]
        for at in range(len(rows)):
            inside[reach[rows[at]]] = at + 1
        for window in range(1, last - first):
            inside[window] = max(inside[window], inside[window - 1])
        cut_windows(inside, count, first, last, window_start[group + 1], edge, turn, stops)


@njit(cache=True, error_model="numpy", nogil=True)
def walk_narrow(
    zero: Real, member: Places, begin: Whole, hour: Lane, values: Lane, ok: Lane, turn: Places, stops: Places, moments: Lanes, item: Whole,
) -> None:
    """Walk a field of a group, whose every product fits in int64 (lanes a and b of section 8), and note its moments where a window ends.

    `zero` chooses the moments' type: float64 where every sum stays below 2^53, else int64; the same whole numbers. n is -1 in a window without rows.
    Places are unsigned: an index that cannot be negative costs half.
    """
    n = s1 = s2 = sv = svv = svx = first = last = zero
    least, most = zero + np.int64(1 << 62), zero - np.int64(1 << 62)
    walked = begin
    for at in range(len(stops)):
        stop = begin + stops[at]
        while walked < stop:
            place = member[walked]
            x, here, v = values[place], ok[place], hour[place]
            age = v * here
            last = x if n == 0 else last
            first = x if here != 0 else first
            n += here
            s1 += x
            s2 += x * x
            sv += age
            svv += v * age
            svx += v * x
            least = min(least, x if here != 0 else least)
            most = max(most, x if here != 0 else most)
            walked += ONE
        now = item + turn[at]
        moments[N, now] = n if stop > begin else zero - 1
        moments[S1, now], moments[S2, now] = s1, s2
        moments[SV, now], moments[SVV, now], moments[SVX, now] = sv, svv, svx
        moments[LEAST, now], moments[MOST, now], moments[FIRST, now], moments[LAST, now] = least, most, first, last


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
    as_of: Whole, time: Ints, seen: Places, member: Places, begin: Whole, values: Ints, ok: Bools, turn: Places, stops: Places, moments: Floats,
    item: Whole,
) -> None:
    """As `walk_narrow`, where sums or products may overflow: split sums, 128-bit products (lane c of section 8), written as they leave: rounded."""
    n = s1 = hh = hl = ll = sv = svv = vh = vl = first = last = NOUGHT
    least, most = NOUGHT + (1 << 62), NOUGHT - (1 << 62)
    walked = begin
    for at in range(len(stops)):
        stop = begin + stops[at]
        while walked < stop:
            place = member[walked]
            row = seen[place]
            if ok[row]:
                x, v = values[row], as_of // HOUR_US - time[place] // HOUR_US
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
            walked += ONE
        now = item + turn[at]
        spread, above, below = wide_moments(n, s1, hh, hl, ll, sv, svv, vh, vl)
        moments[N, now] = n if stop > begin else -1
        moments[S1, now], moments[SPREAD, now], moments[ABOVE, now], moments[BELOW, now] = s1, spread, above, below
        moments[LEAST, now], moments[MOST, now], moments[FIRST, now], moments[LAST, now] = least, most, first, last


@njit(cache=True, error_model="numpy", nogil=True)
def round_moments(whole: Lanes, moments: Floats, items: Whole) -> None:
    """Round the moments of every item: the spread R(n s2 - s1^2) and the trend's two numbers in the places of s2, svx and svv.

    `whole` is int64 or float64, and may be the same memory as `moments`.
    """
    ns, s1s, s2s, svs, svvs, svxs = whole[N, :items], whole[S1, :items], whole[S2, :items], whole[SV, :items], whole[SVV, :items], whole[SVX, :items]
    spread, above, below = moments[SPREAD, :items], moments[ABOVE, :items], moments[BELOW, :items]
    for item in range(items):
        n, s1 = np.int64(ns[item]), np.int64(s1s[item])
        spread[item] = np.float64(n * np.int64(s2s[item]) - s1 * s1)
    for item in range(items):
        n, s1, sv, svx = np.int64(ns[item]), np.int64(s1s[item]), np.int64(svs[item]), np.int64(svxs[item])
        below[item] = np.float64(n * np.int64(svvs[item]) - sv * sv)
        above[item] = np.float64(24 * (sv * s1 - n * svx))


@njit(cache=True, error_model="numpy", nogil=True)
def float_moments(whole: Ints, moments: Floats, items: Whole) -> None:
    """Write the moments that are answers themselves as float64, in the same memory."""
    for moment in (N, S1, LEAST, MOST, FIRST, LAST):
        before, after = whole[moment, :items], moments[moment, :items]
        for item in range(items):
            after[item] = np.float64(before[item])


@njit(cache=True, error_model="numpy", nogil=True)
def finish_fields(moments: Floats, items: Whole, wanted: Whole, cells: Floats, nans: Floats) -> None:
    """Write the aggregates that are wanted, one after the other, of every item: aggregate a of item i is cells[a * items + i]."""
    no_event, null_field, undefined = nans[NO_EVENT], nans[NULL_FIELD], nans[UNDEFINED]
    ns, s1s, spread = moments[N, :items], moments[S1, :items], moments[SPREAD, :items]
    above, below = moments[ABOVE, :items], moments[BELOW, :items]
    if wanted & 1:
        out = cells[:items]
        for item in range(items):
            n = ns[item]
            out[item] = s1s[item] if n > 0 else (0.0 if n < 0 else null_field)
    if wanted & 66:
        out = cells[items : 2 * items]
        for item in range(items):
            n, mean = ns[item], s1s[item] / ns[item] + 0.0
            out[item] = mean if n > 0 else (no_event if n < 0 else null_field)
    for aggregate, moment in ((2, LEAST), (3, MOST), (7, FIRST), (8, LAST)):
        if wanted >> aggregate & 1:
            values, out = moments[moment, :items], cells[aggregate * items : (aggregate + 1) * items]
            for item in range(items):
                n = ns[item]
                out[item] = values[item] if n > 0 else (no_event if n < 0 else null_field)
    if wanted & 16:
        least, most, out = moments[LEAST, :items], moments[MOST, :items], cells[4 * items : 5 * items]
        for item in range(items):
            n = ns[item]
            out[item] = most[item] - least[item] if n > 0 else (no_event if n < 0 else null_field)
    if wanted & 96:
        out = cells[5 * items : 6 * items]
        for item in range(items):
            n = ns[item]
            std = np.sqrt(spread[item] / (n * (n - 1.0)))
            out[item] = std if n > 1 else (undefined if n > 0 else (no_event if n < 0 else null_field))
    if wanted & 64:
        mean, std, out = cells[items : 2 * items], cells[5 * items : 6 * items], cells[6 * items : 7 * items]
        for item in range(items):
            n, cv = ns[item], std[item] / abs(mean[item])
            out[item] = cv if n > 1 and s1s[item] != 0 else (undefined if n > 0 else (no_event if n < 0 else null_field))
    if wanted & 512:
        out = cells[9 * items : 10 * items]
        for item in range(items):
            n, trend = ns[item], above[item] / below[item] + 0.0
            out[item] = trend if n > 1 and below[item] != 0 else (undefined if n > 0 else (no_event if n < 0 else null_field))


@njit(cache=True, error_model="numpy", nogil=True)
def walk_gaps(second: Ints, member: Places, begin: Whole, turn: Places, stops: Places, gaps: Ints) -> None:
    """Walk the rows of a group themselves: rows, smallest and largest gap, their sum and the sum of their squares (uint64 bits), in seconds."""
    least, most, g2 = NOUGHT + (1 << 62), NOUGHT - 1, NOUGHT
    walked = begin + ONE
    newest = before = second[member[begin]] if begin < len(member) else NOUGHT
    for at in range(len(stops)):
        stop = begin + stops[at]
        while walked < stop:
            own = second[member[walked]]
            gap = before - own
            least, most = min(least, gap), max(most, gap)
            g2 += gap * gap
            before = own
            walked += ONE
        now = turn[at]
        gaps[0, now], gaps[1, now], gaps[2, now], gaps[3, now], gaps[4, now] = np.int64(stops[at]), least, most, newest - before, g2


@njit(cache=True, error_model="numpy", nogil=True)
def finish_events(gaps: Ints, items: Whole, wanted: Whole, is_small: Whole, cells: Floats, nans: Floats) -> None:
    """Write count, then the gaps that are wanted (mean, min, max, std, in days), one after the other, of every window.

    `is_small` says that rows times the squared span of seconds is below 2^63.
    """
    no_event, undefined, day = nans[NO_EVENT], nans[UNDEFINED], np.float64(DAY_SECONDS)
    rows, g1s, g2s, out = gaps[0, :items], gaps[3, :items], gaps[4, :items], cells[:items]
    for item in range(items):
        out[item] = np.float64(rows[item])
    if wanted & 2:
        out = cells[items : 2 * items]
        for item in range(items):
            k = rows[item] - 1
            mean = np.float64(g1s[item]) / np.float64(DAY_SECONDS * k)
            out[item] = mean if k > 0 else (undefined if k == 0 else no_event)
    for place in (1, 2):
        if wanted >> place & 2:
            some, out = gaps[place, :items], cells[(place + 1) * items : (place + 2) * items]
            for item in range(items):
                k, days = rows[item] - 1, np.float64(some[item]) / day
                out[item] = days if k > 0 else (undefined if k == 0 else no_event)
    if wanted & 16:
        out = cells[4 * items : 5 * items]
        for item in range(items):
            k, g1, g2 = rows[item] - 1, g1s[item], g2s[item]
            std = np.sqrt(np.float64(k * g2 - g1 * g1) / np.float64(k * (k - 1))) / day
            out[item] = std if k > 1 else (undefined if k >= 0 else no_event)
    if wanted & 16 and not is_small:
        for item in range(items):
            k, g1, g2 = rows[item] - 1, g1s[item], g2s[item]
            if k > 1:
                a, b = mul_wide(np.uint64(k), np.uint64(g2))
                c, d = mul_wide(np.uint64(g1), np.uint64(g1))
                c, d = neg_wide(c, d)
                a, b = add_wide(a, b, c, d)
                out[item] = np.sqrt(round_wide(a, b) / np.float64(k * (k - 1))) / day


@njit(cache=True, error_model="numpy", nogil=True)
def walk_distinct(
    codes: Codes, member: Places, begin: Whole, stamp: Ints, strand: Whole, turn: Places, stops: Places, cells: Floats, null_field: Real,
) -> None:
    """Count different values of a column, whose codes come in the order of `seen`: one is new if its stamp is not this strand's."""
    found, walked = 0, begin
    stamp[0] = strand  # a null is never new
    for at in range(len(stops)):
        stop = begin + stops[at]
        while walked < stop:
            code = np.uint64(codes[member[walked]])
            found += 1 if stamp[code] != strand else 0
            stamp[code] = strand
            walked += ONE
        cells[turn[at]] = null_field if stop > begin and found == 0 else np.float64(found)


@njit(cache=True, error_model="numpy", nogil=True)
def fill_lanes(zero: Real, as_of: Whole, time: Ints, seen: Places, values: Ints, ok: Bools, lanes: Ints, hour: Lane, into: Lanes, here: Lanes) -> None:
    """Write the visible rows, newest first, as the walk wants them: whole hours before A, the fields' values (0 where null), 1 where not null."""
    now_hour = as_of // HOUR_US
    for place in range(len(seen)):
        hour[place] = zero + (now_hour - time[place] // HOUR_US)
    for lane in range(len(lanes)):
        value, there, to, is_there = values[lanes[lane]], ok[lanes[lane]], into[lane], here[lane]
        for place in range(len(seen)):
            to[place] = zero + value[seen[place]]
            is_there[place] = zero + np.int64(there[seen[place]])


@njit(cache=True, error_model="numpy", nogil=True)
def widths(count: Whole, hour_span: Real, lanes: Ints, largest: Ints, is_wide: Bools) -> bool:
    """Say of each field whether its products may overflow int64; and whether all sums of the others stay below 2^53, so exact in float64."""
    is_exact = True
    for lane in range(len(lanes)):
        size = float(largest[lanes[lane]])
        squares, slopes = max(size * size, hour_span * hour_span), hour_span * size
        is_wide[lane] = float(count) * float(count) * max(squares, 48.0 * slopes) >= SAFE
        is_exact = is_exact and (is_wide[lane] or count * max(squares, slopes) < EXACT)
    return is_exact


@njit(cache=True, error_model="numpy", nogil=True)
def divide(upper_of: Floats, lower_of: Floats, upper: Places, lower: Places, out: Floats) -> None:
    """Write quotients of cells: those of `upper_of` at `upper` by those of `lower_of` at `lower`."""
    for at in range(len(upper)):
        value, below = upper_of[upper[at]], lower_of[lower[at]]
        ratio = value / below + 0.0
        out[at] = ratio if ratio == ratio and below != 0 else NAN  # noqa: PLR0124  (NaN differs from itself)


@njit(cache=True, error_model="numpy", nogil=True)
def deliver(cells: Floats, run_from: Places, run_to: Places, run_size: Places, out: Floats) -> None:
    """Write runs of a group's cells, which follow one another in the vector too."""
    for run in range(len(run_from)):
        source, target = np.uint64(run_from[run]), np.uint64(run_to[run])
        for _ in range(run_size[run] >> np.uint32(2)):
            out[target], out[target + ONE] = cells[source], cells[source + ONE]
            out[target + TWO], out[target + THREE] = cells[source + TWO], cells[source + THREE]
            source += FOUR
            target += FOUR
        for _ in range(run_size[run] & np.uint32(3)):
            out[target] = cells[source]
            source += ONE
            target += ONE


@njit(cache=True, error_model="numpy", nogil=True)
def leave_out(run_to: Ints, run_size: Ints, out: Floats) -> None:
    """Write that a table is not there."""
    for run in range(len(run_to)):
        for place in range(run_to[run], run_to[run] + run_size[run]):
            out[place] = NAN


@njit(cache=True, error_model="numpy", nogil=True)
def fill_table(
    as_of: Whole, event_time: Ints, known_time: Ints, revision: Ints, retracted: Bools, slots: Codes, is_plain: Whole, values: Ints,
    ok: Bools, codes: Codes, filter_codes: Codes, largest: Ints, code_count: Whole, family_start: Ints, family_column: Ints,
    family_map: Ints, family_stride: Ints, family_base: Ints, maps: Ints, bucket_start: Ints, bucket_group: Ints, window_start: Ints,
    window_last: Ints, edge: Ints, lengths_of: Ints, lanes: Ints, strand_start: Ints, strand_lane: Ints, wanted: Ints, wanted_gaps: Ints, distinct_start: Ints,
    distinct_column: Ints, blocks: Ints, quotient_start: Ints, quotient_share: Ints, upper: Places, lower: Places, run_start: Ints,
    run_from: Places, run_to: Places, run_size: Places, cells: Floats, moments: Floats, whole: Ints, gaps: Ints, nans: Floats, out: Floats,
) -> int:
    """Write the answers about one table that is there as of an instant, group by group; give how many rows were visible.

    as_of            int64, us UTC
    event_time ..    (n,) as `history.Rows`; values, ok (fields, n); codes, filter_codes (texts, n); largest (fields,)
    family_*, maps, bucket_*   how a row's codes choose its groups (see `plan.Families`)
    window_start     (groups + 1,) into edge; window_last (groups,) where numbers of rows begin after lengths of time; edge (windows,) us or rows
    lengths_of       (groups,) the first group with the same lengths of time
    lanes            (fields asked,): their columns; strand_start (groups + 1,), strand_lane (strands,): the field strands
    wanted, wanted_gaps        (groups,): bits of the field aggregates; bit 0 the count, 1 to 4 the gaps
    distinct_start   (groups + 1,), distinct_column (distincts,)
    blocks           (groups,) where a group's cells begin; they lie as `plan.TablePlan` says
    quotient_*, upper, lower, run_*   what is divided, and which cells go where in `out` (v,), float64 or float32
    moments, whole   (10, most items of a group) the same memory as float64 and int64; gaps (5, most windows of a group)
    """
    seen = np.empty(len(event_time) + 1, np.uint32)
    count = see(as_of, event_time, known_time, revision, retracted, slots, is_plain, seen)
    seen = seen[:count]
    groups = len(window_start) - 1
    start, member = group_rows(seen, filter_codes, family_start, family_column, family_map, family_stride, family_base, maps, bucket_start, bucket_group, groups)
    time, second, walked = np.empty(count, np.int64), np.empty(count, np.int64), np.empty((len(codes), count), np.int32)
    for place in range(count):
        time[place] = event_time[seen[place]]
        second[place] = time[place] // SECOND_US
    for column in range(len(codes) if len(distinct_column) else 0):
        code, to = codes[column], walked[column]
        for place in range(count):
            to[place] = code[seen[place]]
    turn, stops = np.empty(len(edge), np.uint64), np.empty(len(edge), np.uint64)
    cut_groups(as_of, time, start, member, window_start, window_last, edge, lengths_of, turn, stops)
    is_wide = np.zeros(len(lanes), np.bool_)
    is_exact = widths(count, float(as_of // HOUR_US - time[count - 1] // HOUR_US) if count else 0.0, lanes, largest, is_wide)
    some_wide = is_wide.any()
    zero, floats, ints = np.float64(0.0), count if is_exact else 0, 0 if is_exact else count
    age, exact, here = np.empty(floats, np.float64), np.empty((len(lanes), floats), np.float64), np.empty((len(lanes), floats), np.float64)
    hour, counts, there = np.empty(ints, np.int64), np.empty((len(lanes), ints), np.int64), np.empty((len(lanes), ints), np.int64)
    if is_exact:
        fill_lanes(zero, as_of, time, seen, values, ok, lanes, age, exact, here)
    else:
        fill_lanes(NOUGHT, as_of, time, seen, values, ok, lanes, hour, counts, there)
    stamp = np.full(code_count + 1, -1, np.int64)
    span = float(second[0] - second[count - 1]) if count else 0.0
    for group in range(groups):
        begin, rows, own, end = np.uint64(start[group]), start[group + 1] - start[group], window_start[group], window_start[group + 1]
        windows, strands, block = end - own, strand_start[group + 1] - strand_start[group], blocks[group]
        items, turns, stop = strands * windows, turn[own:end], stops[own:end]
        for strand in range(strands):
            lane = strand_lane[strand_start[group] + strand]
            if is_exact:
                walk_narrow(zero, member, begin, age, exact[lane], here[lane], turns, stop, moments, np.uint64(strand * windows))
            else:
                walk_narrow(NOUGHT, member, begin, hour, counts[lane], there[lane], turns, stop, whole, np.uint64(strand * windows))
        if is_exact:
            round_moments(moments, moments, items)
        else:
            round_moments(whole, moments, items)
            float_moments(whole, moments, items)
        if some_wide:
            for strand in range(strands):
                lane = strand_lane[strand_start[group] + strand]
                if is_wide[lane]:
                    walk_wide(as_of, time, seen, member, begin, values[lanes[lane]], ok[lanes[lane]], turns, stop, moments, np.uint64(strand * windows))
        finish_fields(moments, items, wanted[group], cells[block : block + 10 * items], nans)
        cell = block + 10 * items
        walk_gaps(second, member, begin, turns, stop, gaps)
        finish_events(gaps, windows, wanted_gaps[group], count * span * span < EXACT_GAPS, cells[cell : cell + 5 * windows], nans)
        cell += 5 * windows
        cells[cell] = np.float64(as_of - time[member[begin]]) / np.float64(DAY_US) if rows > 0 else nans[NO_EVENT]
        cells[cell + 1] = np.float64(as_of - time[member[start[group + 1] - 1]]) / np.float64(DAY_US) if rows > 0 else nans[NO_EVENT]
        cell += 2
        for strand in range(distinct_start[group], distinct_start[group + 1]):
            walk_distinct(walked[distinct_column[strand]], member, begin, stamp, strand, turns, stop, cells[cell : cell + windows], nans[NULL_FIELD])
            cell += windows
        own, share, end = quotient_start[group], quotient_share[group], quotient_start[group + 1]
        divide(cells[block:], cells[block:], upper[own:share], lower[own:share], cells[cell:])
        divide(cells[block:], cells, upper[share:end], lower[share:end], cells[cell + share - own :])
        own, end = run_start[group], run_start[group + 1]
        deliver(cells[block:], run_from[own:end], run_to[own:end], run_size[own:end], out)
    return count


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


@njit(cache=True, error_model="numpy", nogil=True)
def unpack_table(
    body: Bytes, place: Whole, rows: Whole, first: Whole, lows: Ints, widths: Ints, are_bits: Ints, whole: Ints, bits: Bools,
    least: Ints, most: Ints,
) -> int:
    """Unpack a table of a blob from `place` on; give the place after it, or -1 if the bytes are too few.

    lows, widths   (columns,) smallest value, and 0, 1, 2, 4 or 8 bytes a row (little-endian) above it; whole (columns, rows) int64, written
    are_bits       (flags,) 1 if a bit a row is there, 0 if all are set; bits (flags, rows), written
    first          the first event_time; whole[1] comes as steps, whole[2] as what known_time lies beyond event_time, and both leave as times
    least, most    (columns,), written: the ends of each column; least[1] is negative too if a step of event_time is
    """
    for column in range(len(widths)):
        to, low, width = whole[column], lows[column], widths[column]
        if place + rows * width > len(body):
            return -1
        own = body[place : place + rows * width]
        if width == 1:
            for row in range(rows):
                to[row] = low + np.int64(own[row])
        elif width == 2:
            for row in range(rows):
                to[row] = low + (np.int64(own[2 * row]) | np.int64(own[2 * row + 1]) << 8)
        else:
            for row in range(rows):
                high = NOUGHT
                for byte in range(width):
                    high |= np.int64(own[width * row + byte]) << (8 * byte)
                to[row] = low + high
        place += rows * width
    for flag in range(len(are_bits)):
        size = (rows + 7) // 8 if are_bits[flag] else 0
        if place + size > len(body):
            return -1
        packed, flags = body[place : place + size], bits[flag]
        for row in range(rows):
            flags[row] = size == 0 or (packed[row >> 3] >> (7 - (row & 7))) & 1
        place += size
    at, smallest_step = first, NOUGHT
    for row in range(rows):
        at += whole[1, row]
        smallest_step = min(smallest_step, whole[1, row])
        whole[1, row] = at
        whole[2, row] += at
    for column in range(len(widths)):
        column_of, low, high = whole[column], NOUGHT, NOUGHT
        for row in range(rows):
            low, high = min(low if row else column_of[0], column_of[row]), max(high if row else column_of[0], column_of[row])
        least[column], most[column] = low, high
    least[1] = min(least[1], smallest_step)
    return int(place)


@njit(cache=True, error_model="numpy", nogil=True)
def survey(event_id: Ints, retracted: Bools, values: Ints, codes: Codes, largest: Ints) -> tuple[bool, bool, int]:
    """Say of sorted rows: may an id stand twice, is one retracted, the largest code; `largest` (fields,) is written: the largest size of each field."""
    may_repeat = is_retracted = False
    for row in range(len(event_id)):
        may_repeat |= row > 0 and event_id[row] <= event_id[row - 1]
        is_retracted |= retracted[row]
    for field in range(len(values)):
        own, size = values[field], NOUGHT
        for row in range(len(own)):
            size = max(size, abs(own[row]))
        largest[field] = size
    code = 0
    for text in range(len(codes)):
        some = codes[text]
        for row in range(len(some)):
            code = max(code, some[row])
    return may_repeat, is_retracted, code


@njit(cache=True, error_model="numpy", nogil=True)
def turn_over(vectors: Floats, columns: Floats) -> None:
    """Write people x variables as variables x people, tile by tile: both sides of a tile stay near."""
    people, count = vectors.shape
    for first in range(0, people, 32):
        for start in range(0, count, 32):
            for place in range(start, min(start + 32, count)):
                column = columns[place]
                for person in range(first, min(first + 32, people)):
                    column[person] = vectors[person, place]
