"""Models are built by dbt in a process of its own; what went wrong comes back as sentences without personal data."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import yaml

from activation.engine.build import BuildFailed, BuildReport, build, environment
from activation.engine.declarations import Declarations
from activation.engine.errors import UsageError, WarehouseBroken
from activation.engine.models import Models
from activation.engine.project import REPOSITORY, Project

AS_OF = datetime(2026, 10, 31, 2, tzinfo=UTC)  # always the same: dbt parses everything anew when it changes
FILES = {
    "dbt_project.yml": "name: tiny\nprofile: tiny\nmodel-paths: [models]\nseed-paths: [seeds]\nmodels: {tiny: {+materialized: table}}\n",
    "profiles.yml": "tiny: {target: t, outputs: {t: {type: duckdb, path: \"{{ env_var('SLUICE_WAREHOUSE') }}\"}}}\n",
    "seeds/cities.csv": "city,country\nBonn,DE\n",
    "models/raw.yml": "sources: [{name: raw, schema: raw, tables: [{name: people}]}]\n",
    "models/people.sql": "select payload->>'id' as id, payload->>'city' as city, '{{ var(\"as_of\", \"never\") }}' as as_of "
    "from {{ source('raw', 'people') }}\n",
    "models/places.sql": "select p.id, c.country from {{ ref('people') }} p left join {{ ref('cities') }} c using (city)\n",
    "models/people.yml": """
models:
  - name: people
    description: One row per person.
    columns:
      - {name: id, data_tests: [not_null], config: {meta: {pii: true}}}
unit_tests:
  - name: a_person_without_a_city_stays
    model: places
    given: [{input: ref('people'), rows: [{id: 1, city: null}]}, {input: ref('cities'), rows: []}]
    expect: {rows: [{id: 1, country: null}]}
""",
}


class Tiny:
    def __init__(self, root: Path) -> None:
        self.project = Project(root.resolve())
        self.report = BuildReport()
        self.told: list[tuple[int, int, str]] = []
        for name, text in FILES.items():
            self.write(name, text)
        source = self.project.declarations / "sources" / "people.yml"
        source.parent.mkdir(parents=True)
        source.write_text("files: people/*.csv\nformat: csv\nkey: [[id]]\n")

    def write(self, name: str, text: str) -> None:
        path = self.project.models / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    @property
    def declarations(self) -> Declarations:
        return Declarations.load(self.project)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.project.warehouse)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Built once."""
    tiny = Tiny(tmp_path_factory.mktemp("tiny"))
    tiny.report = build(tiny.project, tiny.declarations, AS_OF, progress=lambda done, total, name: tiny.told.append((done, total, name)))
    return tiny


def test_models_seeds_and_tests_are_counted_and_progress_is_told(tiny: Tiny) -> None:
    report = tiny.report
    assert (report.models, report.seeds, report.tests, report.unit_tests, report.ok) == (2, 1, 1, 1, True)
    assert {name for _, _, name in tiny.told} >= {"cities", "people", "places"}
    assert all(0 < done <= total for done, total, _ in tiny.told)
    # Landing had not run: the source's table was made, empty, so that the models compile.
    assert tiny.rows("select count(*) from information_schema.tables where table_schema = 'raw' and table_name = 'people'") == [(1,)]


def test_what_fails_is_told_without_the_values_that_made_it_fail(tiny: Tiny) -> None:
    tiny.rows('insert into raw.people (_event_id, payload) values (\'1\', \'{"id": "jane.doe@mail.example", "city": "+49 151 2345678"}\')')
    tiny.write("models/numbers.sql", "select cast(id as integer) as n, cast(city as date) as day from {{ ref('people') }}\n")
    tiny.write("models/after.sql", "select * from {{ ref('numbers') }}\n")
    report = build(tiny.project, tiny.declarations, AS_OF, select=["people+"])
    for name in ("numbers", "after"):
        (tiny.project.models / "models" / f"{name}.sql").unlink()
    assert (report.ok, report.skipped, len(report.failures)) == (False, 1, 1)
    assert report.failures[0].startswith("model numbers: ")
    assert "jane" not in report.failures[0]
    assert "2345678" not in report.failures[0]
    assert tiny.rows("select as_of from people") == [("2026-10-31T02:00:00",)]


