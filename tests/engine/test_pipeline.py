"""Runs as a whole: what is told, written, left, and what happens when something goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_pack import crashes, finds

from mpfix.diagnostic import Applicability, Effect, Position, Severity
from mpfix.engine.pipeline import apply, check
from mpfix.errors import UsageError
from mpfix.registry import Registry
from mpfix.settings import Settings

RegistryOf = Callable[..., Registry]
Write = Callable[[str], Path]


def test_a_finding_has_the_span_of_its_node_and_its_evidence(
    registry_of: RegistryOf, three: Settings, write: Write
) -> None:
    write("policy\nüber = bad\n")

    (found,) = check(["train.py"], three, registry=registry_of(finds("FK101", "bad"))).diagnostics

    assert (found.code, found.span.start, found.span.end) == ("FK101", Position(2, 8), Position(2, 11))
    assert [(item.span.start.row, item.message) for item in found.related] == [(1, "the policy is set here")]
    assert found.keras == "3"


def test_both_generations_are_told_once_with_the_worse_severity(
    registry_of: RegistryOf, three: Settings, write: Write
) -> None:
    write("bad\nonly\n")
    both = finds("FK101", "bad", severity={2: Severity.WARNING, 3: Severity.ERROR})
    registry = registry_of(both, finds("FK102", "only", severity={2: Severity.WARNING}))

    first, second = check(["train.py"], replace(three, keras="2+3"), registry=registry).diagnostics

    assert (first.severity, first.keras, first.message) == (Severity.ERROR, "2+3", "`bad` is wrong (on Keras 2 and 3)")
    assert (second.keras, second.message) == ("2", "`only` is wrong (on Keras 2 only)")


def test_a_crashed_rule_is_an_error_and_the_others_go_on(
    registry_of: RegistryOf, three: Settings, write: Write
) -> None:
    write("bad\n")

    report = check(["train.py"], three, registry=registry_of(crashes("FK100"), finds("FK101", "bad")))

    (error,) = report.errors
    assert [item.code for item in report.diagnostics] == ["FK101"]
    assert error.rule == "FK100"
    assert "ZeroDivisionError" in error.message
    assert "report it" in error.message


def test_a_file_without_trigger_words_is_irrelevant(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    write("bad\n")
    registry = registry_of(finds("FK101", "bad", words=("tape",)), finds("FK102", "bad", half=True))

    report = check(["train.py"], three, registry=registry)

    assert (report.analysed, report.irrelevant, report.diagnostics) == (0, 1, ())


def test_an_assumed_policy_counts_as_half(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    write("bad\n")
    settings = replace(three, assume_policy="mixed_float16")

    report = check(["train.py"], settings, registry=registry_of(finds("FK102", "bad", half=True)))

    assert [item.code for item in report.diagnostics] == ["FK102"]


LOOP = """\
import tensorflow as tf

model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
optimizer = tf.keras.optimizers.SGD()
with tf.GradientTape() as tape:
    loss = tf.reduce_mean(tf.square(model(x) - y))
optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
"""


def test_an_assumed_policy_is_no_evidence(three: Settings, write: Write) -> None:
    write(LOOP)
    settings = replace(three, assume_policy="mixed_float16", select=("MP204",))

    report = check(["train.py"], settings)

    assert report.errors == ()
    (found,) = report.diagnostics
    assert [item.message for item in found.related] == ["the optimizer is made here, without loss scaling"]


def test_a_syntax_error_is_told_whatever_is_selected(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    write("x = (\n")
    settings = replace(three, select=("FK101",))

    (found,) = check(["train.py"], settings, registry=registry_of(finds("FK101", "bad"))).diagnostics

    assert (found.code, found.severity) == ("MP001", Severity.ERROR)


def test_notes_are_told_only_when_asked_for(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    write("bad\n")
    registry = registry_of(finds("FK101", "bad", severity=Severity.NOTE))

    assert check(["train.py"], three, registry=registry).diagnostics == ()
    assert len(check(["train.py"], replace(three, select=("FK1",)), registry=registry).diagnostics) == 1


def test_bounds_are_told_when_verbose(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    write("cut\n")
    registry = registry_of(finds("FK101", "bad"))

    assert check(["train.py"], three, registry=registry).diagnostics == ()
    assert [item.code for item in check(["train.py"], three, registry=registry, verbose=True).diagnostics] == ["MP004"]


def test_an_unknown_selector_stops_the_run(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    write("bad\n")

    with pytest.raises(UsageError, match="unknown code `FK109`; the nearest is `FK10"):
        check(["train.py"], replace(three, select=("FK109",)), registry=registry_of(finds("FK101", "bad")))


def test_apply_writes_safe_fixes_and_twice_is_once(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    path = write("x = bad + bad  # why\r\n")
    registry = registry_of(finds("FK101", "bad", becomes="good"))

    report = apply(["train.py"], three, registry=registry)
    once = path.read_bytes()
    again = apply(["train.py"], three, registry=registry)

    assert once == b"x = good + good  # why\r\n"
    assert (report.fixed, report.written, report.diagnostics) == ({"FK101": 2}, ("train.py",), ())
    assert (path.read_bytes(), again.written) == (once, ())


def test_diff_writes_nothing(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    path = write("x = bad\n")

    report = apply(["train.py"], three, diff=True, registry=registry_of(finds("FK101", "bad", becomes="good")))

    assert path.read_text() == "x = bad\n"
    assert report.diffs[0].text.splitlines()[-2:] == ["-x = bad", "+x = good"]
    assert (report.fixed, report.written) == ({"FK101": 1}, ())


@pytest.mark.parametrize(
    ("applicability", "effect"),
    [
        (Applicability.UNSAFE, Effect.REPAIRS),
        (Applicability.SAFE, Effect.CHANGES_TRAINING),
    ],
)
def test_what_may_change_training_waits_for_unsafe_fixes(
    registry_of: RegistryOf, three: Settings, write: Write, applicability: Applicability, effect: Effect
) -> None:
    path = write("x = bad\n")
    registry = registry_of(finds("FK101", "bad", becomes="good", applicability=applicability, effect=effect))

    report = apply(["train.py"], three, registry=registry)
    assert (path.read_text(), [item.code for item in report.diagnostics]) == ("x = bad\n", ["FK101"])

    apply(["train.py"], replace(three, unsafe_fixes=True), registry=registry)
    assert path.read_text() == "x = good\n"


def test_display_only_is_shown_and_never_written(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    path = write("x = bad\n")
    rule = finds("FK101", "bad", becomes="good", applicability=Applicability.DISPLAY_ONLY)

    report = apply(["train.py"], replace(three, unsafe_fixes=True), registry=registry_of(rule))

    assert path.read_text() == "x = bad\n"
    assert report.diagnostics[0].fix is not None


def test_a_fix_that_leaves_the_finding_is_not_offered(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    write("x = bad\n")

    (found,) = check(["train.py"], three, registry=registry_of(finds("FK101", "bad", becomes="(bad)"))).diagnostics

    assert found.fix is None
    assert "would stay" in str(found.unfixable_reason)


def test_a_fix_that_adds_a_finding_is_not_offered_even_when_that_rule_is_not_selected(
    registry_of: RegistryOf, three: Settings, write: Write
) -> None:
    write("x = bad\n")
    registry = registry_of(finds("FK101", "bad", becomes="worse"), finds("FK102", "worse"))

    (found,) = check(["train.py"], replace(three, select=("FK101",)), registry=registry).diagnostics

    assert found.fix is None
    assert "FK102" in str(found.unfixable_reason)


def test_two_fixes_of_one_text_take_turns(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    path = write("x = bad\n")
    registry = registry_of(finds("FK101", "bad", becomes="good"), finds("FK102", "bad", becomes="better"))

    report = apply(["train.py"], three, registry=registry)

    assert path.read_text() == "x = good\n"
    assert report.fixed == {"FK101": 1}


def test_unfixable_codes_keep_their_text(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    path = write("x = bad\n")

    registry = registry_of(finds("FK101", "bad", becomes="good"))
    report = apply(["train.py"], replace(three, unfixable=("FK101",)), registry=registry)

    assert path.read_text() == "x = bad\n"
    assert "settings" in str(report.diagnostics[0].unfixable_reason)


def test_a_read_only_file_is_an_error_and_the_others_are_written(
    registry_of: RegistryOf, three: Settings, write: Write, tmp_path: Path
) -> None:
    path = write("x = bad\n")
    other = tmp_path / "other.py"
    other.write_text("y = bad\n")
    path.chmod(0o444)

    report = apply(["."], three, registry=registry_of(finds("FK101", "bad", becomes="good")))

    assert (path.read_text(), other.read_text()) == ("x = bad\n", "y = good\n")
    assert [error.filename for error in report.errors] == ["train.py"]
    assert (report.fixed, report.failed) == ({"FK101": 1}, 1)


def test_standard_input_is_answered_and_nothing_is_written(
    registry_of: RegistryOf, three: Settings, write: Write
) -> None:
    path = write("x = bad\n")
    registry = registry_of(finds("FK101", "bad", becomes="good"))

    report = apply(["-"], three, registry=registry, stdin=b"y = bad\n", stdin_filename="train.py")

    assert (report.stdin_output, path.read_text(), report.written) == (b"y = good\n", "x = bad\n", ())


def test_a_missing_file_is_an_error_of_the_run(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    write("bad\n")

    report = check(["train.py", "gone.py"], three, registry=registry_of(finds("FK101", "bad")))

    assert ([error.filename for error in report.errors], report.failed) == (["gone.py"], 1)
    assert len(report.diagnostics) == 1


def test_rules_are_silent_where_per_file_ignores_say_so(registry_of: RegistryOf, three: Settings, write: Write) -> None:
    write("bad\n")
    settings = replace(three, per_file_ignores=(("train*", ("FK1",)),), root=Path())

    assert check(["train.py"], settings, registry=registry_of(finds("FK101", "bad"))).diagnostics == ()


@pytest.mark.parametrize(
    ("rest", "severity"),
    [("train(args.data)", "warning"), ("train(args.data, amp=args.amp)", "error")],
)
def test_error_behind_a_flag_that_no_call_sets_is_a_warning(rest: str, severity: str) -> None:
    text = (
        "import argparse\nimport keras\n\n\ndef train(data, amp=False):\n    if amp:\n"
        "        keras.mixed_precision.set_global_policy('mixed_float16')\n"
        "    model = keras.Sequential([keras.layers.Dense(2, activation='softmax')])\n"
        "    model.compile('adam', 'categorical_crossentropy')\n    model.fit(data)\n\n\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--amp', action='store_true')\n"
        f"parser.add_argument('--data')\nargs = parser.parse_args()\n{rest}\n"
    )
    report = check(["-"], Settings(keras="3"), stdin=text.encode())

    assert [(d.code, d.severity.value) for d in report.diagnostics] == [("MP301", severity)]
