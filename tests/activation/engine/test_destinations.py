"""A destination is opened with its variables resolved; a secret is a variable, and on this machine the sandbox knows its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from activation.engine.declarations import Declarations
from activation.engine.destinations import Destination, is_loopback, receivers
from activation.engine.errors import UsageError
from activation.engine.project import Project

HUBSPOT = "crm: {connector: hubspot, base_url: '%s', token: '${CRM_TOKEN}', client_secret: '${CRM_SECRET}'}\n"


def declared(root: Path, text: str) -> dict[str, Destination]:
    (root / "activation").mkdir(exist_ok=True)
    (root / "activation" / "destinations.yml").write_text(text, encoding="utf-8")
    return Declarations.load(Project(root.resolve())).destinations


def test_a_destination_loads_with_an_empty_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CRM_TOKEN", "CRM_SECRET"):
        monkeypatch.delenv(name, raising=False)
    assert list(declared(tmp_path, HUBSPOT % "https://${HOST}/")) == ["crm"]


@pytest.mark.parametrize(
    ("address", "environment", "resolved"),
    [
        ("http://127.0.0.1:1/", {}, "http://127.0.0.1:1"),
        ("${URL:-http://127.0.0.1:2}", {}, "http://127.0.0.1:2"),
        ("${URL:-http://127.0.0.1:2}", {"URL": "https://crm.example"}, "https://crm.example"),
        ("${URL:-http://127.0.0.1:2}", {"URL": ""}, "http://127.0.0.1:2"),
        ("https://${REGION}.crm.example/${PATH_:-v1}", {"REGION": "eu"}, "https://eu.crm.example/v1"),
    ],
)
def test_variables_in_an_address_are_resolved(tmp_path: Path, address: str, environment: dict[str, str], resolved: str) -> None:
    assert declared(tmp_path, HUBSPOT % address)["crm"].address(environment) == resolved


def test_without_an_address_it_is_the_vendors_own(tmp_path: Path) -> None:
    crm = declared(tmp_path, "crm: {connector: hubspot, token: '${CRM_TOKEN}'}")["crm"]
    assert crm.address({}) == "https://api.hubapi.com"


def test_a_missing_variable_is_named_with_its_destination_and_what_to_do(tmp_path: Path) -> None:
    crm = declared(tmp_path, "\n" + HUBSPOT % "https://api.hubapi.com")["crm"]
    with pytest.raises(UsageError) as refusal:
        crm.open_options({"CRM_SECRET": "s"})
    assert str(refusal.value) == (
        "activation/destinations.yml:2: destination `crm` needs the environment variable CRM_TOKEN (for `token`). "
        "Set it, or give the destination a loopback base_url to use the sandbox."
    )
    with pytest.raises(UsageError, match=r"needs the environment variable HOST \(for `base_url`\)"):
        declared(tmp_path, HUBSPOT % "https://${HOST}")["crm"].open_options({})


def test_a_secret_that_only_the_sandbox_knows_is_asked_for_elsewhere(tmp_path: Path) -> None:
    crm = declared(tmp_path, "crm: {connector: hubspot, base_url: '${URL:-http://127.0.0.1:1}'}")["crm"]
    assert crm.open_options({}).token
    with pytest.raises(UsageError) as refusal:
        crm.open_options({"URL": "https://api.hubapi.com"})
    assert str(refusal.value) == (
        "activation/destinations.yml:1: destination `crm` is not on this machine, so it needs `token`. "
        "Write `token: ${CRM_TOKEN}` and set that variable."
    )


def test_on_this_machine_the_sandbox_knows_its_own_secrets(tmp_path: Path) -> None:
    crm = declared(tmp_path, HUBSPOT % "http://127.0.0.1:4010")["crm"]
    sandbox = crm.open_options({}).token.get_secret_value()
    assert sandbox
    assert crm.open_options({"CRM_TOKEN": "mine"}).token.get_secret_value() == "mine"


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:4010", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:80", True),
        ("smtp://localhost:25", True),
        ("", True),
        ("https://api.hubapi.com", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1@evil.example", False),
        ("http://0.0.0.0", False),
        ("http://10.0.0.1", False),
    ],
)
def test_what_is_on_this_machine(address: str, here: bool) -> None:
    assert is_loopback(address) is here


@pytest.mark.parametrize("url", ["crm.example", "http://user:hunter2@crm.example", "http://[::1", "http://x:70000"])
def test_an_address_from_a_variable_is_looked_at_when_it_is_opened(tmp_path: Path, url: str) -> None:
    crm = declared(tmp_path, HUBSPOT % "${URL}")["crm"]
    with pytest.raises(UsageError, match="destination `crm`: `base_url`") as refusal:
        crm.open_options({"URL": url, "CRM_TOKEN": "t"})
    assert "hunter2" not in str(refusal.value)


def test_an_option_from_a_variable_is_judged_without_showing_it(tmp_path: Path) -> None:
    mail = declared(tmp_path, "mail: {connector: smtp, base_url: 'smtp://127.0.0.1:1', sender: '${SENDER}'}")["mail"]
    with pytest.raises(UsageError, match=r"activation/destinations.yml:1: destination `mail`: `sender`") as refusal:
        mail.open_options({"SENDER": "jane.doe at example"})
    assert "jane.doe" not in str(refusal.value)


def test_a_folder_is_found_from_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = declared(tmp_path, "files: {connector: csv_file, directory: '${OUT:-out}'}")["files"]
    monkeypatch.chdir("/")
    assert files.open_options({}).directory == tmp_path.resolve() / "out"
    assert files.open_options({"OUT": "/elsewhere"}).directory == Path("/elsewhere")


def test_nothing_of_a_destination_is_in_its_repr(tmp_path: Path) -> None:
    crm = declared(tmp_path, HUBSPOT % "http://127.0.0.1:4010")["crm"]
    assert repr(crm) == "Destination(crm)"
    assert "mine" not in repr(crm.open_options({"CRM_TOKEN": "mine"}))


def test_receivers_are_those_whose_vendor_calls_back(tmp_path: Path) -> None:
    found = declared(
        tmp_path, HUBSPOT % "http://127.0.0.1:1" + "mail: {connector: smtp, base_url: 'smtp://127.0.0.1:1', sender: a@b.example}\n"
    )
    assert set(receivers(found)) == {"crm"}