def test_from_much_everything_is_made_one_model_at_a_time_unless_it_was_made_before(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tiny.project.logs / "dbt.log"

    def threads(full_refresh: bool = False) -> str:
        said.unlink()
        assert build(tiny.project, tiny.declarations, AS_OF, full_refresh=full_refresh).ok
        return re.findall(r"Concurrency: (\d) thread", said.read_text(encoding="utf-8"))[0]

    tiny.write("profiles.yml", FILES["profiles.yml"].replace("type: duckdb", "type: duckdb, threads: 2"))
    assert threads() == "2"
    monkeypatch.setattr("activation.engine.build.MUCH", 0)
    assert threads() == "1"
    tiny.rows("create table int_events (event_id varchar)")
    assert threads() == "2"
    assert threads(full_refresh=True) == "1"
    monkeypatch.setenv("SLUICE_DBT_THREADS", "2")
    assert threads(full_refresh=True) == "2"


def test_declarations_may_be_read_while_dbt_starts_and_what_that_raises_is_raised(tiny: Tiny) -> None:
    assert build(tiny.project, lambda: tiny.declarations, AS_OF, select=["people"]).ok

    def wrong() -> Declarations:
        raise UsageError("not like that")

    with pytest.raises(UsageError, match="not like that"):
        build(tiny.project, wrong, AS_OF)


def test_a_selection_of_nothing_is_wrong_use(tiny: Tiny) -> None:
    with pytest.raises(UsageError, match=r"Nothing is selected by `segment_nobody`\. Select models as dbt does"):
        build(tiny.project, tiny.declarations, AS_OF, select=["segment_nobody"])


def test_models_that_dbt_cannot_read_are_told_with_dbts_words(tiny: Tiny) -> None:
    tiny.write("models/broken.sql", "select * from {{ ref('nowhere') }}\n")
    try:
        with pytest.raises(BuildFailed, match=r"dbt could not build the models\.") as failure:
            build(tiny.project, tiny.declarations, AS_OF)
    finally:
        (tiny.project.models / "models" / "broken.sql").unlink()
    assert "nowhere" in str(failure.value)


def test_what_dbt_knows_is_read_from_its_manifest(tiny: Tiny) -> None:
    models = Models(tiny.project)
    assert {"cities", "people", "places"} <= set(models.names())
    assert models.pii("people") == {"id"}
    assert models.description("people") == "One row per person."
    assert models.relation("people").sql == '"main"."people"'


def test_another_moment_makes_dbt_parse_nothing_anew_and_a_project_that_was_moved_finds_its_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_LOG_LEVEL_FILE", "debug")
    here = Tiny(tmp_path / "before")
    here.write("macros/as_of.sql", (REPOSITORY / "dbt_models/macros/as_of.sql").read_text(encoding="utf-8"))
    here.write("models/people.sql", FILES["models/people.sql"].replace('\'{{ var("as_of", "never") }}\'', "{{ as_of() }}"))
    assert build(here.project, here.declarations, AS_OF).ok
    here.rows("insert into raw.people (_event_id, payload) values ('1', '{\"id\": \"1\"}')")
    said = here.project.logs / "dbt.log"
    said.unlink()
    later = AS_OF + timedelta(days=1)
    assert build(here.project, here.declarations, later).ok
    assert here.rows("select as_of from people") == [(later.replace(tzinfo=None),)]
    assert "Nothing changed, skipping partial parsing" in said.read_text()
    here.project.root.rename(tmp_path / "after")
    there = Project((tmp_path / "after").resolve())
    assert build(there, Declarations.load(there), later).ok


@pytest.fixture
def cities(tmp_path: Path) -> Tiny:
    """One seed, one test of it, and a table made of it."""
    tiny = Tiny(tmp_path / "cities")
    shutil.rmtree(tiny.project.models / "models")
    tiny.write("seeds/cities.yml", "seeds: [{name: cities, columns: [{name: city, data_tests: [not_null]}]}]\n")
    tiny.write("models/countries.sql", "select country from {{ ref('cities') }}\n")
    return tiny


def seeded(tiny: Tiny, full_refresh: bool = False) -> tuple[int, int]:
    """How many seeds a build loads, and how many it leaves alone."""
    report = build(tiny.project, tiny.declarations, full_refresh=full_refresh)
    assert (report.ok, report.models, report.tests) == (True, 1, 1)
    return report.seeds, report.seeds_unchanged


def test_seeds_that_did_not_change_are_left_alone_and_their_tests_are_not(cities: Tiny) -> None:
    assert seeded(cities) == (1, 0)
    assert seeded(cities) == (0, 1)
    assert seeded(cities, full_refresh=True) == (1, 0)
    assert seeded(cities) == (0, 1)


def test_seeds_are_left_alone_at_another_moment(cities: Tiny) -> None:
    cities.write("macros/as_of.sql", (REPOSITORY / "dbt_models/macros/as_of.sql").read_text(encoding="utf-8"))
    assert seeded(cities) == (1, 0)
    assert build(cities.project, cities.declarations, AS_OF).seeds_unchanged == 1


def test_a_seed_that_was_edited_is_loaded_by_the_build_that_sees_it(cities: Tiny) -> None:
    assert seeded(cities) == (1, 0)
    cities.write("seeds/cities.csv", "city,country\nBern,CH\n")
    assert seeded(cities) == (1, 0)
    assert cities.rows("select country from countries") == [("CH",)]
    cities.write("seeds/cities.yml", "seeds: [{name: cities, columns: [{name: country, data_tests: [not_null]}]}]\n")
    assert seeded(cities) == (1, 0)


def test_a_seeds_table_that_was_edited_or_dropped_is_loaded_anew(cities: Tiny) -> None:
    assert seeded(cities) == (1, 0)
    cities.rows("update cities set country = 'FR'")
    assert seeded(cities) == (1, 0)
    cities.rows("drop table cities cascade")
    assert seeded(cities) == (1, 0)
    assert cities.rows("select country from countries") == [("DE",)]


def test_a_seed_that_failed_is_loaded_again(cities: Tiny) -> None:
    cities.write("seeds/sizes.csv", "city,size\nBonn,9,9\n")
    assert not build(cities.project, cities.declarations).ok
    cities.write("seeds/sizes.csv", "city,size\nBonn,9\n")
    assert seeded(cities) == (2, 0)
    assert seeded(cities) == (0, 2)


def children() -> set[str]:
    """Processes that this one has begun and not waited for, which others of its tests may have as well."""
    return {pid for thread in Path("/proc/self/task").iterdir() for pid in (thread / "children").read_text().split()}


def test_dbt_does_not_begin_and_is_not_waited_for_when_the_warehouse_cannot_be_prepared(cities: Tiny) -> None:
    cities.project.warehouse.write_bytes(b"no warehouse" * 1000)
    before = children()
    with pytest.raises(WarehouseBroken, match="is not a DuckDB file"):
        build(cities.project, cities.declarations)
    assert children() <= before  # nobody is left
    assert not (cities.project.logs / "dbt.log").exists()


def test_a_dbt_that_dies_before_it_is_told_to_begin_is_told(cities: Tiny, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "dbt").mkdir()
    (tmp_path / "dbt" / "__init__.py").write_text("raise SystemExit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    # Preparing takes longer than dying: somebody else has the warehouse for a while.
    hold = f"import duckdb, time; held = duckdb.connect({str(cities.project.warehouse)!r}); print(flush=True); time.sleep(2)"
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(BuildFailed, match=r"dbt could not build the models\.\nSee .*dbt\.log"):
            build(cities.project, cities.declarations)


def test_packages_and_modules_in_a_projects_folder_are_not_taken_for_those_installed(cities: Tiny) -> None:
    for name in ("activation", "dbt"):
        (cities.project.root / name).mkdir(exist_ok=True)
        (cities.project.root / name / "__init__.py").write_text("raise SystemExit(3)\n")
    assert seeded(cities) == (1, 0)


def test_dbts_log_is_text_unless_somebody_asks_for_json(cities: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seeded(cities) == (1, 0)
    log = cities.project.logs / "dbt.log"
    assert not log.read_text().splitlines()[-1].startswith("{")
    log.unlink()
    monkeypatch.setenv("DBT_LOG_FORMAT_FILE", "json")
    assert seeded(cities) == (0, 1)
    assert {line[:1] for line in log.read_text().splitlines()} == {"{"}


def test_dbts_log_has_every_statement_for_whoever_asks_for_it(cities: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seeded(cities) == (1, 0)
    log = cities.project.logs / "dbt.log"
    assert "[debug]" not in log.read_text()
    monkeypatch.setenv("DBT_LOG_LEVEL_FILE", "debug")
    assert seeded(cities) == (0, 1)
    assert re.search(r"\[debug\].*SQL status: OK", log.read_text())


def test_what_the_profile_says_of_the_warehouse_holds_for_every_model_and_is_said_once(
    cities: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = (REPOSITORY / "dbt_models" / "profiles.yml").read_text()
    cities.write("profiles.yml", profile)
    cities.write("dbt_project.yml", FILES["dbt_project.yml"].replace("profile: tiny", "profile: sluice"))
    cities.write("models/told.sql", "select name, value from duckdb_settings()\n")
    monkeypatch.setenv("SLUICE_DBT_MEMORY_LIMIT", "1234MB")
    assert build(cities.project, cities.declarations, AS_OF, select=["told"]).ok
    told = dict(cities.rows("select name, value from told"))
    assert told["memory_limit"] == "1.1 GiB"
    assert told["preserve_insertion_order"] == "false"
    assert told["checkpoint_threshold"] == "95.3 MiB"
    assert told["TimeZone"] == "UTC"
    # Whatever else stands there is said again for every model, and of the memory limit alone DuckDB gives back all that it is done with.
    assert list(yaml.safe_load(profile)["sluice"]["outputs"]["duckdb"]["settings"]) == ["TimeZone"]


def test_dbt_is_told_to_send_nothing_anywhere(tiny: Tiny) -> None:
    found = environment(tiny.project, {"PATH": "/bin"})
    assert found["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
    assert found["SLUICE_WAREHOUSE"] == str(tiny.project.warehouse)
    assert found["SLUICE_DBT_AS_OF"] == ""
    assert found["PATH"] == "/bin"
    assert json.loads((tiny.project.target / "manifest.json").read_text())["metadata"]["send_anonymous_usage_stats"] is False
