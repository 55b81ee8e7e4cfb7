"""Comments that silence findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_pack import finds

from mpfix.engine.pipeline import apply, check
from mpfix.registry import Registry
from mpfix.report import Report
from mpfix.settings import Settings


@pytest.fixture
def told(registry_of: Callable[..., Registry], three: Settings, write: Callable[[str], Path]) -> Callable[..., Report]:
    """`told(source)`: the report on a source with rules FK101 `bad` and FK102 `ugly`."""
    registry = registry_of(finds("FK101", "bad", becomes="good"), finds("FK102", "ugly"))

    def run(source: str, **changes: object) -> Report:
        write(source)
        return check(["train.py"], replace(three, **changes), registry=registry)  # type: ignore[arg-type]

    return run


def codes(report: Report) -> list[str]:
    return [item.code for item in report.diagnostics]


@pytest.mark.parametrize(
    "source",
    [
        "bad  # noqa: FK101\n",
        "bad  # noqa:FK101 for a reason\n",
        "bad  # NOQA : FK101\n",
        "bad  # noqa\n",
        "bad  # noqa: bad-found the name does as well\n",
        "bad  # type: ignore # noqa: FK101\n",
        "bad  # noqa: E501, FK101\n",
        "bad  # noqa: E501 FK101\n",
        "bad  # mpfix: ignore[FK101] reason\n",
        "bad  # mpfix: ignore[FK102x, bad-found]\n".replace("FK102x, ", ""),
        "# mpfix: ignore[FK101]\nbad\n",
        "# mpfix: file-ignore[FK101]\n\n\nbad\nbad\n",
        "x = [\n    bad,\n    1,  # noqa: FK101\n]\n",
        "x = [  # noqa: FK101\n    bad,\n]\n",
        "if bad:  # noqa: FK101\n    pass\n",
        "def f(\n    a,  # noqa: FK101\n    b=bad,\n):\n    pass\n",
    ],
)
def test_a_comment_silences_the_finding_of_its_statement(told: Callable[..., Report], source: str) -> None:
    report = told(source)

    assert codes(report) == []
    assert report.suppressed >= 1


@pytest.mark.parametrize(
    "source",
    [
        'bad; x = "# noqa: FK101"\n',
        "bad  # see: noqa: FK101\n",
        "bad  # noqa: because it is so\n",
        "bad\n# noqa: FK101 on another line\n".replace("# noqa: FK101 on another line", "x = 1"),
        'x = """\n# mpfix: file-ignore[FK101]\n"""\nbad\n',
    ],
)
def test_other_text_silences_nothing(told: Callable[..., Report], source: str) -> None:
    assert codes(told(source)) == ["FK101"]


@pytest.mark.parametrize(
    ("source", "repaired"),
    [
        ("x = 1  # noqa: FK101\n", "x = 1\n"),
        ("x = 1  # noqa: FK101, FK102\n", "x = 1\n"),
        ("ugly  # noqa: FK101, FK102\n", "ugly  # noqa: FK102\n"),
        ("ugly  # noqa: FK102, FK101 why\n", "ugly  # noqa: FK102 why\n"),
        ("x = 1  # noqa: E501, FK101\n", "x = 1  # noqa: E501\n"),
        ("x = 1  # noqa: FK101  # type: ignore\n", "x = 1  # type: ignore\n"),
        ("x = 1  # type: ignore  # noqa: FK101\n", "x = 1  # type: ignore\n"),
        ("# mpfix: file-ignore[FK101]\nx = 1\n", "x = 1\n"),
        ("    # mpfix: ignore[FK101]\r\nx = 1\r\n", "x = 1\r\n"),
        ("x = 1  # mpfix: ignore[FK101]", "x = 1"),
        ("é = 1  # noqa: FK101\n", "é = 1\n"),
    ],
)
def test_an_unused_suppression_is_told_and_removed(
    told: Callable[..., Report],
    registry_of: Callable[..., Registry],
    three: Settings,
    source: str,
    repaired: str,
) -> None:
    report = told(source)
    assert codes(report) == ["MP002"]

    apply(["train.py"], three, registry=registry_of(finds("FK101", "bad"), finds("FK102", "ugly")))
    assert Path("train.py").read_bytes().decode() == repaired


@pytest.mark.parametrize(
    "source",
    [
        "x = 1  # noqa\n",
        "x = 1  # noqa: E501\n",
        'x = "# noqa: FK101"\n',
        "x = 1  # noqa: FK101 # mpfix: ignore[MP002]\n",
    ],
)
def test_nothing_is_said_of_comments_of_others(told: Callable[..., Report], source: str) -> None:
    assert codes(told(source)) == []


def test_an_unused_suppression_of_a_rule_that_did_not_run_is_left_alone(told: Callable[..., Report]) -> None:
    assert codes(told("x = 1  # noqa: FK101\n", select=("FK102", "MP002"))) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("bad  # noqa: FK101, FK999\n", "`FK999`; the nearest is"),
        ("bad  # noqa: FK101, MP999\n", "`MP999`"),
        ("x = 1  # mpfix: ignore[E501]\n", "`E501`"),
        ("x = 1  # mpfix: ignore\n", "write `ignore[CODE]`"),
        ("x = 1  # mpfix: ignroe[FK101]\n", "is no suppression"),
        ("x = 1  # mpfix: file-ignore[]\n", "names no rule"),
    ],
)
def test_an_unknown_code_is_told(told: Callable[..., Report], source: str, words: str) -> None:
    report = told(source)

    assert codes(report) == ["MP003"]
    assert words in report.diagnostics[0].message


def test_suppressed_is_never_fixed(
    registry_of: Callable[..., Registry], three: Settings, write: Callable[[str], Path]
) -> None:
    path = write("x = bad  # noqa: FK101\ny = bad\n")

    apply(["train.py"], three, registry=registry_of(finds("FK101", "bad", becomes="good")))

    assert path.read_text() == "x = bad  # noqa: FK101\ny = good\n"
