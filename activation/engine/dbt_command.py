"""dbt as a process that is started early and begins when it is told.

Run as a file: `python -P dbt_command.py <dbt's arguments>`. It imports dbt, some three seconds in which nothing needs the project, and then
waits for a line on its input: a list, in JSON, of arguments to add. Only then does dbt read the project and open the warehouse, so whoever
starts it has both to itself until it writes the line. Without a line (the input was closed, or its writer died) it ends, and nothing was done.

As a file and with `-P`, because `-m` would look for packages in the current directory first, and the `activation` of a project, which has
declarations in it, is found before the one that is installed.
"""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

# How many objects are made before the collector looks again. Next to nothing that dbt makes is garbage before it ends: at Python's 700 the
# collector takes a tenth of dbt's time. The most memory it holds stays the same, some 260 MB.
OBJECTS_BETWEEN_COLLECTIONS = 100_000


def leave_out_what_nobody_hears() -> None:
    """Events at debug are let go of at once where no logger takes that level.

    dbt writes each out as a line, as text and as JSON, before the logger throws it away: some thirty for every model, a seventh of the time
    that dbt itself takes.
    """
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager

    quiet = {EventLevel.DEBUG, EventLevel.TEST}
    fire = EventManager.fire_event

    def fire_event(
        self: EventManager, e: BaseEvent, level: EventLevel | None = None, node: Any = None, force_warn_or_error_handling: bool = False
    ) -> None:
        if force_warn_or_error_handling or (level or e.level_tag()) not in quiet or any(logger.level in quiet for logger in self.loggers):
            fire(self, e, level, node, force_warn_or_error_handling)

    EventManager.fire_event = fire_event  # type: ignore[method-assign]


def begin_with_what_most_waits_for() -> None:
    """Of the nodes that can be built the one comes next behind which the most tables still wait for one another.

    dbt puts all that can be built before its threads at once, in the order of their names: sixty views, which are nothing but Python, come before
    the first large table, and what the rest of a build waits for comes behind whatever could be built earlier. Here each thread is given one node
    when it is free, and one more lies ready. What needs what is kept to as before.
    """
    import networkx  # type: ignore[import-untyped]
    from dbt.graph.queue import GraphQueue
    from dbt.task.runnable import GraphRunnableTask

    tables = {"table", "incremental"}
    execute = GraphRunnableTask.execute_nodes

    def scores(self: GraphQueue, graph: networkx.DiGraph) -> dict[str, int]:
        waiting: dict[str, int] = {}
        for node in reversed(list(networkx.topological_sort(graph))):
            built = getattr(self.manifest.expect(node).config, "materialized", None)
            waiting[node] = (100 if built in tables else 1) + max((waiting[child] for child in graph.successors(node)), default=0)
        return {node: -behind for node, behind in waiting.items()}

    def execute_nodes(self: GraphRunnableTask) -> Any:
        queue = self.job_queue
        if queue is not None:
            get, done = queue.get, queue.some_task_done

            def get_in_turn(block: bool = True, timeout: float | None = None) -> Any:
                with done:
                    done.wait_for(lambda: len(queue.in_progress) <= self.config.threads)
                return get(block, timeout)

            queue.get = get_in_turn  # type: ignore[method-assign]
        return execute(self)  # type: ignore[no-untyped-call]

    GraphQueue._get_scores = scores  # type: ignore[method-assign]
    GraphRunnableTask.execute_nodes = execute_nodes  # type: ignore[method-assign]


def main() -> None:
    gc.disable()
    import dbt.adapters.duckdb  # noqa: F401 - dbt imports it when it reads the profile; here it is done while there is time
    from dbt.cli.main import cli

    leave_out_what_nobody_hears()
    begin_with_what_most_waits_for()

    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 20, 100)
    gc.enable()
    told = sys.stdin.readline()
    if told:
        sys.argv = ["dbt", *sys.argv[1:], *json.loads(told)]
        try:
            cli()
        finally:
            gc.freeze()  # the process ends: what it leaves is not looked through once more


if __name__ == "__main__":
    main()
