"""HubSpot's search in the sandbox: filters by comparison, one sort, pages by `after`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

MOST, DEEPEST = 200, 10_000
MOMENTS = {"lastmodifieddate": "updatedAt", "hs_lastmodifieddate": "updatedAt", "createdate": "createdAt"}
COMPARE = {"GTE": lambda a, b: a >= b, "GT": lambda a, b: a > b, "LTE": lambda a, b: a <= b, "EQ": lambda a, b: a == b}


def search(records: Sequence[Mapping[str, Any]], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The answer. Raises KeyError, TypeError or ValueError for what HubSpot would refuse."""
    limit, after = int(asked.get("limit", 10)), int(asked.get("after") or 0)
    if limit > MOST or after + limit > DEEPEST:
        raise ValueError("too much is asked for")
    groups = asked.get("filterGroups") or [{"filters": []}]
    found = [one for one in records if any(all(_holds(one, rule) for rule in group["filters"]) for group in groups)]
    for rule in asked.get("sorts", []):
        found.sort(key=lambda one: _value(one, rule["propertyName"]), reverse=rule.get("direction") == "DESCENDING")
    page = found[after : after + limit]
    answer: dict[str, Any] = {"total": len(found), "results": [_shaped(one, asked.get("properties", [])) for one in page]}
    if after + limit < len(found):
        answer["paging"] = {"next": {"after": str(after + limit)}}
    return answer


def _holds(one: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    value, name = rule["value"], rule["propertyName"]
    return bool(COMPARE[rule["operator"]](_value(one, name), float(value) if name in MOMENTS else str(value)))


def _value(one: Mapping[str, Any], name: str) -> Any:
    if name in MOMENTS:  # compared as milliseconds
        return float(int(datetime.fromisoformat(one[MOMENTS[name]]).timestamp() * 1000))
    return str(one["properties"].get(name) or "")


def _shaped(one: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    properties = {name: one[MOMENTS[name]] if name in MOMENTS else one["properties"].get(name) for name in names}
    return {**one, "properties": properties}
