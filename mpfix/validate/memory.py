"""Inside the child: how much memory there is in use, each figure labelled for what it is.

Process memory is what the operating system holds resident; on a GPU the allocator's own statistics count.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

STATUS = "/proc/self/status"


def process_bytes(field: str) -> int | None:
    """`VmRSS` (now) or `VmHWM` (the peak since it was last reset); None where the system does not tell."""
    try:
        with open(STATUS, encoding="ascii") as file:
            line = next((line for line in file if line.startswith(field)), None)
    except OSError:
        return None
    return None if line is None else int(line.split()[1]) * 1024


def reset_process_peak() -> bool:
    """Let the peak start again from what is resident now."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return False
    return True


def grow_on_demand(tensorflow: Any) -> None:
    """Keep TensorFlow from taking all memory of each GPU at its start."""
    # where the script used a GPU already, or chose otherwise, its choice stays
    with contextlib.suppress(RuntimeError, ValueError):
        for device in tensorflow.config.list_physical_devices("GPU"):
            tensorflow.config.experimental.set_memory_growth(device, True)


def device_figures() -> dict[str, dict[str, int]]:
    """Allocator statistics of each GPU, by `backend:device`: `current`, `peak`, where known `reserved`."""
    return {**_tensorflow_figures(), **_jax_figures(), **_torch_figures()}


def process_figures_on_gpu() -> int | None:
    """Bytes that NVML says this process holds on all GPUs: with the context of CUDA and the kernels."""
    try:
        import pynvml  # type: ignore[import-not-found, import-untyped, unused-ignore]

        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        entries = [entry for handle in handles for entry in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)]
    except Exception:
        # no package, no driver or no permission: the figure is left out
        return None
    # a container may number its processes in another way than the driver does
    mine = [entry.usedGpuMemory for entry in entries if entry.pid == os.getpid() and entry.usedGpuMemory is not None]
    return sum(mine) if mine else None


def reset_device_peaks() -> None:
    """Let the allocators' peaks start again from what is in use now; JAX cannot."""
    tensorflow, torch = sys.modules.get("tensorflow"), sys.modules.get("torch")
    if tensorflow is not None:
        for device in _gpus(tensorflow):
            tensorflow.config.experimental.reset_memory_stats(device)
    if torch is not None and _has_cuda(torch):
        torch.cuda.reset_peak_memory_stats()


def wait_for_devices() -> None:
    """Let a GPU finish what it was handed; where a loss was read, it has."""
    torch = sys.modules.get("torch")
    if torch is not None and _has_cuda(torch):
        torch.cuda.synchronize()


def _tensorflow_figures() -> dict[str, dict[str, int]]:
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return {}
    read = tensorflow.config.experimental.get_memory_info
    return {
        f"tensorflow:{device}": {key: int(value) for key, value in read(device).items()} for device in _gpus(tensorflow)
    }


def _gpus(tensorflow: Any) -> list[str]:
    return [device.name.removeprefix("/device:") for device in tensorflow.config.list_logical_devices("GPU")]


def _jax_figures() -> dict[str, dict[str, int]]:
    jax = sys.modules.get("jax")
    if jax is None or not hasattr(jax, "local_devices") or not _jax_has_started():
        return {}
    names = {"current": "bytes_in_use", "peak": "peak_bytes_in_use", "reserved": "pool_bytes"}
    figures = {}
    for device in jax.local_devices():
        # a CPU device has no statistics
        known = device.memory_stats() or {}
        if known:
            figures[f"jax:{device.id}"] = {
                ours: int(known[theirs]) for ours, theirs in names.items() if theirs in known
            } | _step_program(device)
    return figures


def _jax_has_started() -> bool:
    """Whether JAX uses its devices: Keras imports it beside other backends, and to ask it would make it take a GPU."""
    started = getattr(sys.modules.get("jax._src.xla_bridge"), "backends_are_initialized", None)
    return not callable(started) or bool(started())


def _step_program(device: Any) -> dict[str, int]:
    """What XLA planned for the program of a step: bytes that it is `given`, and how many `more` it takes meanwhile.

    The allocator's own peak holds what XLA tried while it compiled, which may be far more, and cannot start again.
    """
    try:
        plans = [program.get_compiled_memory_stats() for program in device.client.live_executables()]
        sizes = [
            (
                plan.argument_size_in_bytes,
                plan.output_size_in_bytes - plan.alias_size_in_bytes + plan.temp_size_in_bytes,
            )
            for plan in plans
        ]
    except Exception:
        # neither is a promise of JAX
        return {}
    most = max((given for given, _ in sizes), default=0)
    # programs that make variables are given next to nothing
    given, more = max((pair for pair in sizes if 2 * pair[0] >= most), key=sum, default=(0, 0))
    return {"given": int(given), "more": int(more)}


def _torch_figures() -> dict[str, dict[str, int]]:
    torch = sys.modules.get("torch")
    if torch is None or not _has_cuda(torch):
        return {}
    cuda = torch.cuda
    return {
        "torch": {
            "current": cuda.memory_allocated(),
            "peak": cuda.max_memory_allocated(),
            "reserved": cuda.max_memory_reserved(),
        }
    }


def _has_cuda(torch: Any) -> bool:
    return hasattr(torch, "cuda") and bool(torch.cuda.is_initialized())


class MemoryWatch:
    """The level before the first step, and the peaks above it."""

    def __init__(self) -> None:
        self.level: int | None = None
        self.first_peak: int | None = None
        self.first_devices: dict[str, dict[str, int]] = {}

    def mark_level(self) -> None:
        """Take the level; what is resident from now on, and was not, belongs to the steps.

        Where the peak cannot start again there is none: the import of TensorFlow would be part of the peak.
        """
        self.level = process_bytes("VmRSS") if reset_process_peak() else None

    def end_warmup(self) -> None:
        """The first steps, which trace and build, are over: keep their peak, and start again for the others."""
        self.first_peak = process_bytes("VmHWM")
        self.first_devices = device_figures()
        reset_process_peak()
        reset_device_peaks()

    def figures(self) -> dict[str, Any]:
        """Everything that is known now, in bytes."""
        return {
            "level": self.level,
            "peak_first": self.first_peak,
            "peak": process_bytes("VmHWM"),
            "devices_first": self.first_devices,
            "devices": device_figures(),
            "gpu_process": process_figures_on_gpu(),
        }
