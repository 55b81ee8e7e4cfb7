"""Memory figures: of this process, and of GPUs that these tests only pretend to have."""

from __future__ import annotations

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


def test_cards_are_named_by_the_backend_that_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [SimpleNamespace(platform="gpu", device_kind="Some Card"), SimpleNamespace(platform="cpu")]
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(local_devices=lambda: devices))
    cuda = SimpleNamespace(device_count=lambda: 1, get_device_name=lambda i: f"Card {i}")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)

    assert [_gpu_names(name) for name in ("jax", "torch", "tensorflow")] == [["Some Card"], ["Card 0"], []]
