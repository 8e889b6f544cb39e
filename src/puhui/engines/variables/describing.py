"""What a variable means, in one Chinese or English sentence for staff."""

from typing import Literal, assert_never

from puhui.engines.variables.names import Clause, Form, Span, Variable, Window
from puhui.engines.variables.tables import Table

Language = Literal["zh", "en"]

UNITS = {
    "fen": ("分", "fen"), "days": ("天", "days"), "months": ("月", "months"), "count": ("个", "count"), "ms": ("毫秒", "ms"),
    "km": ("公里", "km"), "ppm": ("百万分之一", "ppm"),
}  # fmt: skip
AGGREGATE_WORDS = {
    "sum": ("合计", "total"), "mean": ("均值", "mean"), "min": ("最小值", "smallest"), "max": ("最大值", "largest"), "range": ("极差", "range"),
    "std": ("标准差", "standard deviation"), "cv": ("变异系数", "coefficient of variation"), "first": ("最早一条的值", "oldest value"),
    "last": ("最新一条的值", "newest value"), "trend": ("趋势", "trend"),
}  # fmt: skip
GAP_WORDS = {"mean": ("平均", "mean"), "min": ("最短", "shortest"), "max": ("最长", "longest"), "std": ("标准差", "standard deviation of the")}


def describe(variable: Variable, table: Table, lang: Language) -> str:
    """Say in one sentence what the variable is, with its unit."""
    match lang:
        case "zh":
            return _chinese(variable, table)
        case "en":
            return _english(variable, table)
        case _:
            assert_never(lang)


def _word(table: Table, key: str, which: int) -> str:
    pair = table.words.get(key)
    return pair[which] if pair else key


def _unit(variable: Variable, table: Table, which: int) -> str:
    unit = table.unit(variable.column) or ""
    word = UNITS[unit][which] if unit in UNITS else unit
    if variable.aggregate == "cv":
        return ""
    day = "/天" if which == 0 else " per day"
    word += day if variable.aggregate == "trend" else ""
    return f"（{word}）" if which == 0 else f" ({word})"


def _clause_zh(table: Table, clause: Clause) -> str:
    column = _word(table, clause.column, 0)
    return "或".join(_word(table, f"{clause.column}={value}", 0) if f"{clause.column}={value}" in table.words else f"{column}“{value}”" for value in clause.values)


def _clause_en(table: Table, clause: Clause) -> str:
    column = _word(table, clause.column, 1)
    return " or ".join(
        _word(table, f"{clause.column}={value}", 1) if f"{clause.column}={value}" in table.words else f'with {column} "{value}"' for value in clause.values
    )


def _window_zh(window: Window) -> str:
    match window.span:
        case Span.DAYS:
            return f"近{window.size}天"
        case Span.HOURS:
            return f"近{window.size}小时"
        case Span.LAST:
            return f"最近{window.size}条"
        case Span.EVER:
            return "有记录以来"


def _window_en(window: Window) -> str:
    match window.span:
        case Span.DAYS:
            return f"in the last {window.size} days"
        case Span.HOURS:
            return f"in the last {window.size} hours"
        case Span.LAST:
            return f"over the newest {window.size} rows"
        case Span.EVER:
            return "ever"


def _chinese(variable: Variable, table: Table) -> str:
    group = "且".join(_clause_zh(table, clause) for clause in variable.filter) + table.zh
    column = _word(table, variable.column, 0)
    match variable.form:
        case Form.RECENCY:
            return f"距最近一次{group}的天数"
        case Form.TENURE:
            return f"距最早一次{group}的天数"
        case Form.COUNT:
            what, unit = "条数", ""
        case Form.GAP:
            what, unit = f"相邻间隔{GAP_WORDS[variable.aggregate][0]}", "（天）"
        case Form.DISTINCT:
            what, unit = f"不同{column}个数", ""
        case Form.FIELD:
            what, unit = f"{column}{AGGREGATE_WORDS[variable.aggregate][0]}", _unit(variable, table, 0)
    assert variable.window is not None
    when = _window_zh(variable.window)
    if variable.over is not None:
        return f"{when}与{_window_zh(variable.over)}的{group}{what}之比"
    return f"{when}{group}{what}占全部{table.zh}的比例" if variable.is_share else f"{when}{group}{what}{unit}"


def _english(variable: Variable, table: Table) -> str:
    clauses = " and ".join(_clause_en(table, clause) for clause in variable.filter)
    group = f"{table.en} {clauses}" if clauses else table.en
    column = _word(table, variable.column, 1)
    match variable.form:
        case Form.RECENCY:
            return f"days since the newest of {group}"
        case Form.TENURE:
            return f"days since the oldest of {group}"
        case Form.COUNT:
            what, unit = f"number of {group}", ""
        case Form.GAP:
            what, unit = f"{GAP_WORDS[variable.aggregate][1]} gap between {group}", " (days)"
        case Form.DISTINCT:
            what, unit = f"number of different {column} of {group}", ""
        case Form.FIELD:
            what, unit = f"{AGGREGATE_WORDS[variable.aggregate][1]} {column} of {group}", _unit(variable, table, 1)
    assert variable.window is not None
    when = _window_en(variable.window)
    if variable.over is not None:
        return f"{what} {when}, as a ratio to the same {_window_en(variable.over)}"
    return f"{what} {when}, as a share of all {table.en}" if variable.is_share else f"{what} {when}{unit}"
