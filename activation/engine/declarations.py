"""Everything declared below `activation/`, loaded and checked together: all faults at once, each with file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from activation.engine import alert_channels, rule_tables, sms_lint, templates, ties, topics
from activation.engine.activations import Activation as Activation
from activation.engine.alert_channels import Alerts
from activation.engine.content_specs import Content
from activation.engine.destinations import Destination
from activation.engine.errors import DeclarationErrors, Fault, UsageError
from activation.engine.form_specs import Form
from activation.engine.policies import FILES as POLICY_FILES
from activation.engine.policies import Policies
from activation.engine.project import Project
from activation.engine.segments import tree
from activation.engine.segments.known import known
from activation.engine.specs import NAME, Send, Source, Sync
from activation.engine.yaml_file import Place, YamlFile, did_you_mean
from connectors.base import Object

ROOMS = {"sources", "segments", "syncs", "sends", "content", "forms", "policies"}
FILES = {"destinations.yml", "alerts.yml"}
TELLS_COLLEAGUES = frozenset({"email", "sms", "chat"})
# By channel: the key of a vendor's template, and that of words of one's own with how it is shown.
OWN_WORDS = {"wechat": ("template_id", ("text", "`text`")), "email": ("template", ("page", "a page (`html` or `mjml`)"))}
RESERVED = {"quarantine", "files", "fields", "batch_numbers", "landed"}  # `landed` is where the spool sets files aside


@dataclass
class Declarations:
    """What a project declares. `load` raises DeclarationErrors with every fault; `collect` returns them beside what could be loaded."""

    project: Project
    sources: dict[str, Source] = field(default_factory=dict)
    destinations: dict[str, Destination] = field(default_factory=dict)
    activations: dict[str, Activation] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    forms: dict[str, Form] = field(default_factory=dict)
    segments: dict[str, tree.Rule] = field(default_factory=dict)  # by model: `segment_<name>`
    policies: Policies = field(default_factory=Policies)
    alerts: Alerts = field(default_factory=Alerts)
    faults: list[Fault] = field(default_factory=list)
    _declared: dict[str, set[str]] = field(default_factory=dict, repr=False)  # names of files and entries, right or wrong
    _read_files: dict[str, YamlFile] = field(default_factory=dict, repr=False)  # policies by name, syncs and sends by reference
    _purposes_known: bool = True
    _destinations_known: bool = True

    @classmethod
    def load(cls, project: Project) -> Declarations:
        loaded = cls.collect(project)
        if loaded.faults:
            raise DeclarationErrors(loaded.faults)
        return loaded

    @classmethod
    def collect(cls, project: Project) -> Declarations:
        self = cls(project)
        self._check_folders()
        self._load_folder("sources", Source, self.sources, self._check_source)
        self._load_policies()
        self._load_destinations()
        self._load_folder("content", Content, self.contents, self._check_content)
        self._load_folder("forms", Form, self.forms, self._check_form)
        self._load_segments()
        for path in self._files("syncs"):
            self._load_sync(path)
        for path in self._files("sends"):
            self._load_send(path)
        ties.tie(self.activations, self.policies, self._read_files, self.models, self.faults)
        self._load_alerts()
        self.faults += rule_tables.faults(project)
        return self

    def find(self, ref: str) -> Activation:
        """The sync or send `destination/name`. Raises UsageError with the nearest name."""
        if ref not in self.activations:
            raise UsageError(f"There is no sync or send `{ref}`.{did_you_mean(ref, set(self.activations))} `sluice list` shows them all.")
        return self.activations[ref]

    def line(self, ref: str, place: Place = ()) -> int:
        """The line of a sync's or send's file where `place` stands."""
        return self._read_files[ref].line(place)

    # -- reading ------------------------------------------------------------------------------------------------

    def _files(self, folder: str) -> list[Path]:
        room = self.project.declarations / folder
        return _yaml_below(room) if room.is_dir() else []

    def _read(self, path: Path) -> YamlFile:
        file = YamlFile.read(path, self.project.relative(path))
        if not NAME.match(path.stem):
            file.fault((), f"the file's name is the name: rename `{path.name}` to lower-case letters, digits and underscores.")
        if path.suffix == ".yaml":
            file.fault((), f"rename `{path.name}` to `{path.stem}.yml`.")
        folder, *between, _ = path.relative_to(self.project.declarations).parts
        if folder == "syncs" and len(between) != 1:
            file.fault((), "belongs in a folder named for its destination: syncs/<destination>/<name>.yml.")
        elif folder != "syncs" and between:
            file.fault((), f"belongs directly in activation/{folder}.")
        return file

    def _load_alerts(self) -> None:
        path = self.project.declarations / "alerts.yml"
        if path.is_file():
            file = YamlFile.read(path, self.project.relative(path))
            refs = {ref for ref in self._read_files if "/" in ref}
            self.alerts = alert_channels.load(file, self.destinations, self._declared.get("destinations", set()), refs)
            self.faults += file.faults

    def _check_folders(self) -> None:
        """A YAML file that nothing reads is a declaration in the wrong place."""
        for path in _yaml_below(self.project.declarations):
            first, *rest = path.relative_to(self.project.declarations).parts
            if (rest and first not in ROOMS) or (not rest and first not in FILES):
                near = did_you_mean(first, ROOMS if rest else FILES)
                self.faults.append(Fault(self.project.relative(path), 1, f"nothing reads this file.{near}"))

    def _load_folder(self, folder: str, model: type[Any], into: dict[str, Any], check: Any) -> None:
        declared: set[str] = set()
        for path in self._files(folder):
            file = self._read(path)
            spec = file.validate(model)
            if path.stem in declared:
                file.fault((), f"`{path.stem}` is declared twice.")
            declared.add(path.stem)
            check(file, file.said(model) if spec is None else dict(spec))
            if not file.faults:
                into[path.stem] = spec
            self.faults += file.faults
        self._declared[folder] = declared

    def _load_policies(self) -> None:
        parts: dict[str, Any] = {}
        for path in self._files("policies"):
            file = self._read(path)
            if path.stem not in POLICY_FILES:
                file.fault((), f"there is no policy `{path.stem}`.{did_you_mean(path.stem, set(POLICY_FILES))}")
            elif path.stem in parts:
                file.fault((), f"`{path.stem}` is declared twice. Keep activation/policies/{path.stem}.yml.")
            else:
                parts[path.stem] = file.validate(POLICY_FILES[path.stem])
                self._read_files[path.stem] = file
            self.faults += file.faults
        # Where the file of purposes cannot be read, nobody is told that theirs is not in it.
        self._purposes_known = parts.get("purposes", True) is not None
        self.policies = Policies.of(parts)

    def _load_destinations(self) -> None:
        path = self.project.declarations / "destinations.yml"
        if not path.is_file():
            return
        file = YamlFile.read(path, self.project.relative(path))
        self._destinations_known = not file.broken
        if isinstance(file.data, dict):
            self._declared["destinations"] = set(file.data)
            for name in file.data:
                destination = Destination.declared(file, name)
                if destination:
                    self.destinations[name] = destination
        elif not file.broken and file.data is not None:
            file.fault((), "must be a mapping of destination names to their settings.")
        self.faults += file.faults

    # -- checks across files ------------------------------------------------------------------------------------

    @cached_property
    def models(self) -> set[str]:
        """Names of the dbt models, by file, and of those that rules become. What columns they have is seen when a plan is made."""
        written = {path.stem for path in (self.project.models / "models").rglob("*.sql")}
        return written | {f"segment_{path.stem}" for path in self._files("segments")}

    def _load_segments(self) -> None:
        names = known(self.project, self.models, set(self.policies.purposes) if self._purposes_known else None)
        written = {path.stem: path for path in (self.project.models / "models").rglob("segment_*.sql")}
        files: dict[str, YamlFile] = {}
        for path in self._files("segments"):
            file, model = self._read(path), f"segment_{path.stem}"
            if model in written:
                file.fault((), f"`{model}` is written in {self.project.relative(written[model])} too. Rename one.")
            elif model in files:
                file.fault((), f"`{path.stem}` is declared twice.")
            elif model in tree.BOOKS:
                file.fault((), f"`{model}` is a table about all segments. Give the segment another name.")
            files[model] = file
            rule = tree.read(file, model, names)
            if rule is not None:
                self.segments[model] = rule
        for model, way in tree.cycles(self.segments):
            files[model].fault(("rule",), f"refers to itself: {' → '.join(way)}.")
        for model, file in files.items():
            if file.faults:
                self.segments.pop(model, None)
            self.faults += file.faults

    def _load_sync(self, path: Path) -> None:
        file = self._read(path)
        folder = path.parent.name
        spec = file.validate(Sync)
        said = file.said(Sync)
        self._read_files[f"{folder}/{path.stem}"] = file
        self._check_model(file, said.get("model"), ("model",), "sync_")
        if isinstance(exchange := said.get("exchange"), dict) and isinstance(exchange.get("theirs"), str):
            self._check_model(file, exchange["theirs"], ("exchange", "theirs"), "")
        self._check_purpose(file, said.get("purpose"))
        destination = self._destination(file, folder, ()) if path.parents[1].name == "syncs" else None
        if destination:
            target = self._object(file, destination, said.get("object"))
            if target:
                self._check_capabilities(file, destination, target, said)
                settings = file.validate(target.settings, said.get("settings") or {}, ("settings",))
                if spec is not None:
                    self._add(Activation(f"{folder}/{path.stem}", "sync", path.stem, destination, spec, target, settings, file.shown), file)
        self.faults += file.faults

    def _load_send(self, path: Path) -> None:
        file = self._read(path)
        spec = file.validate(Send)
        said = file.said(Send)
        self._read_files[f"{said.get('destination')}/{path.stem}"] = file
        audience = said.get("audience")
        for kind in ("include", "exclude"):
            segments = audience.get(kind) if isinstance(audience, dict) else None
            for index, segment in enumerate(segments if isinstance(segments, list) else []):
                if ("audience", kind, index) not in file.faulty:
                    self._check_model(file, segment, ("audience", kind, index), "segment_")
        self._check_purpose(file, said.get("purpose"))
        for place, message in topics.of_send(self.policies, said):
            file.fault(place, message)
        destination = self._destination(file, said.get("destination"), ("destination",))
        if destination:
            self._check_variant(file, ("content",), said.get("content"), said, destination)
            experiment = said.get("experiment")
            others = experiment.get("content") if isinstance(experiment, dict) else None
            for arm, name in others.items() if isinstance(others, dict) else ():
                if isinstance(name, str) and ("experiment", "content") not in file.faulty:
                    self._check_variant(file, ("experiment", "content", arm), name, said, destination)
            target = self._object(file, destination, said.get("object"))
            if target:
                self._check_sms(file, said, destination, target)
                if said.get("to") and destination.connector.channel not in TELLS_COLLEAGUES:
                    told = ", ".join(sorted(TELLS_COLLEAGUES))
                    file.fault(("to",), f"{destination.name} does not reach colleagues: tell them by {told}.")
                if not target.message:
                    file.fault(("object",), f"`{said['object']}` is not a message. A send needs one; keep records equal with a sync.")
                self._check_words(file, said, destination, target)
                settings = file.validate(target.settings, said.get("settings") or {}, ("settings",))
                if spec is not None:
                    self._add(
                        Activation(f"{spec.destination}/{path.stem}", "send", path.stem, destination, spec, target, settings, file.shown),
                        file,
                    )
        self.faults += file.faults

    def _add(self, activation: Activation, file: YamlFile) -> None:
        if activation.ref in self.activations:
            file.fault((), f"`{activation.ref}` is declared in {self.activations[activation.ref].file} too. Rename one.")
        elif not file.faults:
            self.activations[activation.ref] = activation

    # A check is given what was written; what is at fault by itself (or missing) comes as None and is not judged again.

    def _destination(self, file: YamlFile, name: str | None, place: tuple[str, ...]) -> Destination | None:
        if name is not None and name not in self._declared.get("destinations", set()) and self._destinations_known:
            file.fault(
                place,
                f"there is no destination `{name}` in activation/destinations.yml.{did_you_mean(name, set(self.destinations))}",
            )
        return self.destinations.get(name or "")

    def _object(self, file: YamlFile, destination: Destination, name: str | None) -> Object | None:
        objects = destination.connector.objects
        if name is not None and name not in objects:
            known = did_you_mean(name, set(objects)) if objects else " It only receives."
            file.fault(("object",), f"{destination.connector_name} has no object `{name}`.{known}")
        return objects.get(name or "")

    def _check_model(self, file: YamlFile, model: str | None, place: tuple[str | int, ...], prefix: str) -> None:
        if model is None:
            return
        if model not in self.models:
            file.fault(
                place,
                f"there is no model `{model}` in dbt_models.{did_you_mean(model, {m for m in self.models if m.startswith(prefix)})}",
            )
        elif not model.startswith(prefix) or model in tree.BOOKS:
            file.fault(place, f"`{model}` is not a `{prefix}…` model, which is what belongs here.")

    def _check_purpose(self, file: YamlFile, purpose: str | None) -> None:
        if purpose is not None and purpose not in self.policies.purposes and self._purposes_known:
            file.fault(
                ("purpose",),
                f"`{purpose}` is not in activation/policies/purposes.yml.{did_you_mean(purpose, set(self.policies.purposes))}",
            )

    def _check_capabilities(self, file: YamlFile, destination: Destination, target: Object, said: Mapping[str, Any]) -> None:
        what = f"{destination.connector_name} {said['object']}"
        if target.message:
            file.fault(("object",), f"`{said['object']}` is a message. Messages leave by a send (activation/sends), once for each person.")
            return
        for key, allowed in (
            ("mode", target.modes),
            ("match_policy", target.match_policies),
            ("on_removed", target.on_removed | {"nothing"}),
            ("on_merged", target.on_removed | {"nothing"}),
        ):
            if said.get(key) is not None and said[key] not in allowed:
                file.fault((key,), f"{what} cannot `{said[key]}`. It can: {', '.join(sorted(allowed))}.")
        for missing in sorted(target.required - set(said["fields"])) if "fields" in said else ():
            file.fault(("fields",), f"{what} needs the field `{missing}`.")

    def _check_variant(
        self, file: YamlFile, place: tuple[str, ...], name: str | None, said: Mapping[str, Any], destination: Destination
    ) -> None:
        channel, fields = destination.connector.channel, said.get("fields")
        if name is None:
            return
        if name not in self._declared.get("content", set()):
            file.fault(place, f"there is no content `{name}` in activation/content.{did_you_mean(name, set(self.contents))}")
        elif name in self.contents and getattr(self.contents[name], channel, None) is None:
            file.fault(place, f"content `{name}` has no {channel} variant, which {destination.name} needs.")
        elif name in self.contents and isinstance(fields, dict):
            given = {*fields, *(["arm"] if said.get("experiment") else []), *(["confirm_url"] if said.get("confirms") else [])}
            asked = templates.needs(self.project.declarations / "content", self.contents[name], channel, bool(said.get("to")))
            for field_ in sorted(asked - given):
                file.fault(place, f"content `{name}` asks for `{field_}`: give it in `fields`, or in the content's `defaults`.")

    def _check_words(self, file: YamlFile, said: Mapping[str, Any], destination: Destination, target: Object) -> None:
        """On WeChat and by mail some messages take a template of the vendor's, and others words of one's own."""
        channel = destination.connector.channel
        if channel not in OWN_WORDS:
            return
        template, words = OWN_WORDS[channel]
        wanted, shown = (template, f"`{template}`") if template in target.required else words
        for place, name in templates.named(said).items():
            content = self.contents.get(name)
            spoken = [getattr(one, channel) for _, one in content.spoken(channel)] if content else []
            if any(not getattr(one, wanted) for one in spoken):
                file.fault(place, f"`{said['object']}` takes {shown}, which the {channel} variant of content `{name}` does not have.")

    def _check_sms(self, file: YamlFile, said: Mapping[str, Any], destination: Destination, target: Object) -> None:
        for place, name in templates.named(said).items():
            content = self.contents.get(name)
            if content is None or destination.connector.channel != "sms":
                continue
            for said_in in (spoken.sms for _, spoken in content.spoken("sms")):
                for message in sms_lint.faults(name, said_in, target, destination.connector_name) if said_in else ():
                    file.fault(place, message)

    def _check_source(self, file: YamlFile, said: Mapping[str, Any]) -> None:
        name = file.path.stem
        if name in RESERVED or name.endswith("_columns"):
            file.fault((), f"`raw.{name}` is a table of Sluice's own. Give the source another name.")

    def _check_content(self, file: YamlFile, said: Mapping[str, Any]) -> None:
        if file.faults:
            return
        content, missing = Content.model_validate(file.data), False
        for place, name in templates.pages(content):
            page = file.path.parent / name
            if not page.is_file() or file.path.parent.resolve() not in page.resolve().parents:
                file.fault(place, f"there is no file `{name}` beside it.")
                missing = True
        for place, message in () if missing else templates.faults(file.path.parent, content):
            file.fault(place, message)

    def _check_form(self, file: YamlFile, said: Mapping[str, Any]) -> None:
        page, content = said.get("page"), self.project.declarations / "content"
        if isinstance(page, str):
            html = content / page
            if not html.is_file() or content.resolve() not in html.resolve().parents:
                file.fault(("page",), f"there is no file `{page}` in activation/content.")
            else:
                for message in templates.page_faults(html, {"form", "title", "intro", "language"}):
                    file.fault(("page",), message)
        consent = said.get("consent")
        purposes = getattr(consent, "purposes", None) or (consent.get("purposes") if isinstance(consent, dict) else None)
        for place, message in topics.of_form(self.policies, consent):
            file.fault(place, message)
        for purpose in purposes if isinstance(purposes, list) else ():
            if isinstance(purpose, str) and purpose not in self.policies.purposes and self._purposes_known:
                near = did_you_mean(purpose, set(self.policies.purposes))
                file.fault(("consent", "purposes"), f"`{purpose}` is not in activation/policies/purposes.yml.{near}")


def _yaml_below(folder: Path) -> list[Path]:
    """YAML files in a folder, in order; not hidden ones, which are an editor's."""
    return sorted(p for p in folder.rglob("*") if p.suffix in {".yml", ".yaml"} and p.is_file() and not p.name.startswith("."))
