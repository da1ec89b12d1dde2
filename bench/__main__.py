"""Run the benchmarks and print them beside their bounds: `python -m bench [name …]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from activation import screens
from bench import builds, collector, delivery, identity, landing, plan, sample

RESULTS = Path(__file__).with_name("results.json")
BENCHES = {
    "sample": sample.measure,
    "landing": landing.measure,
    "plan": plan.measure,
    "identity": identity.measure,
    "builds": builds.measure,
    "delivery": delivery.measure,
    "collector": collector.measure,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        screens.say(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(BENCHES)}.")
        return 2
    metrics = []
    for name in names or BENCHES:
        screens.say(f"{name} …")
        metrics += BENCHES[name]()
    _keep(metrics)
    rows = [(m["name"], f"{m['value']:.3g}", m["unit"], m["bound"], m["detail"]) for m in metrics]
    screens.table("Measured", ("name", "value", "unit", "bound", "detail"), rows, right=(1,))
    return 0


def _keep(metrics: list[dict[str, Any]]) -> None:
    """Write what was measured; what was not measured this time stays as it was."""
    before = json.loads(RESULTS.read_text())["metrics"] if RESULTS.exists() else []
    measured = {metric["name"]: metric for metric in [*before, *metrics]}
    RESULTS.write_text(json.dumps({"metrics": list(measured.values())}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
