"""One call for many people who get the same words; who gets other words is in another call, whatever becomes of this one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import httpx
import orjson

from connectors.base import ConnectorError, Outcome, Refused, Row, Unanswered

Together = Callable[[Sequence[Row]], Awaitable[list[Outcome]]]


async def by_words(rows: Sequence[Row], words: Callable[[Row], object], together: Together, fewest: int = 1) -> list[Outcome]:
    """The outcomes of all rows, in order. Of several calls, one that fails takes nothing back that another carried out.

    What a single call raises is raised. `fewest` is how many rows a call must have.
    """
    groups: dict[bytes, list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(orjson.dumps(words(row), option=orjson.OPT_SORT_KEYS), []).append(place)
    if len(groups) == 1:
        return await together(rows)
    outcomes: dict[int, Outcome] = {}
    for places in groups.values():
        outcomes |= zip(places, await _apart([rows[place] for place in places], together, fewest), strict=True)
    return [outcomes[place] for place in range(len(rows))]


async def _apart(rows: Sequence[Row], together: Together, fewest: int) -> list[Outcome]:
    """The outcomes of these rows whatever happens, so that nothing is said of others by it. The rows at fault are found here."""
    try:
        return await together(rows)
    except Refused as error:
        half = len(rows) // 2
        if half < fewest:
            return [Outcome("rejected", error.code, error.reason)] * len(rows)
        return [*await _apart(rows[:half], together, fewest), *await _apart(rows[half:], together, fewest)]
    except ConnectorError as error:
        return [Outcome("unknown" if isinstance(error, Unanswered) else "skipped", error.code, error.reason)] * len(rows)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        return [Outcome("skipped", "UNREACHABLE", f"The destination cannot be reached ({type(error).__name__}).")] * len(rows)
    except httpx.TransportError as error:
        return [Outcome("unknown", "NO_ANSWER", f"The request left and no answer came ({type(error).__name__}).")] * len(rows)
