"""What every plan of a study has, and every run of it.

A plan is a TOML file; `plan_file` reads it. What kind of study it is follows from what it is on:

    bank = …                        `ensembles`: methods search ensembles on a prediction bank
    bank = …, factors = …           `ablations`: the same, one factor of the methods or the task changed at a time
    table = …, protocol = …         `trials`: methods search one network in a table, by a published protocol
    table = …, temperatures = …     `samplers`: NESS's samplers on a table, against what they should draw from

A method is given by its name, or by more:

    methods = [
        "nes-rs",
        { name = "ness-mc", label = "ness-mc cold", constants = { temperature = 1.0 } },
        { name = "ness-svgd-rd", sweep = { delta = [0, 1, 10], sigma = [0.5, 1] } },    # each combination
    ]

A table of `presets` holds what another scale of the same study changes; `--preset smoke` makes it a study of its own:

    [presets.smoke]
    repetitions = 1
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ness_bench.errors import NessBenchError
from ness_bench.studies.run import Run

Report = Literal["tables", "figures", "page"]


class Strict(BaseModel):
    """Content of a plan file: no key that is not known, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class MethodPlan(Strict):
    """A method of the study, with constants of its own where they differ from the defaults."""

    name: str
    label: str = Field("", pattern=r"^[^$\n]*$")  # it stands in figures, where $ would begin a formula
    constants: dict[str, Any] = {}

    @property
    def called(self) -> str:
        return self.label or self.name


class SweptMethod(MethodPlan):
    """A method, or each of its variants in which some constants take each of some values."""

    sweep: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}


def from_name(value: Any) -> Any:
    """A method given by its name alone."""
    return {"name": value} if isinstance(value, str) else value


MethodPlans = Annotated[list[Annotated[SweptMethod, BeforeValidator(from_name)]], Field(min_length=1)]


def swept(methods: Iterable[SweptMethod]) -> list[MethodPlan]:
    """The methods, and of one that has a sweep each variant, called after its values.

    Raises:
        NessBenchError: a constant is both set and swept.
    """
    variants = []
    for entry in methods:
        both = sorted(entry.constants.keys() & entry.sweep.keys())
        if both:
            raise NessBenchError(
                f'method "{entry.called}" sets the constant "{both[0]}" and sweeps it as well; name it in one place'
            )
        for values in product(*entry.sweep.values()):
            changed = dict(zip(entry.sweep, values, strict=True))
            label = " ".join([entry.called, *(f"{name}={value}" for name, value in changed.items())])
            variants.append(MethodPlan(name=entry.name, label=label, constants=entry.constants | changed))
    return variants


class Plan(Strict, ABC):
    """A study, as its file says it.

    Attributes:
        RUN: what its runs are.
    """

    RUN: ClassVar[type[Run]]

    name: str = Field(pattern=r"^[\w-]+$")
    reports: list[Report] = ["tables", "figures", "page"]

    @abstractmethod
    def runs(self) -> Sequence[Run]:
        """Every run, in the order in which they are done.

        Raises:
            NessBenchError: the plan names what does not exist, or holds the same run twice.
        """

    @abstractmethod
    def ceiling(self) -> str:
        """What all runs may spend together, in words; nothing if they have no budget."""
