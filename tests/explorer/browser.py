"""A headless Chromium that is driven through two pipes, by its own protocol: JSON messages that end in a zero byte."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TO_THREE_AND_FOUR = """
import os, sys
# Copies first: one of the two may already stand where the other has to go.
a, b = (os.dup(int(number)) for number in sys.argv[1:3])
os.dup2(a, 3), os.dup2(b, 4), os.set_inheritable(3, True), os.set_inheritable(4, True)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads from the third file of its process and writes to the fourth."""
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program() -> str | None:
    """Where Chromium is, if it is installed."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """One page."""

    def __init__(self, reader: int, writer: int):
        self._reader, self._writer, self._rest, self._count = reader, writer, b"", 0
        self.complaints: list[str] = []
        target = self._send("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for name in ("Page.enable", "Runtime.enable", "Log.enable"):
            self._send(name)

    def _send(self, method: str, parameters: dict[str, Any] | None = None) -> Any:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters or {}}
        session = getattr(self, "_session", None)
        if session is not None:
            message["sessionId"] = session
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(answer["params"])[:500])
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _next(self, patience: float = 60.0) -> Any:
        while b"\0" not in self._rest:
            if not select.select([self._reader], [], [], patience)[0]:
                raise TimeoutError("Chromium does not answer")
            more = os.read(self._reader, 1 << 20)
            if not more:
                raise EOFError("Chromium has ended")
            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def show(self, width: int, height: int, *, dark: bool = False) -> None:
        """The size of the window, as that of a phone or of a screen."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._send("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._send("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, address: str) -> None:
        self.complaints.clear()
        self._send("Page.navigate", {"url": address})

    def run(self, script: str) -> Any:
        """The value of an expression on the page."""
        found = self._send("Runtime.evaluate", {"expression": script, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"])[:500])
        return found["result"].get("value")

    def wait(self, condition: str, patience: float = 120.0) -> None:
        """Until an expression on the page is true."""
        end = time.monotonic() + patience
        while not self.run(condition):
            if time.monotonic() > end:
                raise TimeoutError(
                    f"still not: {condition}; the page says: {self.run('document.body.innerText')[:400]}"
                )
            time.sleep(0.05)

    def picture(self, place: Path) -> None:
        """A PNG of the whole page."""
        size = self._send("Page.getLayoutMetrics")["cssContentSize"]
        options = {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
        place.write_bytes(base64.b64decode(self._send("Page.captureScreenshot", options)["data"]))


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A fresh browser, which ends with the context."""
    (here_in, there_out), (there_in, here_out) = os.pipe(), os.pipe()

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [
            str(program()),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--remote-debugging-pipe",
            f"--user-data-dir={folder}",
        ]
        process = subprocess.Popen(
            [sys.executable, "-c", TO_THREE_AND_FOUR, str(there_in), str(there_out), *command],
            pass_fds=(there_in, there_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(there_in)
        os.close(there_out)
        try:
            yield Browser(here_in, here_out)
        finally:
            process.kill()
            process.wait()
            os.close(here_in)
            os.close(here_out)
