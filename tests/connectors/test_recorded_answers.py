"""What vendors' documentation prints as answers, and what our connectors make of it: `answers/<connector>.yml`, no sandbox in between.

A case names an object, how many rows it sends (one, if it says nothing), what is answered to addresses with `to` in them, and what becomes of
the rows, one by one, or of all of them: an error with its code. `$1.phone` in an answer is that field of the second row.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import yaml
from trial import Trial, specimens

from connectors.base import ConnectorError
from connectors.sandbox import Addresses

ANSWERS = Path(__file__).parent / "answers"
FIELD = re.compile(r"\$(\d+)\.(\w+)")
CASES = [
    (file.stem, number, case) for file in sorted(ANSWERS.glob("*.yml")) for number, case in enumerate(yaml.safe_load(file.read_text()))
]


def over_http(name: str) -> bool:
    """Whether it talks to a vendor by HTTP: the others' partners are real servers in their own tests."""
    trial = Trial(name)
    return bool(trial.connector.objects) and trial.emulator is not None and trial.specimen.ADDRESS == "http"


@pytest.mark.parametrize("name", [name for name in specimens() if over_http(name)])
def test_every_vendor_s_answers_are_recorded_the_good_and_the_bad(name: str) -> None:
    file = ANSWERS / f"{name}.yml"
    assert file.is_file(), f"Write down what this vendor's documentation prints as answers, in tests/connectors/answers/{file.name}."
    became = [case["becomes"] for case in yaml.safe_load(file.read_text())]
    assert any(isinstance(one, list) and any(row.startswith("sent") for row in one) for one in became)
    assert any(isinstance(one, str) or not all(row.startswith("sent") for row in one) for one in became)


@pytest.mark.parametrize(("name", "number", "case"), CASES, ids=[f"{name}/{number}" for name, number, _ in CASES])
async def test_a_recorded_answer_becomes_what_the_documentation_says_it_means(name: str, number: int, case: dict[str, Any]) -> None:
    trial = Trial(name)
    batch = trial.batch(case["object"], range(int(case.get("rows", 1))))
    recorded = list(case["answers"])

    def answer(request: httpx.Request) -> httpx.Response:
        found = next((one for one in recorded if one.get("to", "") in str(request.url)), None)
        assert found is not None, f"nothing is recorded for {request.method} {request.url.path}"
        body = orjson.dumps(found["json"]).decode() if "json" in found else str(found["text"])
        said = FIELD.sub(lambda field: str(batch.rows[int(field[1])].fields[field[2]]), body)
        return httpx.Response(int(found.get("status", 200)), headers=found.get("headers"), content=said.encode())

    closed = Addresses("http://127.0.0.1:9", "smtp://127.0.0.1:9")
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http, trial.open(closed, http) as connector:
        try:
            became: Any = [f"{outcome.status} {outcome.code}".strip() for outcome in await connector.deliver(batch)]
        except ConnectorError as error:
            became = f"{type(error).__name__} {error.code}"
    assert became == case["becomes"]
