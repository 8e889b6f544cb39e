"""Daily tiles: a table of very many rows is not walked row by row again for every instant that is asked about.

The rows of a group lie newest first; a segment is a group's rows of one UTC day. A tile holds a segment's exact whole numbers: its moments by field,
its gaps, its ends. For an instant A a tile serves where every row of its day is visible at A and was never corrected; any other day, and the days
in which windows end, are walked raw. What comes out are the same whole numbers, so the same bits as `kernels.fill_table` gives.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from puhui.engines.variables import kernels
from puhui.engines.variables.kernels import (
    ABOVE,
    BELOW,
    DAY_US,
    EXACT_GAPS,
    HOUR_US,
    LOW_BITS,
    LOW_MASK,
    NO_EVENT,
    NOUGHT,
    NULL_FIELD,
    S1,
    SECOND_US,
    SPREAD,
    Bools,
    Codes,
    Floats,
    Ints,
    N,
    Places,
    Whole,
    deliver,
    divide,
    finish_events,
    finish_fields,
    group_rows,
    see,
    wide_moments,
)

# Moments of a tile; a value is h 2^20 + l, as in the kernel's widest lane, so that no sum of a million rows overflows.
COUNT, SUM, HIGH_HIGH, HIGH_LOW, LOW_LOW, HOURS, HOURS_SQUARED, HOURS_HIGH, HOURS_LOW, LEAST, MOST, OLDEST, NEWEST, LOWS = range(14)
FAR = 1 << 62
KEPT_LEAST, KEPT_MOST, KEPT_FIRST, KEPT_LAST = kernels.LEAST, kernels.MOST, kernels.FIRST, kernels.LAST


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """The tiles of one table of one person for one plan, whatever instant is asked about.

    start, member          the groups' rows, newest first, as places from the newest of all stored rows
    segment_start          (groups + 1,) into the segments; place (segments + 1,) where each begins in `member`
    known, is_single       (segments,) the latest known_time of its rows; whether no row of it was corrected or retracted
    gaps                   (5, segments) rows, smallest and largest gap inside, sum of squared gaps inside, newest second less oldest
    moments                (14, lanes, segments) int64; hours count from the segment's own day
    """

    start: NDArray[np.uint32]
    member: NDArray[np.uint32]
    segment_start: Ints
    place: Ints
    known: Ints
    is_single: Bools
    gaps: Ints
    moments: Ints


@njit(cache=True, error_model="numpy", nogil=True)
def lay_tiles(
    event_time: Ints, known_time: Ints, may_change: Bools, values: Ints, ok: Bools, filter_codes: Codes, lanes: Ints, family_start: Ints,
    family_column: Ints, family_map: Ints, family_stride: Ints, family_base: Ints, maps: Ints, bucket_start: Ints, bucket_group: Ints, groups: Whole,
) -> tuple[Places, Places, Ints, Ints, Ints, Bools, Ints, Ints]:
    """Lay the tiles of a table: the fields of `Tiles` in their order. `may_change` (n,): the row's event has other versions, or is retracted."""
    rows = len(event_time)
    seen = np.arange(rows - 1, -1, -1).astype(np.uint32)
    start, member = group_rows(seen, filter_codes, family_start, family_column, family_map, family_stride, family_base, maps, bucket_start, bucket_group, groups)
    segment_start, place = np.zeros(groups + 1, np.int64), np.zeros(len(member) + 1, np.int64)
    segments = 0
    for group in range(groups):
        day = np.int64(-1)
        for at in range(start[group], start[group + 1]):
            own = event_time[seen[member[at]]] // DAY_US
            if own != day:
                place[segments] = at
                segments += 1
                day = own
        segment_start[group + 1] = segments
    place[segments] = len(member)
    place = place[: segments + 1]
    known, is_single = np.zeros(segments, np.int64), np.ones(segments, np.bool_)
    gaps, moments = np.zeros((5, segments), np.int64), np.zeros((14, len(lanes), segments), np.int64)
    for segment in range(segments):
        least, most, squares, before = NOUGHT + FAR, NOUGHT - 1, NOUGHT, NOUGHT
        newest = event_time[seen[member[place[segment]]]] // SECOND_US
        first_hour = newest // 86_400 * 24
        for at in range(place[segment], place[segment + 1]):
            row = seen[member[at]]
            known[segment] = max(known[segment], known_time[row])
            is_single[segment] = is_single[segment] and not may_change[row]
            second = event_time[row] // SECOND_US
            if at > place[segment]:
                least, most = min(least, before - second), max(most, before - second)
                squares += (before - second) * (before - second)
            before = second
        gaps[0, segment], gaps[1, segment], gaps[2, segment] = place[segment + 1] - place[segment], least, most
        gaps[3, segment], gaps[4, segment] = squares, newest - before
        for lane in range(len(lanes)):
            moment, value, there = moments[:, lane, segment], values[lanes[lane]], ok[lanes[lane]]
            moment[LEAST], moment[MOST] = FAR, -FAR
            for at in range(place[segment], place[segment + 1]):
                row = seen[member[at]]
                if there[row]:
                    x, hour = value[row], event_time[row] // HOUR_US - first_hour
                    moment[NEWEST] = x if moment[COUNT] == 0 else moment[NEWEST]
                    moment[OLDEST] = x
                    moment[COUNT] += 1
                    moment[SUM] += x
                    high, low = x >> LOW_BITS, x & LOW_MASK
                    moment[HIGH_HIGH] += high * high
                    moment[HIGH_LOW] += high * low
                    moment[LOW_LOW] += low * low
                    moment[LOWS] += low
                    moment[HOURS] += hour
                    moment[HOURS_SQUARED] += hour * hour
                    moment[HOURS_HIGH] += hour * high
                    moment[HOURS_LOW] += hour * low
                    moment[LEAST], moment[MOST] = min(moment[LEAST], x), max(moment[MOST], x)
    return start, member, segment_start, place, known, is_single, gaps, moments


