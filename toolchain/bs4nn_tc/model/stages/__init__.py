"""What is done to a sample before its values become spikes: in whole numbers, so that a device does the same.

A kind of stage is a class in a module here and one line in `STAGES`; its C is called by generated code, which knows it
by an entry in `device/codegen/stage_kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from bs4nn_tc.base.errors import UserError
from bs4nn_tc.base.text import printable
from bs4nn_tc.model.limits import MAX_STAGES
from bs4nn_tc.model.stages.ink import Ink
from bs4nn_tc.model.stages.pictures import Crop, Grey, Invert, Resize, SquareMeans
from bs4nn_tc.model.stages.signals import Contrast, Differences, Means, Spectrum
from bs4nn_tc.model.stages.stage import TYPES, Shape, Stage, Values, as_picture, of_type, shape_text
from bs4nn_tc.model.stages.tables import Complement, OnOff, Quantiles, Scale, Thermometer

__all__ = [
    "STAGES",
    "TYPES",
    "Complement",
    "Contrast",
    "Crop",
    "Differences",
    "Grey",
    "Ink",
    "Invert",
    "Means",
    "OnOff",
    "Quantiles",
    "Resize",
    "Scale",
    "Shape",
    "Spectrum",
    "SquareMeans",
    "Stage",
    "Thermometer",
    "Values",
    "as_picture",
    "from_json",
    "of_type",
    "shape_text",
    "through",
]

STAGES: Mapping[str, type[Stage]] = {
    stage.kind: stage
    for stage in (
        *(SquareMeans, Grey, Crop, Resize, Invert, Ink),
        *(Scale, Quantiles, Complement, Thermometer, OnOff),
        *(Contrast, Differences, Means, Spectrum),
    )
}


def through(stages: Sequence[Stage], values: Values) -> list[Values]:
    """What a sample is, and what it is after each stage.

    Raises:
        UserError: too many stages, or one that does not take what it gets.
    """
    if len(stages) > MAX_STAGES:
        raise UserError(f"an input of {len(stages):,} stages; at most {MAX_STAGES} are allowed")
    passed = [values]
    for number, stage in enumerate(stages, start=1):
        if not isinstance(stage, Stage):
            raise UserError(f"stage {number} of the input is of type {type(stage).__name__}; a Stage is needed")
        try:
            passed.append(stage.after(passed[-1]))
        except UserError as error:
            raise UserError(f"stage {number} of the input: {error}") from error
    return passed


def from_json(said: Sequence[object]) -> tuple[Stage, ...]:
    """The stages that `Stage.json` has written.

    Args:
        said: anything that JSON has; nobody has looked at it.

    Raises:
        UserError: a kind that is not known, or fields that are not those of the kind.
    """
    stages = []
    for number, one in enumerate(said, start=1):
        kind = one.get("kind") if isinstance(one, dict) else None
        known = STAGES.get(kind) if isinstance(kind, str) else None
        if not isinstance(one, dict) or known is None:
            raise UserError(
                f"stage {number} of the input is of kind '{printable(kind, 40)}', and this tool knows "
                f"{', '.join(STAGES)}; a newer release of bs4nn-tc may read it"
            )
        names = {field.name for field in fields(known)}
        if set(one) != {"kind", *names}:
            raise UserError(f"stage {number} of the input, {kind}, has to say its {', '.join(sorted(names))} alone")
        try:
            stages.append(known(**{name: one[name] for name in names}))
        except UserError as error:
            raise UserError(f"stage {number} of the input: {error}") from error
    return tuple(stages)
