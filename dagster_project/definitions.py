"""Everything that Dagster knows of the project at $SLUICE_PROJECT, or around the current directory. Merges, and nothing else."""

from __future__ import annotations

import dagster as dg

from activation.engine.declarations import Declarations
from activation.engine.project import Project
from dagster_project import activations, landing, manifest, models, pulls, schedules, sensors


@dg.definitions
def defs() -> dg.Definitions:
    project = Project.find()
    declarations = Declarations.load(project)
    nodes = manifest.load(project)
    return dg.Definitions.merge(
        landing.definitions(project, declarations),
        pulls.definitions(project, declarations),
        models.definitions(project, declarations, nodes),
        activations.definitions(project, declarations, nodes),
        schedules.definitions(declarations),
        sensors.definitions(project, declarations),
    )