@njit(cache=True, error_model="numpy", nogil=True)
def place_of(since: Whole, event_time: Ints, rows: Whole, member: Places, begin: Whole, end: Whole) -> int:
    """Give the first place of member[begin:end] whose row is older than `since`."""
    low, high = begin, end
    while low < high:
        middle = (low + high) >> 1
        if event_time[rows - 1 - member[middle]] >= since:
            low = middle + 1
        else:
            high = middle
    return int(low)


@njit(cache=True, error_model="numpy", nogil=True)
def cut_tiled(
    as_of: Whole, event_time: Ints, member: Places, visible: Bools, clean: Bools, place: Ints, segment: Whole, last_segment: Whole, first: Whole,
    last: Whole, end: Whole, edge: Ints, turn: Places, stops: Ints,
) -> None:
    """As `kernels.cut_windows`, but `stops` are places of `member`, those of invisible rows too."""
    begin, final, rows = place[segment], place[last_segment], len(event_time)
    late, counted, at_segment, at_place = last, 0, segment, begin
    item = first
    for at in range(first, end):
        inside = place_of(as_of - edge[item], event_time, rows, member, begin, final) if item < last else final
        if late < end:
            while at_segment < last_segment and counted < edge[late]:
                if clean[at_segment] and at_place == place[at_segment] and counted + place[at_segment + 1] - at_place <= edge[late]:
                    counted += place[at_segment + 1] - at_place
                    at_place = place[at_segment + 1]
                else:
                    counted += 1 if visible[member[at_place]] else 0
                    at_place += 1
                if at_place == place[at_segment + 1]:
                    at_segment += 1
        newest = at_place if late < end and counted >= edge[late] else final
        if item < last and (late >= end or inside <= newest):
            turn[at], stops[at] = item - first, inside
            item += 1
        else:
            turn[at], stops[at] = late - first, newest
            late += 1


@njit(cache=True, error_model="numpy", nogil=True)
def walk_tiled_gaps(
    event_time: Ints, member: Places, visible: Bools, clean: Bools, place: Ints, segment: Whole, tile: Ints, turn: Places, stops: Ints, gaps: Ints,
) -> tuple[int, int]:
    """As `kernels.walk_gaps`, by tiles; give the rows of the newest and the oldest visible event before the last stop (-1: none)."""
    rows, at_place, at_segment = len(event_time), place[segment], segment
    least, most, squares, count = NOUGHT + FAR, NOUGHT - 1, NOUGHT, NOUGHT
    newest = oldest = NOUGHT - 1
    first = before = NOUGHT
    for at in range(len(stops)):
        while at_place < stops[at]:
            whole = clean[at_segment] and at_place == place[at_segment] and place[at_segment + 1] <= stops[at]
            if whole or visible[member[at_place]]:
                row = rows - 1 - np.int64(member[at_place])
                second = event_time[row] // SECOND_US
                if count == 0:
                    newest, first = row, second
                else:
                    gap = before - second
                    least, most = min(least, gap), max(most, gap)
                    squares += gap * gap
                before, oldest = second, row
                count += 1
            if whole:
                least, most = min(least, tile[1, at_segment]), max(most, tile[2, at_segment])
                squares += tile[3, at_segment]
                before -= tile[4, at_segment]
                count += tile[0, at_segment] - 1
                at_place = place[at_segment + 1]
                oldest = rows - 1 - np.int64(member[at_place - 1])
            else:
                at_place += 1
            if at_place == place[at_segment + 1]:
                at_segment += 1
        now = turn[at]
        gaps[0, now], gaps[1, now], gaps[2, now], gaps[3, now], gaps[4, now] = count, least, most, first - before, squares
    return newest, oldest


