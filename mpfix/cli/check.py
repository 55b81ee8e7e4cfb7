"""`mpfix check`: report, change nothing."""

from __future__ import annotations

from mpfix.cli import console, options, output
from mpfix.cli.exit_status import ExitStatus, status_of


def check(
    paths: options.Paths = None,
    select: options.Select = None,
    ignore: options.Ignore = None,
    extend_select: options.ExtendSelect = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    exclude: options.Exclude = None,
    extend_exclude: options.ExtendExclude = None,
    force_exclude: options.ForceExclude = False,
    stdin_filename: options.StdinFilename = None,
    keras: options.Keras = None,
    assume_policy: options.AssumePolicy = None,
    no_context: options.NoContext = False,
    no_cache: options.NoCache = False,
    cache_dir: options.CacheDir = None,
    jobs: options.Jobs = 0,
    fail_on: options.FailOn = None,
    exit_zero: options.ExitZero = False,
    output_format: options.OutputFormat = None,
    show_dtypes: options.ShowDtypes = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> ExitStatus:
    """Report what is wrong; change nothing."""
    settings = options.settings_from(locals())
    stdin = console.standard_input(paths)
    if show_dtypes:
        from mpfix.engine.layer_table import list_layers

        chosen = paths or (".",)
        table = list_layers(chosen, settings, context=not no_context, stdin=stdin, stdin_filename=stdin_filename)
        output.show_layers(table, settings.output_format)
        return ExitStatus.FAILED if table.errors else ExitStatus.CLEAN
    from mpfix.engine import pipeline

    report = pipeline.check(
        paths or (".",),
        settings,
        # a line for each finding shows no fix, so none is built and LibCST stays away
        with_fixes=settings.output_format != "concise",
        verbose=verbose,
        context=not no_context,
        jobs=jobs,
        cache=not no_cache,
        stdin=stdin,
        stdin_filename=stdin_filename,
    )
    output.show_check(report, settings.output_format, quiet=quiet, verbose=verbose)
    return status_of(report, fail_on=settings.fail_on, exit_zero=exit_zero)
