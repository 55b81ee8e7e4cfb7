"""What happens in training code: the events that rules ask about. Operands are abstract values, as they were then."""

from __future__ import annotations

from mpfix.record import record
from mpfix.semantic.library import Event
from mpfix.semantic.values import NONE, LoopKey, Object, Value


@record
class PolicySet(Event):
    """The global policy was set. `policy` is a `policy` record (properties `name`, ...) or unknown; `before` was it.

    `home` is the package whose state holds it: `keras`, `tf_keras`, empty where nobody knows. `tpu` is where a strategy
    for TPUs was made before, `rewrite` where the graph rewrite was switched on before.
    """

    policy: Value
    package: str
    before: Value = NONE
    home: str = ""
    tpu: Value = NONE
    rewrite: Value = NONE


@record
class PolicyMade(Event):
    """A policy object was made, by name; nothing has it yet."""

    policy: Value


@record
class PolicyUsed(Event):
    """A policy object was given to something: it is set, a layer has it, or somebody unseen may set it."""

    policy: Value


@record
class RewriteSwitched(Event):
    """The graph rewrite `auto_mixed_precision` was switched: `on` is true, false or unknown.

    `option` is the argument or variable that does it, `alone` whether the statement sets nothing else, `policy` the
    global one then.
    """

    on: Value
    option: str
    alone: bool
    policy: Value = NONE


@record
class StrategyMade(Event):
    """A distribution strategy was constructed while `policy` was the global one; `devices` are those it was given."""

    key: str
    policy: Value
    devices: Value = NONE


@record
class LayerMapped(Event):
    """A layer worked inside a function that a dataset maps over its elements."""

    layer: Object


@record
class FloatxSet(Event):
    """`set_floatx(name)`. `fixed` is the place of the layer or policy that already fixed the policy of layers.

    None (the constant) where it still decides on it. `policy` is the one in force.
    """

    name: Value
    package: str
    fixed: Value
    policy: Value


@record
class LayerBuilt(Event):
    """A layer was constructed under `policy`, its own or the global one.

    `package` is the Keras package it was reached by, `home` the one whose state it reads, `ambient` the global policy
    then. `trains` is whether it has weights that training updates, as far as its constructor tells.
    """

    layer: Object
    key: str
    policy: Value
    package: str = ""
    home: str = ""
    ambient: Value = NONE
    trains: bool = False


@record
class LayerReady(Event):
    """The constructor of a layer or model of the project has run: `policy` is the one it works under from here on."""

    layer: Object
    policy: Value


@record
class ModelBuilt(Event):
    """A model object was constructed under `policy`."""

    model: Object
    policy: Value


@record
class ModelOutput(Event):
    """A tensor that leaves a model: the output `index` of `count`, under the `names` of its key and its layer.

    `is_part` is whether the model was applied inside another one.
    """

    model: Object
    tensor: Value
    policy: Value
    index: int = 0
    count: int = 1
    names: Value = NONE
    is_part: bool = False


@record
class OptimizerBuilt(Event):
    """An optimizer was constructed; `wrapper` when it is a loss scale optimizer around `inner`."""

    optimizer: Object
    key: str
    inner: Value


@record
class Compiled(Event):
    """`model.compile(...)`: `optimizer` as given.

    `policy` is that of the model, `wrapped` whether the model's optimizer scales losses afterwards.
    """

    model: Object
    optimizer: Value
    loss: Value
    kinds: Value = NONE
    """What kind of loss each output gets, as `loss_kinds` tells it."""
    policy: Value = NONE
    wrapped: Value = NONE


@record
class TrainedUnseen(Event):
    """`compile` or `fit` of a model that nobody can name."""


@record
class Fitted(Event):
    """`model.fit(...)` or `train_on_batch`."""

    model: Object


@record
class Predicted(Event):
    """`model.predict(...)`, `model.evaluate(...)` and their like: the model is used, not trained."""

    model: Object


@record
class LossComputed(Event):
    """A loss of predictions. `form`: `class`, `function` or `raw`; `loss` the tensor record it gives.

    `kind` is `regression`, `probabilities` or `logits`, as `loss_kinds` tells it.
    """

    form: str
    key: str
    predictions: Value
    loss: Value
    kind: Value = NONE


@record
class LogTaken(Event):
    """The logarithm of a tensor was taken."""

    operand: Value


