"""What kind of loss something is: of probabilities, of logits, or a regression; and which output it judges."""

from __future__ import annotations

from mpfix.semantic.containers import list_content
from mpfix.semantic.run import Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    TRUE_VALUE,
    Bound,
    Choice,
    Constant,
    Library,
    Mapping,
    Object,
    Record,
    Unknown,
    Value,
    widened,
)

REGRESSION = frozenset(
    [
        "meansquarederror", "mse", "meanabsoluteerror", "mae", "meanabsolutepercentageerror", "mape",
        "meansquaredlogarithmicerror", "msle", "huber", "huberloss", "logcosh", "cosinesimilarity", "cosineproximity",
        "hinge", "squaredhinge", "categoricalhinge", "poisson",
    ]
)  # fmt: skip
"""Losses of values that are no probabilities; names in lower case, without underscores."""

PROBABILITY = frozenset(
    [
        "binarycrossentropy", "categoricalcrossentropy", "sparsecategoricalcrossentropy", "kldivergence",
        "kullbackleiblerdivergence", "kld", "binaryfocalcrossentropy", "categoricalfocalcrossentropy",
    ]
)  # fmt: skip
"""Losses of probabilities, which want logits with `from_logits=True`."""


OTHERS = "others"
"""The property for losses of outputs whose name or index nobody knows."""


def kind_named(name: str, from_logits: Value = FALSE_VALUE) -> Value:
    """The kind of a loss by its name: `regression`, `probabilities` or `logits`; unknown for others."""
    plain = name.rpartition(".")[2].replace("_", "").lower()
    if plain in REGRESSION:
        return Constant("regression")
    if plain.endswith("withlogits"):
        return Constant("logits")
    if plain not in PROBABILITY:
        return Unknown(("loss", name), name)
    if from_logits == TRUE_VALUE:
        return Constant("logits")
    return Constant("probabilities") if from_logits == FALSE_VALUE else Unknown(("loss", name, from_logits), name)


def kinds_of(run: Run, loss: Value, place: Place) -> Value:
    """What `compile(loss=...)` says: the kind of one loss, a `loss kinds` record of several by index or name.

    None (the constant) where there is no loss.
    """
    return run.each(loss, lambda one: _kinds(run, widened(one), place))


def _kinds(run: Run, loss: Value, place: Place) -> Value:
    if isinstance(loss, Object) and loss.kind == "dict":
        content = run.get(loss, "content")
        entries = content.entries if isinstance(content, Mapping) else ()
        kinds = {f"name {key.value}": kind_of_loss(run, one) for key, one in entries if isinstance(key, Constant)}
        whole = isinstance(content, Mapping) and not content.open and len(kinds) == len(entries)
        return Record("loss kinds", place, kinds if whole else {**kinds, OTHERS: Unknown(("losses", place), "losses")})
    several = list_content(run, loss)
    if several is not None:
        kinds = {f"index {index}": kind_of_loss(run, one) for index, one in enumerate(several.items)}
        if several.open:
            kinds[OTHERS] = Unknown(("losses", place), "losses")
        return Record("loss kinds", place, kinds)
    return kind_of_loss(run, loss)


def loss_for(run: Run, losses: Value, index: int, count: int, names: tuple[object, ...]) -> Value:
    """What `compile(loss=...)` gives one output, by its name or its index among `count`; None where nobody knows."""
    losses = widened(losses)
    if isinstance(losses, Object) and losses.kind == "dict":
        content = run.get(losses, "content")
        entries = content.entries if isinstance(content, Mapping) and not content.open else ()
        return next((one for key, one in entries if isinstance(key, Constant) and key.value in names), NONE)
    several = list_content(run, losses)
    if several is None:
        return losses
    return several.items[index] if not several.open and len(several.items) == count else NONE


def kind_of_loss(run: Run, loss: Value) -> Value:
    """The kind of one loss: a name, a function, an object; None (the constant) where there is none."""
    if isinstance(loss, Choice):
        return run.each(loss, lambda one: kind_of_loss(run, widened(one)))
    if isinstance(loss, Constant):
        return kind_named(loss.value) if isinstance(loss.value, str) else NONE
    if isinstance(loss, Library):
        return kind_named(loss.key)
    if isinstance(loss, Object) and loss.kind == "loss":
        return run.each(run.get(loss, "from_logits"), lambda one: kind_named(loss.key, one))
    if isinstance(loss, Bound) and isinstance(loss.receiver, Object) and loss.receiver.kind == "loss":
        return kind_of_loss(run, loss.receiver)
    return loss if isinstance(loss, Unknown) else Unknown(("loss", loss), str(loss))


def kind_for(kinds: Value, index: int, count: int, names: tuple[object, ...]) -> Value:
    """The kind of loss of one output, by its name or its index among `count`; None (the constant) where it has none."""
    if not (isinstance(kinds, Record) and kinds.kind == "loss kinds"):
        return kinds
    for name in names:
        if f"name {name}" in kinds.properties:
            return kinds.get(f"name {name}")
    by_index = kinds.get(f"index {index}")
    if by_index == NONE and count == 1 and len(kinds.properties) == 1:
        return next(iter(kinds.properties.values()))
    return by_index if by_index != NONE else kinds.get(OTHERS)
