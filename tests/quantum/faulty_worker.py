"""A computing process whose calculations are quick, made up, and wrong on demand: see the fixture ``faulty``."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import numpy as np

from qmlstudio.quantum import work, worker


def chosen(name: str) -> list[int]:
    return [int(k) for k in os.environ.get(f"FAULTY_{name}", "").split(",") if k]


def perform(_bench: Any, item: work.Item, beat: Any) -> work.Record:
    if log := os.environ.get("FAULTY_LOG"):
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{item.index} {os.getpid()}\n")
    if item.index in chosen("CRASH"):
        print("a word before the end", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    if item.index in chosen("HANG"):
        time.sleep(600)
    if item.index in chosen("RAISE"):
        raise RuntimeError("something unforeseen")
    # what an engine prints must not disturb the messages
    os.write(1, b"chatter\n")
    beat(0.5)
    energy = float(np.sum(item.positions**2))
    return {"energy": energy, "gap": None}, {"charges": np.arange(len(item.numbers), dtype=float)}


if os.environ.get("FAULTY_START"):
    sys.exit("no engine here")
work.Bench.perform = perform  # type: ignore[method-assign]
worker._set_up = lambda head: work.Bench.__new__(work.Bench)  # type: ignore[assignment]
sys.exit(worker.main())
