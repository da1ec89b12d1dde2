"""Great Expectations over a frame in memory. It takes seconds to import, so only steps that have rows to look at import this."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from activation.engine.errors import SluiceError

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import; nothing about a run is told to anybody
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "module 'sre_", DeprecationWarning)
    import great_expectations

gx: Any = great_expectations


def failed(frame: pl.DataFrame, expectations: Sequence[tuple[str, Mapping[str, Any]]]) -> set[int]:
    """Which expectations (the library's name for each, and its arguments) do not hold, by place.

    Raises SluiceError when one cannot be evaluated.
    """
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    # Arrow strings: a tenth of the memory that Python strings take.
    table = frame.to_pandas(use_pyarrow_extension_array=True)
    asset = context.data_sources.add_pandas("outgoing").add_dataframe_asset("batch")
    batch = asset.add_batch_definition_whole_dataframe("rows").get_batch({"dataframe": table})
    found = set()
    for index, (name, arguments) in enumerate(expectations):
        # Values are personal data: only whether it holds is asked for.
        result = batch.validate(getattr(gx.expectations, name)(**arguments), result_format="BOOLEAN_ONLY")
        if result.exception_info and result.exception_info.get("raised_exception"):
            raise SluiceError(f"The outgoing batch could not be examined ({name} did not run), so nothing was sent.")
        if not result.success:
            found.add(index)
    return found
