"""The tables of a validation as rows of text, which the reporters for people draw each in their way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mpfix.validation import MemoryFigures, Numerics, Spread, ValidationReport, VariantResult, Verdict

MAX_ROWS = 12
"""Steps, layers and variables that a table shows; the JSON report has all."""
MARKS = {
    Verdict.SAME: "same",
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.DIFFERENT: "differs",
    Verdict.UNKNOWN: "unknown",
}
SHOWN_SHARE = 0.0001
"""Share of a gradient from which on its loss is worth a row."""
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """A title, a heading and rows."""

    title: str
    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""


def headline(report: ValidationReport) -> str:
    """What was run, on what."""
    arguments = f" {' '.join(report.arguments)}" if report.arguments else ""
    variant = next((item for item in report.variants if item.versions), None)
    if variant is None:
        return f"{report.script}{arguments}"
    versions = ", ".join(f"{name} {version}" for name, version in variant.versions.items())
    keras = {"tf_keras": "Keras 2", "keras": "Keras 3"}.get(variant.keras or "", "Keras")
    backend = f" on {variant.backend}" if variant.backend else ""
    device = ", ".join(variant.gpus) or "CPU, no GPU"
    return f"{report.script}{arguments}: {report.steps} steps asked for, {keras}{backend}, {device} ({versions})"


def fixes_line(report: ValidationReport) -> str | None:
    """Which fixes the later variant has."""
    if not report.fixes:
        return None
    codes = ", ".join(f"{code}: {number}" for code, number in report.fixes.items())
    return f"Fixes ({codes}) in {', '.join(report.changed_files)}, in memory only"


def tables(report: ValidationReport) -> Iterator[Table]:
    """Every table that has something to say."""
    variants = [variant for variant in report.variants if variant.steps]
    if not variants:
        return
    labels = tuple(variant.label for variant in report.variants)
    yield _figures(report, labels)
    for table in (_losses(report, labels), _layers(report, labels), _gradients(report, labels)):
        if table is not None:
            yield table


def _figures(report: ValidationReport, labels: tuple[str, ...]) -> Table:
    memory = next((variant.memory for variant in report.variants if variant.memory), None)
    kinds: list[tuple[str, Callable[[VariantResult], str | None]]] = [
        ("ending", lambda variant: variant.ending.sentence),
        ("training steps", lambda variant: str(variant.steps)),
        (memory.label if memory else "memory", _of_memory(lambda found: _spread(found.peak, 1e6, "MB", 1))),
        ("  the same after the first steps", _of_memory(lambda found: _spread(found.steady, 1e6, "MB", 1))),
        ("  variables of the models", _of_memory(lambda found: _size(found.variables))),
        ("  optimizer slots", _of_memory(lambda found: _size(found.slots))),
        ("  rest of the peak", _of_memory(lambda found: _size(found.rest))),
        ("  peak of the allocator, with compiling", _of_memory(lambda found: _size(found.allocator_peak))),
        ("  reserved by the allocator", _of_memory(lambda found: _size(found.reserved))),
        ("  whole process on the GPU", _of_memory(lambda found: _size(found.gpu_process))),
        ("time of a step (median)", lambda variant: _spread(variant.step_seconds, 1e-3, "ms", 2)),
        ("time of the first step", lambda variant: _time(variant.first_seconds)),
        ("traces of step functions", lambda variant: str(sum(variant.traces.values())) if variant.traces else None),
        ("dtype of the loss", _of_numerics(lambda found: found.loss_dtype)),
        ("gradients taken", _of_numerics(lambda found: str(found.evaluations))),
        ("updates", _of_numerics(lambda found: str(found.updates))),
        ("updates for each micro batch", _of_numerics(_update_rate)),
        ("updates skipped", _of_numerics(lambda found: str(found.skipped))),
        ("loss scale", _of_numerics(_scales)),
        ("size of gradients against float32", _of_numerics(lambda found: _ratio(found.gradient_ratio))),
        ("size of an update against float32", _of_numerics(lambda found: _ratio(found.update_ratio))),
        ("first number that is not finite", _of_numerics(lambda found: found.nonfinite or "none")),
    ]
    rows = [(title, *(read(variant) or _NONE for variant in report.variants)) for title, read in kinds]
    return Table("Figures", ("", *labels), tuple(row for row in rows if any(cell != _NONE for cell in row[1:])))


def _of_memory(read: Callable[[MemoryFigures], str | None]) -> Callable[[VariantResult], str | None]:
    return lambda variant: read(variant.memory) if variant.memory else None


def _of_numerics(read: Callable[[Numerics], str | None]) -> Callable[[VariantResult], str | None]:
    return lambda variant: read(variant.numerics) if variant.numerics else None


def _spread(spread: Spread | None, unit: float, name: str, digits: int) -> str | None:
    if spread is None:
        return None
    text = f"{spread.middle / unit:.{digits}f} {name}"
    return f"{text} ± {spread.width / unit / 2:.{digits}f}" if spread.is_repeated else text


def _size(count: float | None) -> str | None:
    if count is None:
        return None
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds * 1e3:.0f} ms"


def _update_rate(found: Numerics) -> str | None:
    return f"{found.updates / found.evaluations:.3g}" if found.evaluations else None


def _scales(found: Numerics) -> str | None:
    """The trace of the loss scale: each value that differs from the one before it."""
    if not found.scales:
        return "none"
    changes = [scale for i, scale in enumerate(found.scales) if not i or scale != found.scales[i - 1]]
    shown = changes if len(changes) <= 6 else [*changes[:3], *changes[-2:]]
    texts = [f"{scale:g}" for scale in shown]
    if len(changes) > 6:
        texts.insert(3, "...")
    return " → ".join(texts)


def _ratio(ratio: float | None) -> str | None:
    if ratio is None:
        return None
    return f"1/{1 / ratio:,.0f}" if 0 < ratio < 0.1 else f"{ratio:.4g}"


def _losses(report: ValidationReport, labels: tuple[str, ...]) -> Table | None:
    curves = [variant.numerics.losses if variant.numerics else () for variant in report.variants]
    length = max(map(len, curves))
    if not length:
        return None
    rows = [
        (str(step + 1), *(f"{curve[step]:.6g}" if step < len(curve) else _NONE for curve in curves))
        for step in _chosen(length)
    ]
    kinds = {variant.numerics.loss_kind for variant in report.variants if variant.numerics}
    return Table("Loss of each step", ("step", *labels), tuple(rows), f"the loss that is {' or '.join(sorted(kinds))}")


def _chosen(length: int) -> Sequence[int]:
    """All steps, or evenly spread ones with the first and the last."""
    if length <= MAX_ROWS:
        return range(length)
    return sorted({round(i * (length - 1) / (MAX_ROWS - 1)) for i in range(MAX_ROWS)})


def _layers(report: ValidationReport, labels: tuple[str, ...]) -> Table | None:
    """The layers, where half precision is in use or was asked for: what they compute in, and why."""
    tabled = [{layer.name: layer for layer in v.numerics.layers} if v.numerics else {} for v in report.variants]
    names = list(dict.fromkeys(name for layers in tabled for name in layers))
    if not any(layer.compute in ("float16", "bfloat16") for layers in tabled for layer in layers.values()):
        return None
    rows = []
    for name in names[:MAX_ROWS]:
        found = [layers.get(name) for layers in tabled]
        last = next(layer for layer in reversed(found) if layer)
        reason = f"{last.reason}{f' ({last.place})' if last.place else ''}"
        cells = [(layer.compute or _NONE) if layer else _NONE for layer in found]
        rows.append((f"{name} ({last.kind})", *cells, f"float32 island: {reason}" if last.is_island else reason))
    caption = f"and {len(names) - MAX_ROWS} more layers" if len(names) > MAX_ROWS else ""
    return Table("What layers compute in", ("layer", *labels, "why"), tuple(rows), caption)


def _gradients(report: ValidationReport, labels: tuple[str, ...]) -> Table | None:
    """Variables whose gradients lose something to float16, worst first."""
    tabled = [{item.name: item for item in v.numerics.gradients} if v.numerics else {} for v in report.variants]
    worst: dict[str, float] = {}
    for name in (name for items in tabled for name in items):
        found = [items[name] for items in tabled if name in items]
        worst[name] = max(max(item.underflow or 0, item.lost_unscaled or 0) for item in found)
    names = sorted(
        (name for name, share in worst.items() if share >= SHOWN_SHARE), key=lambda name: (-worst[name], name)
    )
    if not names:
        return None
    rows = []
    for name in names[:MAX_ROWS]:
        first = next(items[name] for items in tabled if name in items and items[name].lost_unscaled is not None)
        cells = [_percent(items[name].underflow) if name in items else _NONE for items in tabled]
        rows.append((name, *cells, _percent(first.lost_unscaled), _percent(first.lost_scaled)))
    heading = ("variable", *(f"lost {label}" for label in labels), "too small unscaled", "too small at scale 32768")
    caption = "share of a gradient's numbers that are zero here and not in float32, or round to zero in float16"
    return Table("Gradients that underflow", heading, tuple(rows), caption)


def _percent(share: float | None) -> str:
    return _NONE if share is None else f"{share:.2%}"
