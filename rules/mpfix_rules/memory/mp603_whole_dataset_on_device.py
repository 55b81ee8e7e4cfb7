"""MP603: a whole data set in one tensor of the device."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.arrays import FEEDING, device_copies
from mpfix.frameworks.device_tensors import device_tensors
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.devices import on_host

GIB = 2**30
LARGE = GIB
"""Bytes from which on a copy matters beside a model and its activations."""

MADE_THERE = "the samples must be made batch by batch, by the dataset itself"
WORDS = ("from_tensor", "fit", "evaluate", "predict", "constant", "convert_to_tensor", "Variable")


@rule("MP603", "whole-dataset-on-device", severity=Severity.WARNING, words=WORDS, fixable=True)
def whole_dataset_on_device(program: Program) -> Iterator[Finding]:
    """Data sets of more than a gigabyte that are one tensor on the device in force."""
    yield from _made_there(program)
    for copy in device_copies(program):
        if copy.size < LARGE:
            continue
        what = f"`{copy.by.rpartition('.')[2]}`"
        fix, reason = on_host(program, copy.occurrence.place, is_fed=copy.by in FEEDING)
        yield Finding(
            copy.occurrence.place,
            f"{what} copies whole arrays of {copy.size / GIB:.1f} GiB to the GPU, whatever the batch size",
            evidence=(Evidence(copy.made, "the array is made here"),) if copy.made is not None else (),
            guard=copy.occurrence.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _made_there(program: Program) -> Iterator[Finding]:
    """Tensors that TensorFlow itself makes on the device."""
    for tensor in device_tensors(program):
        if tensor.size < LARGE:
            continue
        what = f"`{tensor.by.rpartition('.')[2]}`"
        when = " with the default options" if tensor.by_default else ""
        yield Finding(
            tensor.place,
            f"{what} makes one tensor of {tensor.size / GIB:.1f} GiB on the GPU{when}, whatever the batch size",
            evidence=(Evidence(tensor.given, "it is the data set here"),),
            guard=tensor.guard,
            unfixable_reason=MADE_THERE,
        )