@record
class Cast(Event):
    """A tensor was cast: `operand` before, `dtype` after."""

    operand: Value
    dtype: Value


@record
class HalfInput(Event):
    """A tensor that was just cast to half is the input of `layer`, the first one of what it is given to.

    `dtype` is what that layer computes in, `policy` the one of `model`, or of the layer where there is none.
    `is_inside` is whether this happens in a model's own `call`; `takes_integers` whether the model casts integers too.
    """

    tensor: Value
    layer: Object
    dtype: Value
    model: Value
    policy: Value
    is_inside: bool
    takes_integers: bool


@record
class ModelCalled(Event):
    """A model was applied to `inputs` in training code, not inside another model; `recording` while a tape was open."""

    model: Object
    inputs: Value
    recording: bool = False


@record
class TapeOpened(Event):
    """`with GradientTape(...)` began to record; `persistent` as it was made."""

    tape: Object
    persistent: Value


@record
class TapeGiven(Event):
    """A tape was handed to code outside the project."""

    tape: Object


@record
class GradientsGiven(Event):
    """Gradients were handed to a function nobody knows while a tape recorded."""

    gradients: Value


@record
class GradientTaken(Event):
    """`tape.gradient(target, sources)`; `inside` whether the tape was still recording.

    `recorders` are the tapes that record the backward pass, outermost first. `again` is whether one call takes several
    gradients: a `jacobian` without parallel loops.
    """

    tape: Value
    target: Value
    sources: Value
    inside: Value
    method: str
    recorders: tuple[Object, ...] = ()
    again: bool = False


@record
class Scaled(Event):
    """A loss was multiplied by the loss scale of `optimizer`; `recording`: a tape may have been recording."""

    optimizer: Value
    loss: Value
    method: str
    recording: bool


@record
class Unscaled(Event):
    """Gradients were divided by the loss scale of `optimizer`."""

    optimizer: Value
    gradients: Value
    method: str


@record
class Clipped(Event):
    """Gradients were clipped, normed or disturbed by noise: `how` is the function's key."""

    gradients: Value
    how: str
    threshold: Value


@record
class Accumulated(Event):
    """Gradients were added to an accumulator: a variable, or a cell that loops carry.

    `carried` are the loops that hand the sum on to their next iteration, innermost first.
    """

    accumulator: Value
    gradients: Value
    carried: tuple[LoopKey, ...]


@record
class Overwritten(Event):
    """Gradients took the place of what a variable held."""

    accumulator: Value
    gradients: Value


@record
class Divided(Event):
    """A sum was divided, or gradients that are none (`accumulator` is None); `gradients` is what came out."""

    accumulator: Value
    gradients: Value


@record
class GradientsUsed(Event):
    """Gradients, or a sum of them, were handed to code that is not modelled: `by` a function nobody knows, or a key."""

    gradients: Value
    by: str


@record
class Collected(Event):
    """A loop keeps the gradients of each iteration in a list."""

    gradients: Value


@record
class CellCarried(Event):
    """What an iteration of a loop leaves in a cell that gradients were added to; for a list, in its items."""

    accumulator: Value
    loop: LoopKey
    next: Value


@record
class Reset(Event):
    """An accumulator was set back to zero."""

    accumulator: Value


@record
class Applied(Event):
    """An optimizer updated variables with gradients (`minimize`: with a loss).

    `wrapped` is whether the optimizer is a loss scale optimizer: True, False, or unknown. `state` is an `optimizer`
    record of what it was then: `wrapped`, `wrapped at`, `automatic` (by compile), `policy` (that compile saw),
    `made at`, `inner`, `factor` (a static scale), `clips`, `distributed`, `off` (compile was told not to scale),
    `accumulates` (its argument for accumulation), `rate` (its learning rate) and `momentum`.
    """

    optimizer: Value
    gradients: Value
    variables: Value
    method: str
    wrapped: Value
    model: Value
    state: Value = NONE


@record
class ScalingMethodUsed(Event):
    """An attribute of the Keras 2 loss scale optimizer was used that Keras 3 lost, such as `get_scaled_loss`."""

    optimizer: Value
    name: str
    called: bool
    wrapped: Value
    state: Value = NONE


@record
class AttributeTested(Event):
    """`hasattr(optimizer, name)` and its like."""

    owner: Value
    name: str
    answer: bool | None
    state: Value = NONE
