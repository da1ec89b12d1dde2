"""`sluice check`: a change of models is held against the syncs and sends that read them, with no warehouse anywhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activation.engine import columns
from activation.engine.check import CheckReport, check
from activation.engine.errors import UsageError
from activation.engine.project import REPOSITORY, Project


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, CheckReport]:
    """The shipped project, looked at once."""
    project = Project.create(tmp_path_factory.mktemp("check") / "project")
    return project, check(project)


@pytest.fixture
def project(sound: tuple[Project, CheckReport], tmp_path: Path) -> Project:
    """A copy to be changed, with what dbt has parsed already."""
    shutil.copytree(sound[0].root, tmp_path / "project")
    return Project((tmp_path / "project").resolve())


def edit(project: Project, path: str, pattern: str, replacement: str) -> None:
    file = project.root / path
    text = file.read_text(encoding="utf-8")
    changed = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    assert changed != text
    file.write_text(changed, encoding="utf-8")


def said(report: CheckReport) -> Iterator[tuple[str, str]]:
    for finding in report.broken:
        yield finding.ref, finding.sentence


def test_what_is_shipped_fits_and_no_warehouse_is_made(sound: tuple[Project, CheckReport]) -> None:
    project, report = sound
    assert (report.broken, report.unseen, report.advice) == ([], [], [])
    assert report.checked == len(list((REPOSITORY / "activation").glob("syncs/*/*.yml"))) + len(
        list((REPOSITORY / "activation").glob("sends/*.yml"))
    )
    assert not project.warehouse.exists()
    assert not project.manifest.exists()


def test_a_change_of_models_is_told_by_everything_it_breaks(project: Project) -> None:
    syncs, segments = "dbt_models/models/syncs", "dbt_models/models/segments"
    earlier = project.state / "check" / "manifest.json"
    before = project.root / "main.json"
    shutil.copy(earlier, before)
    edit(project, f"{syncs}/sync_hubspot_contacts.yml", r"name: job_title$", "name: position")
    edit(project, f"{syncs}/sync_files_customers.yml", r"(name: orders\n(?:.*\n)*?\s+data_type: )\w+", r"\1varchar")
    edit(project, f"{segments}/segment_newsletter_subscribers.sql", r"\bprofiles\.profile_id\b,", "profiles.profile_id as person,")
    edit(project, "dbt_models/models/identity/dim_profiles.sql", r"^    chosen\.phone,\n", "")
    (project.root / segments / "segment_wechat_followers_without_phone.sql").unlink()
    (project.root / segments / "segment_wechat_followers_without_phone.yml").unlink()
    edit(project, "dbt_models/seeds/consent_purposes.csv", r"^newsletter,.*\n", "")
    report = check(project, before)
    found = list(said(report))
    assert (
        "hubspot/contacts",
        "`sync_hubspot_contacts` has no column `job_title`, the field `jobtitle`. It was there before (varchar).",
    ) in found
    assert any(
        ref == "files/customers" and sentence.startswith("column `orders` of `sync_files_customers` was ") for ref, sentence in found
    )
    assert any(
        "`segment_newsletter_subscribers` has no column `profile_id`, so it cannot be an audience." in sentence for _, sentence in found
    )
    assert any(ref.startswith("sms/") and "`dim_profiles` has no column `phone`, by which sms reaches a person." in s for ref, s in found)
    assert any("there is no model `segment_wechat_followers_without_phone` in dbt_models." in sentence for _, sentence in found)
    assert ("", "purpose `newsletter` is not in it, so nobody's consent to it would ever be known.") in found
    assert [(one.ref, one.sentence) for one in report.new] == [
        ("hubspot/contacts", "`sync_hubspot_contacts` has a new column `position`, which no field sends.")
    ]
    (jobtitle,) = [finding for finding in report.broken if "job_title" in finding.sentence]
    line = (project.root / jobtitle.file).read_text(encoding="utf-8").splitlines()[jobtitle.line - 1]
    assert (jobtitle.file, line.strip()) == ("activation/syncs/hubspot/contacts.yml", "jobtitle: job_title")


def test_models_that_do_not_parse_are_told_in_dbt_s_words(project: Project) -> None:
    edit(project, "dbt_models/models/syncs/sync_hubspot_contacts.sql", r"ref\('dim_profiles'\)", "ref('dim_profile')")
    (finding,) = check(project).broken
    assert "dbt cannot parse the models." in finding.sentence
    assert "dim_profile" in finding.sentence


def test_what_is_no_manifest_is_refused(project: Project, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(UsageError, match=r"is not a manifest\.json of dbt"):
        check(project, tmp_path / "x.json")
    with pytest.raises(UsageError, match="There is no "):
        check(project, tmp_path / "y.json")


def test_the_command_ends_with_1_and_tells_programs_in_json(project: Project) -> None:
    edit(project, "activation/syncs/hubspot/contacts.yml", r"^purpose: .*$", "purpose: sales")
    arguments = [sys.executable, "-m", "activation.cli", "--project", str(project.root), "check"]
    done = subprocess.run([*arguments, "--json"], capture_output=True, text=True, cwd=REPOSITORY)
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], len(told["broken"])) == (1, False, 1)
    assert told["broken"][0]["file"] == "activation/syncs/hubspot/contacts.yml"


# -- columns that files show ----------------------------------------------------------------------------------------------


def node(sql: str, contract: bool = False, **types: str | None) -> dict[str, Any]:
    named = {name: {"data_type": kind} for name, kind in types.items()}
    return {"raw_code": sql, "columns": named, "config": {"contract": {"enforced": contract}}}


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        (
            "with a as (select * from {{ ref('x') }}) select a.b, {{ clean('a.c') }} as c, count(*) as n from a group by all",
            ["b", "c", "n"],
        ),
        ("{# why #} select one from x union all select two from y", ["one"]),
        ("select A.B as Quoted from x", ["quoted"]),
    ],
)
def test_what_a_select_gives_is_read_from_it(sql: str, names: list[str]) -> None:
    found = columns.of(node(sql))
    assert (list(found.types), found.complete) == (names, True)


@pytest.mark.parametrize(
    "sql",
    ["select * from x", "select a.* from a", "{% for c in cs %} select 1 as a {% endfor %}", "select {{ many() }} from x", "selec", ""],
)
def test_what_cannot_be_read_is_not_guessed(sql: str) -> None:
    found = columns.of(node(sql, known="varchar"))
    assert (dict(found.types), found.complete) == ({"known": "varchar"}, False)


def test_a_contract_is_believed_before_the_sql() -> None:
    assert columns.of(node("select a from x", contract=True, b="integer")).types == {"b": "integer"}


def test_what_a_person_should_look_at_in_a_text_message_breaks_nothing(project: Project) -> None:
    edit(project, "activation/content/autumn_offer.yml", "拒收请回复R$", "不要错过")
    report = check(project)
    (advice,) = report.advice
    assert report.ok
    assert (advice.ref, advice.file) == ("sms/autumn_offer", "activation/sends/autumn_offer.yml")
    assert "does not say how to opt out" in advice.sentence


def test_advice_about_messages_is_told_and_breaks_nothing(project: Project) -> None:
    edit(project, "activation/content/monthly_letter.yml", r"^  subject: .*", "  subject: BUY THIS NOW")
    report = check(project)
    assert [(one.file, one.sentence) for one in report.advice] == [
        ("activation/content/monthly_letter.yml", "the subject is all capitals, which filters take for spam.")
    ]
    assert report.ok
