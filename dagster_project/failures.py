"""What a person can act on ends a step with its sentence; what passes by itself is tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from activation.engine.errors import Held, SluiceError, WarehouseBusy

PASSES_BY_ITSELF = (WarehouseBusy, Held)

# The second try comes after a paused destination's circuit has closed again (a minute).
RETRIES = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)


@contextmanager
def as_sentences() -> Iterator[None]:
    """Turn a SluiceError into a failure of the step, without the traceback that would tell a user nothing."""
    try:
        yield
    except SluiceError as error:
        raise dg.Failure(str(error), allow_retries=isinstance(error, PASSES_BY_ITSELF)) from None
