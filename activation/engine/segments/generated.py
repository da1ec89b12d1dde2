"""The models that dbt reads beside those somebody wrote: one for each rule, and `segment_members` and `segment_reasons` over all segments.

They stand in `.sluice/models`, which is never under version control: the YAML is the truth. The same declarations give the same bytes,
and a file that is the same already is not touched, so that dbt does not parse it anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from sqlglot import exp, select

from activation.engine import columns
from activation.engine.project import Project
from activation.engine.segments import compiled
from activation.engine.segments.references import for_dbt, model
from activation.engine.segments.tree import BOOKS, Rule

PROFILE_ID = "The person, stable over rebuilds and merges: `p_` and 16 hexadecimal digits."
REASON = "Why, in words."


def write(project: Project, rules: Mapping[str, Rule], into: Path | None = None) -> list[Path]:
    """Write the models of these rules, by model, and take away those of rules that are gone. Returns the files that changed."""
    wanted: dict[str, str] = {}
    for name, rule in sorted(rules.items()):
        wanted[f"{name}.sql"] = f"-- made of {rule.file}, which says what it is: a change here is lost\n{for_dbt(compiled.query(rule))}\n"
        wanted[f"{name}.yml"] = _yml(name, f"One row per person of the segment: {_sentence(rule.spec.description)}", {})
    if "dim_profiles" in {path.stem for path in (project.models / "models").rglob("*.sql")}:
        wanted["segment_members.sql"] = _members(project, rules)
        wanted["segment_members.yml"] = _yml(
            "segment_members",
            "One row per segment and person who is in it now.",
            {"segment_member_id": "The segment and the person.", "segment": "The segment's model."},
        )
        wanted["segment_reasons.sql"] = _reasons(project, rules)
        wanted["segment_reasons.yml"] = _yml(
            "segment_reasons",
            "One row per segment and person, whether in it or not.",
            {"segment": "The segment's model.", "is_member": "Whether the person is in it now."},
        )
    folder = (into or project.generated) / "segments"
    folder.mkdir(parents=True, exist_ok=True)
    changed = [path for path in sorted(folder.iterdir()) if path.suffix in {".sql", ".yml"} and path.name not in wanted]
    for path in changed:
        path.unlink(missing_ok=True)
    for name, text in wanted.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            beside = path.with_suffix(f".{os.getpid()}")
            beside.write_text(text, encoding="utf-8")
            beside.replace(path)
            changed.append(path)
    return changed


def _members(project: Project, rules: Mapping[str, Rule]) -> str:
    parts = []
    for name, has_reason in sorted(_segments(project, rules).items()):
        reason = "min(reason)" if has_reason else "cast(null as varchar)"
        parts.append(
            f"select\n    '{name}:' || profile_id as segment_member_id,\n    '{name}' as segment,\n    profile_id,\n    {reason} as reason\n"
            f"from {{{{ ref('{name}') }}}}\nwhere profile_id is not null\ngroup by profile_id"
        )
    nobody = "select\n    cast(null as varchar) as segment_member_id,\n    cast(null as varchar) as segment,\n    cast(null as varchar) as profile_id,\n    cast(null as varchar) as reason\nwhere false"
    return "-- made of the segments there are: a change here is lost\n" + "\nunion all\n".join(parts or [nobody]) + "\n"


def _reasons(project: Project, rules: Mapping[str, Rule]) -> str:
    """Who is in it, with the segment's own reason; who is not, with what of the rule does not hold. SQL does not say what keeps somebody out."""
    parts = ["select\n    segment,\n    profile_id,\n    true as is_member,\n    reason\nfrom {{ ref('segment_members') }}"]
    for name in sorted(_segments(project, rules)):
        reason = compiled.absence(rules[name]) if name in rules else exp.Literal.string("the SQL of the segment does not select them")
        query = select(
            exp.alias_(exp.Literal.string(name), "segment"),
            "p.profile_id",
            exp.alias_(exp.false(), "is_member"),
            exp.alias_(reason, "reason"),
        ).from_(model("dim_profiles", "p"))
        is_in = exp.and_("m.profile_id = p.profile_id", exp.column("segment", table="m").eq(exp.Literal.string(name)))
        outside = query.join(model("segment_members", "m"), on=is_in, join_type="left").where("m.profile_id is null")
        parts.append(for_dbt(outside))
    return "-- made of the segments there are: a change here is lost\n" + "\nunion all\n".join(parts) + "\n"


def _segments(project: Project, rules: Mapping[str, Rule]) -> dict[str, bool]:
    """Every segment of people, with whether it says why. One about something else than people has no members."""
    found = dict.fromkeys(rules, True)
    for path in (project.models / "models").rglob("segment_*.sql"):
        if path.stem not in BOOKS:
            there = columns.of({"raw_code": path.read_text(encoding="utf-8")})
            if not there.complete or "profile_id" in there.types:
                found[path.stem] = "reason" in there.types
    return found


def _yml(name: str, description: str, more: Mapping[str, str]) -> str:
    """A file of dbt, where JSON does for YAML: nothing in it needs quoting rules of its own."""
    described = {**more, "profile_id": PROFILE_ID, "reason": REASON}
    of_columns: list[dict[str, object]] = [{"name": column, "description": text} for column, text in described.items()]
    if "segment_member_id" in more:
        of_columns[0]["data_tests"] = ["unique", "not_null"]
    described_model = {"name": name, "description": _plain(description), "columns": of_columns}
    return json.dumps({"version": 2, "models": [described_model]}, ensure_ascii=False, indent=2) + "\n"


def _plain(text: str) -> str:
    """dbt renders descriptions: braces of its templates are told apart by a space."""
    return text.replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #")


def _sentence(text: str) -> str:
    stripped = text.strip().rstrip(".")
    return f"{stripped[:1].lower()}{stripped[1:]}."
