"""What a person can act on ends a step with its sentence; what passes by itself is tried again a little later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from activation.engine.errors import Held, SluiceError, WarehouseBusy

PASSES_BY_ITSELF = (WarehouseBusy, Held)
RETRIES = 2
PAUSE_SECONDS = 65.0  # a paused destination's circuit has closed again by then


@contextmanager
def as_sentences(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Turn a SluiceError into a failure of the step, without the traceback that would tell a user nothing."""
    try:
        yield
    except SluiceError as error:
        if isinstance(error, PASSES_BY_ITSELF):
            try_again(context, str(error))
        raise dg.Failure(str(error), allow_retries=False) from None


def try_again(context: dg.AssetExecutionContext, reason: str) -> None:
    """Raises RetryRequested while there is a try left. Steps have no retry policy: it would repeat what can only fail again."""
    if context.retry_number < RETRIES:
        context.log.warning(f"{reason} It is tried again in {PAUSE_SECONDS:.0f} seconds.")
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=PAUSE_SECONDS)
