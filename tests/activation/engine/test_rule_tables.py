"""Rules in tables: what is shipped is sound, and what is not is told with its line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from activation.engine.declarations import Declarations
from activation.engine.project import REPOSITORY, Project
from activation.engine.rule_tables import TABLES, faults


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The shipped tables, to be spoilt."""
    shutil.copytree(REPOSITORY / "dbt_models" / "seeds", tmp_path / "dbt_models" / "seeds")
    return Project(tmp_path.resolve())


def test_the_shipped_tables_are_sound_and_each_is_there(project: Project) -> None:
    assert faults(project) == []
    assert [name for name in TABLES if not (project.models / "seeds" / f"{name}.csv").is_file()] == []


RULE = "engagement,mine,web,event,Page Viewed,%,%,%,,,,,1,5,half_life,14,,0,1"
WRONG = {
    "another model": (
        "score_rules",
        RULE.replace("engagement", "engagment"),
        "there is no score model `engagment`. Did you mean `engagement`?",
    ),
    "no such group": ("score_rules", RULE.replace(",web,", ",wep,"), "there is no rule_group `wep`. Did you mean `web`?"),
    "no such kind": ("score_rules", RULE.replace(",event,", ",evnt,"), "there is no kind `evnt`. Did you mean `event`?"),
    "no such decay": ("score_rules", RULE.replace("half_life", "half-life"), "there is no decay `half-life`. Did you mean `half_life`?"),
    "no number": ("score_rules", RULE.replace(",1,5,", ",one,5,"), "`weight` must be a number."),
    "a half-life of nothing": ("score_rules", RULE.replace(",14,", ",0,"), "`decay_days` must be more than 0."),
    "a rule twice": ("score_rules", RULE.replace("mine", "page_viewed"), "`engagement, page_viewed` stands in line 2 already."),
    "too few values": (
        "score_rules",
        "engagement,mine,web",
        "has not the 19 values of the first line. Is a comma too many, or a quote missing?",
    ),
    "an attribute of nobody": (
        "score_rules",
        "fit,mine,role,attribute,,%,%,%,titel,x,,,1,1,none,1,,0,1",
        "there is no field `titel`. Did you mean `title`?",
    ),
    "a pattern that is none": (
        "score_rules",
        'fit,mine,role,attribute,,%,%,%,title,"(x",,,1,1,none,1,,0,1',
        "`value_pattern` is not a regular expression.",
    ),
    "an override of nothing": (
        "score_rule_overrides",
        "engagement,page_view,,2,,,,",
        "there is no rule `page_view`. Did you mean `page_viewed`?",
    ),
    "a threshold upside down": ("score_thresholds", "engagement,odd,50,60", "`falls_at` must not be above `rises_at`."),
    "a model without a lowest band": (
        "score_models",
        "new,engagement,fit,,true,New",
        "score_bands has no band of `new` that begins at 0, so who has few points would have no score.",
    ),
    "a tag of no dimension": (
        "tag_rules",
        "mine,Page Viewed,%,%,%,1,30,30,intrest:x",
        "there is no dimension `intrest`. Did you mean `interest`?",
    ),
    "a tag without a dimension": ("tag_rules", "mine,Page Viewed,%,%,%,1,30,30,x", "`tag` is written dimension:value."),
    "a count of nothing": ("tag_rules", "mine,Page Viewed,%,%,%,0,30,30,interest:x", "`min_count` must be at least 1."),
    "a dimension that is part of itself": ("tag_dimensions", "odd,odd,Odd", "`odd` is a part of itself in the end."),
    "a term in capitals": (
        "tag_lexicon_terms",
        "retail,en,Shop,topic:store",
        "`term` must be in lower case: texts are too, when they are looked at.",
    ),
    "a manual tag without a word": (
        "tag_manual",
        "email,a@mail.example,manual:vip,gives,me,2026-01-01,",
        "there is no action `gives`. Did you mean `give`?",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_row_that_is_wrong_is_told_with_its_line(project: Project, name: str) -> None:
    table, row, sentence = WRONG[name]
    path = project.models / "seeds" / f"{table}.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + row + "\n", encoding="utf-8")
    line = text.count("\n") + 1
    assert [str(fault) for fault in faults(project)] == [f"dbt_models/seeds/{table}.csv:{line}: {sentence}"]


def test_a_column_that_is_misspelt_is_told_once(project: Project) -> None:
    path = project.models / "seeds" / "score_rules.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("weight", "wieght", 1), encoding="utf-8")
    assert [str(fault) for fault in faults(project)] == [
        "dbt_models/seeds/score_rules.csv:1: has no column `weight`. Did you mean `wieght`?"
    ]


def test_no_value_of_a_manual_tag_is_ever_repeated(project: Project) -> None:
    path = project.models / "seeds" / "tag_manual.csv"
    path.write_text(path.read_text(encoding="utf-8") + "email,secret@mail.example,manual,take,me,soon,\n", encoding="utf-8")
    assert "secret" not in " ".join(map(str, faults(project)))


def test_declarations_are_not_loaded_beside_a_wrong_table(project: Project) -> None:
    (project.root / "activation").mkdir()
    path = project.models / "seeds" / "score_thresholds.csv"
    path.write_text(path.read_text(encoding="utf-8") + "nothing,odd,1,1\n", encoding="utf-8")
    assert [fault.message for fault in Declarations.collect(project).faults] == [
        "there is no score model `nothing`. Known: application, appointment, engagement, enrolment, fit, private_fit, purchase."
    ]
