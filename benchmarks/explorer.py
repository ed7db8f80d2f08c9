"""The explorer: seconds to the first page, and of each move of a slider (a map of 101 × 101 points with its curves).

    python -m benchmarks.explorer --machine quantum-dot --moves 40

A server of its own with an empty cache, asked as the page asks it. Wall time is that of the asker, cpu time that of the
server with all its threads; the load of the computer stands beside.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


def cpu(process: int) -> float:
    """Seconds of processor that a process has used, with all its threads (Linux)."""
    with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def asked(address: str, name: str, question: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{address}api/{name}", json.dumps(question).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def timed(process: int, ask: Callable[[], Any]) -> tuple[float, float, Any]:
    begun, used = time.perf_counter(), cpu(process)
    answer = ask()
    return time.perf_counter() - begun, cpu(process) - used, answer


def measure(machine: str, moves: int) -> None:
    with tempfile.TemporaryDirectory() as cache:
        begun = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "coldspot", "explore", machine, "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"XDG_CACHE_HOME": cache},
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            listening = time.perf_counter() - begun
            with urllib.request.urlopen(address, timeout=120) as page:
                page.read()
            asked(address, "machines", {})
            described = asked(address, "machine", {"machine": machine})
            axes = described["axes"]
            question = {"machine": machine, "values": {}, "live": True, **axes}
            look = asked(address, "look", question)
            first = time.perf_counter() - begun
            load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
            print(f"{machine}: load {load}; {os.cpu_count()} processors")
            print(
                f"first page, empty cache: {first:.2f} s wall, {cpu(server.pid):.2f} s cpu; listening {listening:.2f} s"
            )
            if look.get("pending"):
                asked(address, "look", question | {"live": False})
                mapped = time.perf_counter() - begun
                print(f"its first map: {mapped:.2f} s wall, {cpu(server.pid):.2f} s cpu")
            slider = next(s for s in described["sliders"] if s["path"] not in {axis["path"] for axis in axes.values()})
            rows = []
            for k in range(moves):
                value = slider["low"] + (slider["high"] - slider["low"]) * (k + 0.5) / moves
                moved = question | {"values": {slider["path"]: value}}
                rows.append(timed(server.pid, lambda moved=moved: asked(address, "look", moved)))
            if rows:
                points = {answer["map"]["points"] for _, _, answer in rows if answer.get("map")}
                walls, cpus = ([1e3 * row[k] for row in rows] for k in range(2))
                print(
                    f"{moves} moves of `{slider['path']}`, maps of {sorted(points)} points along each axis: wall "
                    f"median {statistics.median(walls):.0f} ms, worst {max(walls):.0f} ms; cpu median "
                    f"{statistics.median(cpus):.0f} ms, mean {statistics.mean(cpus):.0f} ms, worst {max(cpus):.0f} ms"
                )
            print(f"answers of {len(json.dumps(look)) / 1e3:.0f} kB")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--machine", default="quantum-dot")
    parser.add_argument("--moves", type=int, default=40)
    options = parser.parse_args()
    measure(options.machine, options.moves)


if __name__ == "__main__":
    main()
