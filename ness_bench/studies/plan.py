"""What every plan of a study has, and every run of it.

A plan is a TOML file; `plan_file` reads it. What kind of study it is follows from what it is on:

    bank = …                        `ensembles`: methods search ensembles on a prediction bank
    bank = …, factors = …           `ablations`: the same, one factor of the methods or the task changed at a time
    table = …, protocol = …         `trials`: methods search one network in a table, by a published protocol
    table = …, temperatures = …     `samplers`: NESS's samplers on a table, against what they should draw from
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ness_bench.studies.run import Run


class Strict(BaseModel):
    """Content of a plan file: no key that is not known, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class MethodPlan(Strict):
    """A method of the study, with constants of its own where they differ from the defaults."""

    name: str
    label: str = ""
    constants: dict[str, Any] = {}


def from_name(value: Any) -> Any:
    """A method given by its name alone."""
    return {"name": value} if isinstance(value, str) else value


MethodPlans = Annotated[list[Annotated[MethodPlan, BeforeValidator(from_name)]], Field(min_length=1)]


class Plan(Strict, ABC):
    """A study, as its file says it."""

    name: str = Field(pattern=r"^[\w-]+$")

    @abstractmethod
    def runs(self) -> Sequence[Run]:
        """Every run, in the order in which they are done.

        Raises:
            NessBenchError: the plan names what does not exist, or holds the same run twice.
        """
