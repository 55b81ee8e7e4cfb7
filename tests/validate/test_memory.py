"""Memory figures: of this process, and of GPUs that these tests only pretend to have."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from mpfix.validate import memory
from mpfix.validate.figures import _memory
from mpfix.validate.summary import _gpu_names

MEGABYTE = 10**6


def test_the_peak_above_the_level_is_what_was_allocated() -> None:
    watch = memory.MemoryWatch()
    watch.mark_level()
    block = bytearray(64 * MEGABYTE)
    del block
    figures = watch.figures()

    if figures["level"] is None:
        pytest.skip("this system does not let a process reset its peak")
    assert 60 * MEGABYTE < figures["peak"] - figures["level"] < 90 * MEGABYTE


def test_statistics_of_every_backend_are_labelled(monkeypatch: pytest.MonkeyPatch) -> None:
    resets = []
    experimental = SimpleNamespace(
        get_memory_info=lambda device: {"current": 1, "peak": 2}, reset_memory_stats=resets.append
    )
    devices = [SimpleNamespace(name="/device:GPU:0")]
    config = SimpleNamespace(experimental=experimental, list_logical_devices=lambda kind: devices)
    stats = {"bytes_in_use": 3, "peak_bytes_in_use": 4, "pool_bytes": 5, "num_allocs": 9}
    jax = SimpleNamespace(local_devices=lambda: [SimpleNamespace(id=1, memory_stats=lambda: stats)])
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        memory_allocated=lambda: 6,
        max_memory_allocated=lambda: 7,
        max_memory_reserved=lambda: 8,
        reset_peak_memory_stats=lambda: resets.append("torch"),
    )
    for name, module in (
        ("tensorflow", SimpleNamespace(config=config)),
        ("jax", jax),
        ("torch", SimpleNamespace(cuda=cuda)),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    memory.reset_device_peaks()

    assert resets == ["GPU:0", "torch"]
    assert memory.device_figures() == {
        "tensorflow:GPU:0": {"current": 1, "peak": 2},
        "jax:1": {"current": 3, "peak": 4, "reserved": 5},
        "torch": {"current": 6, "peak": 7, "reserved": 8},
    }


def test_a_gpu_is_reported_by_its_allocator() -> None:
    run = {
        "memory": {
            "level": 1,
            "peak_first": 2,
            "peak": 3,
            "devices_first": {"jax:0": {"peak": 900}},
            # TensorFlow, which only reads the data, sees the card too
            "devices": {"tensorflow:GPU:0": {"peak": 0}, "jax:0": {"peak": 700, "reserved": 1024}},
            "gpu_process": 2048,
        },
        "bytes": {"variables": 100, "slots": 200},
    }
    figures = _memory([run])

    assert figures.is_gpu
    assert figures.label == "peak of the GPU's allocator (jax:0)"
    assert (figures.peak.middle, figures.steady.middle, figures.rest) == (900, 700, 600)
    assert (figures.reserved, figures.gpu_process) == (1024, 2048)


def test_process_memory_counts_from_the_level() -> None:
    run = {
        "memory": {
            "level": 1000,
            "peak_first": 5000,
            "peak": 4000,
            "devices_first": {},
            "devices": {},
            "gpu_process": None,
        },
        "bytes": {"variables": 100, "slots": 200},
    }
    figures = _memory([run, run])

    assert not figures.is_gpu
    assert (figures.peak.values, figures.steady.middle, figures.rest) == ((4000, 4000), 3000, 3800)


def compiled(given: int, made: int, shared: int, meanwhile: int) -> SimpleNamespace:
    plan = SimpleNamespace(
        argument_size_in_bytes=given,
        output_size_in_bytes=made,
        alias_size_in_bytes=shared,
        temp_size_in_bytes=meanwhile,
    )
    return SimpleNamespace(get_compiled_memory_stats=lambda: plan)


def test_the_step_of_jax_is_what_xla_planned_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # one makes a variable, one trains, one is given little
    programs = [compiled(8, 500, 0, 500), compiled(150, 120, 110, 300), compiled(20, 1, 0, 1)]
    client = SimpleNamespace(live_executables=lambda: programs)
    stats = {"bytes_in_use": 140, "peak_bytes_in_use": 9000}
    device = SimpleNamespace(id=0, memory_stats=lambda: stats, client=client)
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(local_devices=lambda: [device]))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    devices = memory.device_figures()

    assert devices == {"jax:0": {"current": 140, "peak": 9000, "given": 150, "more": 310}}
    run = {
        "memory": {"devices_first": devices, "devices": devices, "gpu_process": None},
        "bytes": {"variables": 100, "slots": 40},
    }
    figures = _memory([run, run])
    assert (figures.peak.values, figures.steady.values, figures.allocator_peak) == ((460, 460), (460, 460), 9000)
    assert figures.label == "peak of a step on the GPU (jax:0, as XLA planned it)"
    # with steps that are not compiled no program is given the variables
    run["bytes"] = {"variables": 1000, "slots": 0}
    assert _memory([run]).peak.values == (9000,)
    assert _memory([run]).allocator_peak is None


def test_jax_that_is_only_imported_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(local_devices=lambda: pytest.fail("takes a GPU")))
    bridge = SimpleNamespace(backends_are_initialized=lambda: False)
    monkeypatch.setitem(sys.modules, "jax._src.xla_bridge", bridge)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)

    assert memory.device_figures() == {}


def test_an_accelerator_without_statistics_is_not_called_a_cpu() -> None:
    memory = {"level": 1, "peak_first": 2, "peak": 3, "devices_first": {}, "devices": {}, "gpu_process": None}
    run = {"memory": memory, "bytes": {"variables": 0, "slots": 0}, "gpus": ["Some Card"]}

    assert _memory([run]).label == "process memory above the level before the first step (host only)"
    assert not _memory([run]).is_gpu


@pytest.mark.parametrize(("numbers", "size"), [((0, 1), 700), ((2,), None)])
def test_a_process_that_the_driver_does_not_know_has_no_figure(
    monkeypatch: pytest.MonkeyPatch, numbers: tuple[int, ...], size: int | None
) -> None:
    # in a container the driver may number processes otherwise
    own = [os.getpid(), os.getpid(), os.getpid() + 1]
    entries = [SimpleNamespace(pid=own[i], usedGpuMemory=(700, None, 5)[i]) for i in numbers]
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda i: i,
        nvmlDeviceGetComputeRunningProcesses=lambda handle: entries,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)

    assert memory.process_figures_on_gpu() == size


def test_a_step_waits_for_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = []
    cuda = SimpleNamespace(is_initialized=lambda: True, synchronize=lambda: waits.append("torch"))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    memory.wait_for_devices()
    cuda.is_initialized = lambda: False
    memory.wait_for_devices()

    assert waits == ["torch"]


def test_cards_are_named_by_the_backend_that_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [SimpleNamespace(platform="gpu", device_kind="Some Card"), SimpleNamespace(platform="cpu")]
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(local_devices=lambda: devices))
    cuda = SimpleNamespace(device_count=lambda: 1, get_device_name=lambda i: f"Card {i}")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)

    assert [_gpu_names(name) for name in ("jax", "torch", "tensorflow")] == [["Some Card"], ["Card 0"], []]