@njit(cache=True, error_model="numpy", nogil=True)
def walk_tiled(
    as_of: Whole, event_time: Ints, value: Ints, there: Bools, member: Places, visible: Bools, clean: Bools, place: Ints, segment: Whole, tile: Ints,
    turn: Places, stops: Ints, gaps: Ints, moments: Floats, item: Whole,
) -> None:
    """As `kernels.walk_wide`, by tiles: tile (14, segments) of this field."""
    rows, at_place, at_segment, now_hour = len(event_time), place[segment], segment, as_of // HOUR_US
    n = s1 = hh = hl = ll = sv = svv = vh = vl = first = last = NOUGHT
    least, most = NOUGHT + FAR, NOUGHT - FAR
    for at in range(len(stops)):
        while at_place < stops[at]:
            if clean[at_segment] and at_place == place[at_segment] and place[at_segment + 1] <= stops[at]:
                count = tile[COUNT, at_segment]
                if count > 0:
                    away = now_hour - event_time[rows - 1 - member[at_place]] // DAY_US * 24
                    high = (tile[SUM, at_segment] - tile[LOWS, at_segment]) >> LOW_BITS
                    last = tile[NEWEST, at_segment] if n == 0 else last
                    first = tile[OLDEST, at_segment]
                    n += count
                    s1 += tile[SUM, at_segment]
                    hh += tile[HIGH_HIGH, at_segment]
                    hl += tile[HIGH_LOW, at_segment]
                    ll += tile[LOW_LOW, at_segment]
                    sv += count * away - tile[HOURS, at_segment]
                    svv += count * away * away - 2 * away * tile[HOURS, at_segment] + tile[HOURS_SQUARED, at_segment]
                    vh += away * high - tile[HOURS_HIGH, at_segment]
                    vl += away * tile[LOWS, at_segment] - tile[HOURS_LOW, at_segment]
                    least, most = min(least, tile[LEAST, at_segment]), max(most, tile[MOST, at_segment])
                at_place = place[at_segment + 1]
            else:
                row = rows - 1 - member[at_place]
                if visible[member[at_place]] and there[row]:
                    x, v = value[row], now_hour - event_time[row] // HOUR_US
                    high, low = x >> LOW_BITS, x & LOW_MASK
                    last = x if n == 0 else last
                    first = x
                    n += 1
                    s1 += x
                    hh += high * high
                    hl += high * low
                    ll += low * low
                    sv += v
                    svv += v * v
                    vh += v * high
                    vl += v * low
                    least, most = min(least, x), max(most, x)
                at_place += 1
            if at_place == place[at_segment + 1]:
                at_segment += 1
        now = item + turn[at]
        spread, above, below = wide_moments(n, s1, hh, hl, ll, sv, svv, vh, vl)
        moments[N, now] = n if gaps[0, turn[at]] > 0 else -1
        moments[S1, now], moments[SPREAD, now], moments[ABOVE, now], moments[BELOW, now] = s1, spread, above, below
        moments[KEPT_LEAST, now], moments[KEPT_MOST, now], moments[KEPT_FIRST, now], moments[KEPT_LAST, now] = least, most, first, last


@njit(cache=True, error_model="numpy", nogil=True)
def walk_visible_distinct(
    codes: Codes, rows: Whole, member: Places, visible: Bools, begin: Whole, stamp: Ints, strand: Whole, turn: Places, stops: Ints, gaps: Ints,
    cells: Floats, null_field: Any,
) -> None:
    """As `kernels.walk_distinct`; different values are never kept in tiles."""
    found, walked = 0, begin
    for at in range(len(stops)):
        while walked < stops[at]:
            code = codes[rows - 1 - member[walked]]
            if visible[member[walked]] and code > 0:
                found += 1 if stamp[code] != strand else 0
                stamp[code] = strand
            walked += 1
        cells[turn[at]] = null_field if gaps[0, turn[at]] > 0 and found == 0 else np.float64(found)


