"""What every section of ``pipeline.toml`` is made of: its base class, and the bounds of common values.

The bounds catch typing errors early, with the key's name. Without them a timer or a thread pool would fail on the value
later, with an error that names neither key nor file. None of them was measured.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

YEAR_SECONDS = 31_536_000
Count = Annotated[int, Field(gt=0, le=100_000)]
# Python runs one thread at a time, and each may hold a database connection: beyond this, another process does more.
Threads = Annotated[int, Field(gt=0, le=64)]
Seconds = Annotated[float, Field(gt=0, le=YEAR_SECONDS, allow_inf_nan=False)]
# For what holds a thread or sets the pace of a loop: an hour of either looks like a process that hangs.
SecondsUpToAnHour = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Days = Annotated[int, Field(ge=0, le=36_500)]


class SettingsSection(BaseModel):
    """A table of pipeline.toml."""

    # Strict: "5" where a number belongs is a mistake. Errors hide their input, as it may be a misplaced secret.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)
