"""Everything declared below `activation/`, loaded and checked together: all faults at once, each with file and line."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from activation.engine.destinations import Destination
from activation.engine.errors import DeclarationErrors, Fault, UsageError
from activation.engine.project import Project
from activation.engine.specs import NAME, Content, FrequencyCaps, Policies, Purposes, QuietHours, Send, Source, Sync
from activation.engine.yaml_file import YamlFile, did_you_mean
from connectors.base import Object


@dataclass(frozen=True)
class Activation:
    """One sync or send, by its reference `destination/name`, with what the loader found out about it."""

    ref: str
    kind: str  # sync | send
    name: str
    destination: Destination
    spec: Sync | Send
    object: Object
    settings: Any
    file: str

    @property
    def channel(self) -> str:
        return self.destination.connector.channel

    @property
    def sync(self) -> Sync:
        assert isinstance(self.spec, Sync)
        return self.spec

    @property
    def send(self) -> Send:
        assert isinstance(self.spec, Send)
        return self.spec


@dataclass
class Declarations:
    """What a project declares. `load` raises DeclarationErrors with every fault; `collect` returns them beside what could be loaded."""

    project: Project
    sources: dict[str, Source] = field(default_factory=dict)
    destinations: dict[str, Destination] = field(default_factory=dict)
    activations: dict[str, Activation] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    policies: Policies = field(default_factory=Policies)
    faults: list[Fault] = field(default_factory=list)

    @classmethod
    def load(cls, project: Project) -> Declarations:
        loaded = cls.collect(project)
        if loaded.faults:
            raise DeclarationErrors(loaded.faults)
        return loaded

    @classmethod
    def collect(cls, project: Project) -> Declarations:
        self = cls(project)
        self._load_folder("sources", Source, self.sources)
        self._load_policies()
        self._load_destinations()
        self._load_folder("content", Content, self.contents, self._check_content)
        for path in self._files("syncs"):
            self._load_sync(path)
        for path in self._files("sends"):
            self._load_send(path)
        return self

    def find(self, ref: str) -> Activation:
        """The sync or send `destination/name`. Raises UsageError with the nearest name."""
        if ref not in self.activations:
            raise UsageError(f"There is no sync or send `{ref}`.{did_you_mean(ref, set(self.activations))} `sluice list` shows them all.")
        return self.activations[ref]

    # -- reading ------------------------------------------------------------------------------------------------

    def _files(self, folder: str) -> list[Path]:
        room = self.project.declarations / folder
        return sorted(path for path in room.rglob("*") if path.suffix in {".yml", ".yaml"} and path.is_file()) if room.is_dir() else []

    def _read(self, path: Path) -> YamlFile:
        file = YamlFile.read(path, self.project.relative(path))
        if not NAME.match(path.stem):
            file.fault((), f"the file's name is the name: rename `{path.name}` to lower-case letters, digits and underscores.")
        if path.suffix == ".yaml":
            file.fault((), f"rename `{path.name}` to `{path.stem}.yml`.")
        return file

    def _load_folder(self, folder: str, model: type[Any], into: dict[str, Any], check: Any = None) -> None:
        for path in self._files(folder):
            file = self._read(path)
            spec = None if file.faults else file.validate(model)
            if spec is not None:
                into[path.stem] = spec
                if check:
                    check(file, spec)
            self.faults += file.faults

    def _load_policies(self) -> None:
        known: dict[str, type[Any]] = {"purposes": Purposes, "frequency_caps": FrequencyCaps, "quiet_hours": QuietHours}
        parts: dict[str, Any] = {}
        for path in self._files("policies"):
            file = self._read(path)
            if path.stem not in known:
                file.fault((), f"there is no policy `{path.stem}`.{did_you_mean(path.stem, set(known))}")
            elif not file.faults:
                parts[path.stem] = file.validate(known[path.stem])
            self.faults += file.faults
        purposes, caps, quiet = parts.get("purposes"), parts.get("frequency_caps"), parts.get("quiet_hours")
        self.policies = Policies(
            purposes=purposes.purposes if purposes else {}, caps=caps.caps if caps else [], quiet_hours=quiet or QuietHours()
        )

    def _load_destinations(self) -> None:
        path = self.project.declarations / "destinations.yml"
        if not path.is_file():
            return
        file = YamlFile.read(path, self.project.relative(path))
        if isinstance(file.data, dict):
            for name in file.data:
                destination = Destination.declared(file, name)
                if destination:
                    self.destinations[name] = destination
        elif not file.faults and file.data is not None:
            file.fault((), "must be a mapping of destination names to their settings.")
        self.faults += file.faults

    # -- checks across files ------------------------------------------------------------------------------------

    @cached_property
    def models(self) -> set[str]:
        """Names of the dbt models, by file. What columns they have is seen when a plan is made."""
        return {path.stem for path in (self.project.models / "models").rglob("*.sql")}

    def _load_sync(self, path: Path) -> None:
        file = self._read(path)
        parts = path.relative_to(self.project.declarations / "syncs").parts
        spec = None if file.faults else file.validate(Sync)
        if len(parts) != 2:
            file.fault((), "belongs in a folder named for its destination: syncs/<destination>/<name>.yml.")
        elif spec is not None:
            destination = self._destination(file, parts[0], ())
            self._check_model(file, spec.model, ("model",), "sync_")
            self._check_purpose(file, spec.purpose)
            target = self._object(file, destination, spec.object, ("object",)) if destination else None
            if destination and target:
                self._check_capabilities(file, destination, target, spec)
                settings = file.validate(target.settings, spec.settings, ("settings",))
                self._add(Activation(f"{parts[0]}/{path.stem}", "sync", path.stem, destination, spec, target, settings, file.shown), file)
        self.faults += file.faults

    def _load_send(self, path: Path) -> None:
        file = self._read(path)
        spec = None if file.faults else file.validate(Send)
        if spec is not None:
            destination = self._destination(file, spec.destination, ("destination",))
            for kind in ("include", "exclude"):
                for index, segment in enumerate(getattr(spec.audience, kind)):
                    self._check_model(file, segment, ("audience", kind, index), "segment_")
            self._check_purpose(file, spec.purpose)
            target = self._object(file, destination, spec.object, ("object",)) if destination else None
            if destination and target:
                if not target.message:
                    file.fault(("object",), f"`{spec.object}` is not a message. A send needs one; keep records equal with a sync.")
                self._check_variant(file, spec, destination)
                settings = file.validate(target.settings, spec.settings, ("settings",))
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

    def _destination(self, file: YamlFile, name: str, place: tuple[str, ...]) -> Destination | None:
        if name not in self.destinations:
            file.fault(
                place,
                f"there is no destination `{name}` in activation/destinations.yml.{did_you_mean(name, set(self.destinations))}",
            )
            return None
        return self.destinations[name]

    def _object(self, file: YamlFile, destination: Destination, name: str, place: tuple[str, ...]) -> Object | None:
        objects = destination.connector.objects
        if name not in objects:
            file.fault(place, f"{destination.connector_name} has no object `{name}`.{did_you_mean(name, set(objects))}")
            return None
        return objects[name]

    def _check_model(self, file: YamlFile, model: str, place: tuple[str | int, ...], prefix: str) -> None:
        if model not in self.models:
            file.fault(
                place,
                f"there is no model `{model}` in dbt_models.{did_you_mean(model, {m for m in self.models if m.startswith(prefix)})}",
            )
        elif not model.startswith(prefix):
            file.fault(place, f"`{model}` is not a `{prefix}…` model, which is what belongs here.")

    def _check_purpose(self, file: YamlFile, purpose: str) -> None:
        if purpose not in self.policies.purposes:
            file.fault(
                ("purpose",),
                f"`{purpose}` is not in activation/policies/purposes.yml.{did_you_mean(purpose, set(self.policies.purposes))}",
            )

    def _check_capabilities(self, file: YamlFile, destination: Destination, target: Object, spec: Sync) -> None:
        what = f"{destination.connector_name} {spec.object}"
        for key, allowed in (
            ("mode", target.modes),
            ("match_policy", target.match_policies),
            ("on_removed", target.on_removed | {"nothing"}),
        ):
            value = getattr(spec, key)
            if value not in allowed:
                file.fault((key,), f"{what} cannot `{value}`. It can: {', '.join(sorted(allowed))}.")
        for missing in sorted(target.required - set(spec.fields)):
            file.fault(("fields",), f"{what} needs the field `{missing}`.")
        if target.message:
            file.fault(("object",), f"`{spec.object}` is a message. Messages leave by a send (activation/sends), once for each person.")

    def _check_variant(self, file: YamlFile, spec: Send, destination: Destination) -> None:
        content = self.contents.get(spec.content)
        channel = destination.connector.channel
        if content is None:
            file.fault(
                ("content",),
                f"there is no content `{spec.content}` in activation/content.{did_you_mean(spec.content, set(self.contents))}",
            )
        elif getattr(content, channel, None) is None:
            file.fault(("content",), f"content `{spec.content}` has no {channel} variant, which {destination.name} needs.")

    def _check_content(self, file: YamlFile, spec: Content) -> None:
        if spec.email:
            html = file.path.parent / spec.email.html
            if not html.is_file() or file.path.parent not in html.resolve().parents:
                file.fault(("email", "html"), f"there is no file `{spec.email.html}` beside it.")
