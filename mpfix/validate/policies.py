"""Inside the child: the precision policies that the script asks for, and the one that a run forces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpfix.validate.record import Config, Recorder
from mpfix.validate.replacing import public, replace_everywhere
from mpfix.validate.sources import user_place

_SETTERS = ("config.set_dtype_policy", "mixed_precision.set_global_policy", "mixed_precision.set_dtype_policy")
_HALF = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16")


def patch_policies(keras: Any, recorder: Recorder, config: Config) -> None:
    """Tell each policy that is set; with a forced one, set that instead from the start."""
    forced = config["policy"]
    setters = {original for name in _SETTERS if callable(original := public(keras, name))}
    for original in setters:
        replace_everywhere(original, _setter(original, recorder, forced))
        if forced is not None:
            original(forced)


def global_policy(keras: Any) -> str:
    """The name of the policy in force."""
    for name in ("config.dtype_policy", "mixed_precision.global_policy"):
        getter = public(keras, name)
        if callable(getter):
            return policy_name(getter()) or "?"
    return "?"


def policy_name(policy: Any) -> str | None:
    """The name of a policy, of what `dtype=` was given, or of a configuration of either."""
    if policy is None or isinstance(policy, str):
        return policy
    if isinstance(policy, dict):
        return policy_name(policy.get("config", {}).get("name"))
    return str(getattr(policy, "name", policy))


def forced_dtype(dtype: Any, forced: str | None) -> Any:
    """What a layer gets for `dtype=` where a policy is forced: half precision becomes the forced policy."""
    return forced if forced is not None and policy_name(dtype) in _HALF else dtype


def _setter(original: Callable[..., Any], recorder: Recorder, forced: str | None) -> Callable[..., Any]:
    def set_policy(policy: Any) -> Any:
        recorder.event("policy", name=policy_name(policy), place=user_place())
        return original(policy if forced is None else forced)

    return set_policy
