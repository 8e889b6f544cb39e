"""Charts as data: what ECharts is told, without colours, which belong to the style sheet. `href` of a point leads to the loans behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

Point = Mapping[str, Any]
NAMED_MAX = 12
"""So many bars are all named; of more, as many as fit."""


def point(value: float | None, href: str = "") -> Point | float | None:
    """Give a value that leads somewhere when it is pressed."""
    return {"value": value, "href": href} if href else value


def bars(labels: Sequence[str], series: Mapping[str, Sequence[Any]], *, is_lying: bool = False) -> dict[str, Any]:
    """Give bars by label, of one or several series; lying ones read long names."""
    names: dict[str, Any] = {"type": "category", "data": list(labels), "axisLabel": {"interval": 0} if len(labels) <= NAMED_MAX else {}}
    values: dict[str, Any] = {"type": "value", "minInterval": 1}
    return {
        "xAxis": values if is_lying else names,
        "yAxis": names | {"inverse": True} if is_lying else values,
        "legend": {} if len(series) > 1 else None,
        "series": [
            {"type": "bar", "name": name, "data": list(data), "barMaxWidth": 26, "itemStyle": {"borderRadius": 3}}
            for name, data in series.items()
        ],
        "tooltip": {"axisPointer": {"type": "shadow"}},
    }


def lines(labels: Sequence[str], series: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Give curves over labels; a curve may end early."""
    return {
        "xAxis": {"type": "category", "data": list(labels), "boundaryGap": False},
        "yAxis": {"type": "value"},
        "legend": {},
        "series": [{"type": "line", "name": name, "data": list(data), "symbolSize": 5, "lineStyle": {"width": 2}} for name, data in series.items()],
    }