@njit(cache=True, error_model="numpy", nogil=True)
def fill_tiled(
    as_of: Whole, event_time: Ints, known_time: Ints, revision: Ints, retracted: Bools, slots: Codes, is_plain: Whole, values: Ints, ok: Bools,
    codes: Codes, code_count: Whole, member: Places, segment_start: Ints, place: Ints, known: Ints, is_single: Bools, tile_gaps: Ints,
    tiles: Ints, window_start: Ints, window_last: Ints, edge: Ints, lanes: Ints, strand_start: Ints, strand_lane: Ints, wanted: Ints,
    wanted_gaps: Ints, distinct_start: Ints, distinct_column: Ints, blocks: Ints, quotient_start: Ints, quotient_share: Ints, upper: Places,
    lower: Places, run_start: Ints, run_from: Places, run_to: Places, run_size: Places, cells: Floats, moments: Floats, gaps: Ints,
    nans: Floats, out: Floats,
) -> int:
    """As `kernels.fill_table`, by tiles."""
    rows, groups = len(event_time), len(window_start) - 1
    seen, visible = np.empty(rows + 1, np.uint32), np.zeros(rows, np.bool_)
    count = see(as_of, event_time, known_time, revision, retracted, slots, is_plain, seen)
    for at in range(count):
        visible[rows - 1 - np.int64(seen[at])] = True
    clean = np.empty(len(known), np.bool_)
    for segment in range(len(known)):
        clean[segment] = is_single[segment] and known[segment] <= as_of and event_time[rows - 1 - member[place[segment]]] < as_of
    span = float(event_time[seen[0]] // SECOND_US - event_time[seen[count - 1]] // SECOND_US) if count else 0.0
    turn, stops = np.empty(len(edge), np.uint64), np.empty(len(edge), np.int64)
    stamp = np.full(code_count + 1, -1, np.int64)
    ever = np.empty((5, 1), np.int64)
    for group in range(groups):
        own, end, segment, last_segment = window_start[group], window_start[group + 1], segment_start[group], segment_start[group + 1]
        windows, strands, block = end - own, strand_start[group + 1] - strand_start[group], blocks[group]
        items, turns, stop = strands * windows, turn[own:end], stops[own:end]
        cut_tiled(as_of, event_time, member, visible, clean, place, segment, last_segment, own, window_last[group], end, edge, turn, stops)
        walk_tiled_gaps(event_time, member, visible, clean, place, segment, tile_gaps, turns, stop, gaps)
        for strand in range(strands):
            lane = strand_lane[strand_start[group] + strand]
            walk_tiled(as_of, event_time, values[lanes[lane]], ok[lanes[lane]], member, visible, clean, place, segment, tiles[:, lane], turns, stop, gaps,
                       moments, np.uint64(strand * windows))  # fmt: skip
        finish_fields(moments, items, wanted[group], cells[block : block + 10 * items], nans)
        cell = block + 10 * items
        finish_events(gaps, windows, wanted_gaps[group], count * span * span < EXACT_GAPS, cells[cell : cell + 5 * windows], nans)
        cell += 5 * windows
        everything = place[last_segment : last_segment + 1]
        newest, oldest = walk_tiled_gaps(event_time, member, visible, clean, place, segment, tile_gaps, np.zeros(1, np.uint64), everything, ever)
        cells[cell] = np.float64(as_of - event_time[newest]) / np.float64(DAY_US) if newest >= 0 else nans[NO_EVENT]
        cells[cell + 1] = np.float64(as_of - event_time[oldest]) / np.float64(DAY_US) if newest >= 0 else nans[NO_EVENT]
        cell += 2
        for strand in range(distinct_start[group], distinct_start[group + 1]):
            walk_visible_distinct(codes[distinct_column[strand]], rows, member, visible, place[segment], stamp, strand, turns, stop, gaps,
                                  cells[cell : cell + windows], nans[NULL_FIELD])  # fmt: skip
            cell += windows
        own, share, end = quotient_start[group], quotient_share[group], quotient_start[group + 1]
        divide(cells[block:], cells[block:], upper[own:share], lower[own:share], cells[cell:])
        divide(cells[block:], cells, upper[share:end], lower[share:end], cells[cell + share - own :])
        own, end = run_start[group], run_start[group + 1]
        deliver(cells[block:], run_from[own:end], run_to[own:end], run_size[own:end], out)
    return count
