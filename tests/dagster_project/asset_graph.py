"""The whole asset graph as text, so that a rename shows in review. Write it anew with `python tests/dagster_project/asset_graph.py`."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

FILE = Path(__file__).with_name("asset_graph.txt")


def describe(definitions: dg.Definitions) -> str:
    """Every asset below its group, and below it, one a line, what it depends on."""
    graph = definitions.resolve_asset_graph()
    groups: dict[str, list[dg.AssetKey]] = {}
    for key in graph.get_all_asset_keys():
        groups.setdefault(graph.get(key).group_name, []).append(key)
    lines = []
    for group in sorted(groups):
        lines.append(f"[{group}]")
        for key in sorted(groups[group]):
            lines.append(key.to_user_string() + ("" if graph.get(key).is_materializable else " (written by runs)"))
            lines += [f"    {parent.to_user_string()}" for parent in sorted(graph.get(key).parent_keys)]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    from dagster_project.definitions import defs

    FILE.write_text(describe(defs()), encoding="utf-8")
