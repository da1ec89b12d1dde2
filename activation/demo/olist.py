"""The Olist marketing funnel, real and anonymised data, through the same rooms: land, profile, lifecycle, funnel, segment, two syncs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from activation import screens
from activation.demo.services import clear, services
from activation.demo.steps import build_models, headline, land_files, run_all
from activation.engine.declarations import Declarations
from activation.engine.errors import UsageError
from activation.engine.models import Models
from activation.engine.project import Project
from activation.engine.warehouse import opened

FILES = ("marketing_qualified_leads.csv", "closed_deals.csv")
# The last deal was won on 14 November 2018.
NOW = datetime(2018, 12, 1, 12, tzinfo=UTC)


def run_olist(project: Project, folder: Path) -> int:
    """Run it on the two files in `folder`; returns the exit code. Raises UsageError when they are not there."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"{folder} has no {' and no '.join(missing)}. Get the Marketing Funnel by Olist data set (CC BY-NC-SA 4.0) and name its folder: "
            "`make olist OLIST=folder`."
        )
    clear(project)
    declarations = Declarations.load(project)
    with services(project):
        headline("The Olist marketing funnel")
        land_files(project, declarations, [folder / name for name in FILES], NOW)
        build_models(project, declarations, NOW)
        _funnel(project)
        results = run_all(project, declarations, NOW, [ref for ref in declarations.activations if "olist" in ref])
        headline("Again: nothing has changed, so nothing leaves")
        results += run_all(project, declarations, NOW, [ref for ref in declarations.activations if "olist" in ref])
    return 0 if all(result.status == "succeeded" for result in results) else 1


def _funnel(project: Project) -> None:
    models = Models(project)
    with opened(project, read_only=True) as connection:
        rows = connection.execute(
            f"select channel, leads, won, lead_to_won_rate from {models.relation('rpt_funnel').sql} where origin_system = 'olist' order by leads desc, channel"
        ).fetchall()
        waiting = connection.execute(f"select count(*) from {models.relation('segment_olist_paid_search_not_won_90d').sql}").fetchone() or (
            0,
        )
    shown = [(channel, leads, won, f"{(rate or 0) * 100:.1f}%") for channel, leads, won, rate in rows]
    total = (sum(row[1] for row in rows), sum(row[2] for row in rows))
    shown.append(("all", *total, f"{total[1] / total[0] * 100:.1f}%" if total[0] else ""))
    screens.table("rpt_funnel: leads and won deals by origin", ("origin", "leads", "won", "rate"), shown, right=(1, 2, 3))
    screens.say(f"{waiting[0]:,} leads of paid search were not won within 90 days (segment_olist_paid_search_not_won_90d).\n")
