"""What can go wrong in a way a person can act on.

SluiceError            a sentence: what is wrong, where, what to do
├── UsageError         wrong use: a name, a file, an option
├── DeclarationErrors  everything wrong in the YAML files, all at once
├── WarehouseBusy      another process holds the warehouse
├── WarehouseBroken    the warehouse file cannot be read or written
├── LedgerBroken       the ledger file cannot be read or written
├── Held               another process runs this sync
├── InputsMoved        the plan that was approved is no longer the plan
├── PlanRefused        the source cannot be planned (a column vanished, a model is missing)
└── GuardStop          a guard stopped the run before the first call
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SluiceError(Exception):
    """A sentence for a person. `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(SluiceError):
    """Wrong use of a command or a wrong declaration."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong in one declaration: where (file from the project's root, line) and what to do about it."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class DeclarationErrors(UsageError):
    """Everything that is wrong in the declarations, in the order of files and lines."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = sorted(set(faults))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class WarehouseBusy(SluiceError):
    """Another process holds the warehouse file for longer than we were ready to wait."""


class WarehouseBroken(SluiceError):
    """The warehouse file is no warehouse, is damaged, or cannot be written (a full disk, no permission)."""


class LedgerBroken(SluiceError):
    """The ledger file is no ledger, is damaged, or cannot be written."""


class Held(SluiceError):
    """Another run of the same sync is at work."""


class InputsMoved(SluiceError):
    """`--plan HASH` was given and the rows of today are not the rows of that plan."""


class PlanRefused(SluiceError):
    """The source of a sync cannot be planned as declared."""


class GuardStop(SluiceError):
    """A guard stopped the run before the first call."""

    def __init__(self, ref: str, reasons: Sequence[str]) -> None:
        self.reasons = list(reasons)
        super().__init__(f"{ref}: stopped before the first call. " + " ".join(reasons))
