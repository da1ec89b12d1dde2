"""Files that arrive ask for the raw assets of their sources: one run for all that came, none for a file by itself."""

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from activation.engine.declarations import Declarations
from activation.engine.project import Project
from dagster_project import inbox
from dagster_project.landing import key

SETTLED_SECONDS = 5.0
EVERY_SECONDS = 30


def definitions(project: Project, declarations: Declarations) -> dg.Definitions:
    # One short step: a process for it would take longer than the step.
    job = dg.define_asset_job("land", dg.AssetSelection.groups("raw"), executor_def=dg.in_process_executor, description="Land what waits.")

    # Running from the start: landing writes to the warehouse alone, and twice is once.
    @dg.sensor(
        name="newly_landed",
        job=job,
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Lands what is new in the inbox and in the collector's spool.",
    )
    def newly_landed(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        after = int(context.cursor or 0)
        until = time.time_ns() - int(SETTLED_SECONDS * 1e9)
        new = newly_settled(inbox.waiting(project, declarations.sources), after, until)
        if not new:
            return dg.SkipReason("No new files, or all are still being written.")
        request = dg.RunRequest(run_key=_digest(new), asset_selection=[key(source) for source in new])
        return dg.SensorResult(run_requests=[request], cursor=str(until))

    return dg.Definitions(jobs=[job], sensors=[newly_landed])


def newly_settled(files: Mapping[str, list[Path]], after: int, until: int) -> dict[str, list[Path]]:
    """Files by source that came or changed after the moment `after` and have been left alone since `until` (both in ns of the epoch).

    The time looked at is the one the file system keeps of the file's last change, rename included: a file that was moved in with an
    old date is new too. A file that vanishes meanwhile has landed or was taken back.
    """
    # What the collector is still writing is finished within a minute, and then it has another name.
    whole = {source: [path for path in paths if path.suffix != ".open"] for source, paths in files.items()}
    found = {source: [path for path in paths if after < _changed(path) <= until] for source, paths in whole.items()}
    return {source: paths for source, paths in found.items() if paths}


def _changed(path: Path) -> int:
    try:
        return path.stat().st_ctime_ns
    except FileNotFoundError:
        return 0


def _digest(files: Mapping[str, list[Path]]) -> str:
    """The same files, unchanged, give the same key, so that Dagster runs them once whatever happens to the cursor."""
    lines = sorted(f"{path}|{_changed(path)}" for paths in files.values() for path in paths)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
