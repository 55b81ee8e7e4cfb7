"""A report on its way out: the chosen format to standard output, what went wrong to standard error."""

from __future__ import annotations

from mpfix import __version__
from mpfix.cli import console
from mpfix.report import LayerReport, Report


def show_check(report: Report, output_format: str, *, quiet: bool, verbose: bool) -> None:
    """Print what `check` found."""
    _warn(report, verbose=verbose)
    console.write(_rendered(report, output_format))
    if output_format != "json" and not quiet:
        from mpfix.reporters.summary import check_summary

        # `concise` builds no fixes, so it has none to count
        console.write(check_summary(report, fixes=output_format == "text"))


def show_layers(report: LayerReport, output_format: str) -> None:
    """Print the table of layers."""
    from mpfix.reporters import layers

    for error in report.errors:
        console.warn(f"{error.filename}: {error.message}")
    if output_format == "json":
        console.write(layers.layers_json(report, version=__version__))
    else:
        console.write(layers.layers_concise(report) if output_format == "concise" else layers.layers_text(report))


def show_apply(report: Report, output_format: str, *, diff: bool, quiet: bool, verbose: bool) -> None:
    """Print what `apply` did and what is left.

    Standard output is kept clean where it is to be used: for a diff, and for what standard input became; then all else
    goes to standard error.
    """
    from mpfix.reporters.summary import apply_summary

    _warn(report, verbose=verbose)
    if report.stdin_output is not None:
        console.write_bytes(report.stdin_output)
    if output_format == "json":
        put = console.write if report.stdin_output is None else console.write_aside
        put(_rendered(report, output_format))
        return
    put = console.write if report.stdin_output is None and not diff else console.write_aside
    console.write("".join(changed.text for changed in report.diffs))
    if not diff:
        put(_rendered(report, output_format))
    if not quiet:
        put(apply_summary(report, diff=diff))


def _rendered(report: Report, output_format: str) -> str:
    """The report in a format; only the reporter that is asked for is imported."""
    if output_format == "json":
        from mpfix.reporters.json import json

        return json(report, version=__version__)
    if output_format == "concise":
        from mpfix.reporters.concise import concise

        return concise(report)
    from mpfix.reporters.text import text

    return text(report, width=console.width(), color=console.has_color())


def _warn(report: Report, *, verbose: bool) -> None:
    for error in report.errors:
        console.warn(f"{error.filename}: {error.message}")
        if verbose and error.detail:
            console.warn(error.detail.rstrip())
    if verbose:
        for used in report.generations:
            console.warn(f"{used.filename}: judged for Keras {used.keras}: {used.reason}")
