"""What ties syncs and sends together, looked at when all are loaded: waterfalls, scopes, exclusions, and what is owed to a person."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from activation.engine.activations import Activation
from activation.engine.errors import Fault
from activation.engine.policies import Policies
from activation.engine.yaml_file import Place, YamlFile, did_you_mean


def tie(
    activations: dict[str, Activation], policies: Policies, files: Mapping[str, YamlFile], models: Collection[str], faults: list[Fault]
) -> None:
    """Give every activation what it must know of others. `files` are those read: policies by name, syncs and sends by reference."""

    def fault(name: str, place: Place, sentence: str) -> None:
        faults.append(Fault(files[name].shown, files[name].line(place), sentence))

    for index, segment in enumerate(policies.exclusions):
        if segment not in models:
            near = did_you_mean(segment, {name for name in models if name.startswith("segment_")})
            fault("exclusions", ("segments", index), f"there is no model `{segment}` in dbt_models.{near}")
        elif not segment.startswith("segment_"):
            fault("exclusions", ("segments", index), f"`{segment}` is not a `segment_…` model, which is what belongs here.")
    for ref, activation in list(activations.items()):
        activations[ref] = replace(activation, excluded=tuple(policies.exclusions))
        if activation.kind == "send":
            _check_owed(activation, policies, fault)
        elif activation.sync.scope:
            _tie_scope(activations, ref, set(files), fault)
    stands: dict[str, str] = {}
    for name, refs in policies.waterfalls.items():
        ahead: list[Activation] = []
        for index, ref in enumerate(refs):
            place = ("waterfalls", name, index)
            if ref in stands:
                fault("waterfalls", place, f"`{ref}` stands in the waterfall `{stands[ref]}` already. A send stands in one, once.")
            elif ref in activations and activations[ref].kind == "send":
                activations[ref] = replace(activations[ref], ahead=tuple(ahead))
                ahead.append(activations[ref])
            elif ref not in files or ref in activations:
                sends = {other for other, one in activations.items() if one.kind == "send"}
                fault("waterfalls", place, f"there is no send `{ref}`.{did_you_mean(ref, sends)}")
            stands[ref] = name


def _check_owed(activation: Activation, policies: Policies, fault: Callable[[str, Place, str], None]) -> None:
    """What is owed to a person is withheld from nobody for the sake of measuring; and what is called `arm` is the arm."""
    spec, purpose = activation.send, policies.purposes.get(activation.spec.purpose)
    if purpose is not None and purpose.basis == "transactional":
        what = f"`{spec.purpose}` is owed to a person"
        if spec.holdout:
            fault(activation.ref, ("holdout",), f"{what}: there is no holdout from it.")
        if spec.experiment and "control" in spec.experiment.arms:
            fault(activation.ref, ("experiment", "arms", "control"), f"{what}: no arm may go without it.")
    if spec.experiment and "arm" in spec.fields:
        fault(activation.ref, ("fields", "arm"), "`arm` is what the experiment gives to the content. Give the field another name.")


def _tie_scope(activations: dict[str, Activation], ref: str, known: Collection[str], fault: Callable[[str, Place, str], None]) -> None:
    """Removals are looked at by what was acknowledged, so the parent must be among the mapped columns."""
    activation = activations[ref]
    scope = activation.sync.scope
    assert scope is not None
    if scope.parent not in activation.sync.fields.values():
        near = did_you_mean(scope.parent, set(activation.sync.fields.values()))
        fault(
            ref, ("scope", "parent"), f"column `{scope.parent}` is mapped to no field, so nobody can say later whose child a row was.{near}"
        )
    if activation.sync.mode != "mirror":
        fault(ref, ("scope",), f"only mode mirror removes; mode {activation.sync.mode} has no use for a scope.")
    if scope.of is not None:
        parent = activations.get(scope.of)
        if parent is not None and parent.kind == "sync" and scope.of != ref:
            activations[ref] = replace(activation, parent=parent)
        elif parent is not None or scope.of not in known:
            syncs = {other for other, one in activations.items() if one.kind == "sync" and other != ref}
            fault(ref, ("scope", "of"), f"there is no sync `{scope.of}` to be the parent.{did_you_mean(scope.of, syncs)}")
