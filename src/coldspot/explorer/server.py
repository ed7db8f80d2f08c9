"""The server of the explorer: one page and a few answers in JSON, for this computer alone, by the standard library.

What comes from the page is data: names of machines and of their numbers, and numbers. No file is read and no code is
run for it. Requests that another site's page makes (another `Host`, another content type) are refused.
"""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from .. import machines
from .._checks import InputError, unknown_name
from ..machine_files.decode import Content
from ..solution import SolveError
from . import looks, snippets, traces
from .batches import Batches
from .subject import Subject, ready

HOST = "127.0.0.1"
MOST_BYTES = 1_000_000
"""Of a request."""


class Explorer:
    """The answers to the page's questions; one calculation at a time."""

    def __init__(self, first: str, file: Subject | None = None):
        self.first, self.file = first, file
        self._lock = threading.RLock()
        self._known: dict[str, tuple[Subject, Batches]] = {}
        self.questions: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
            "machines": self.machines,
            "machine": self.machine,
            "look": self.look,
            "trace": self.trace,
            "code": self.code,
        }

    def machines(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What there is to explore, and with what the page begins."""
        own = [] if self.file is None else [{"name": self.file.name, "summary": "the file that was given"}]
        listed = [{"name": machine.name, "summary": machine.summary} for machine in machines.ALL]
        return {"first": self.first, "machines": own + listed}

    def machine(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return self.subject(str(asked.get("machine", self.first))).described()

    def look(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The point, the map and the curves for a setting of the sliders."""
        with self._lock:
            subject, batches = self._batches(asked)
            values, unit = self._values(subject, asked)
            x, y = (looks.axis(name, asked.get(name), subject.numbers) for name in ("x", "y"))
            live, everything = bool(asked.get("live")), bool(asked.get("everything"))
            return looks.look(batches, values, x, y, live=live, everything=everything, unit=unit)

    def trace(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Time traces over a period."""
        with self._lock:
            subject = self.subject(str(asked.get("machine", self.first)))
            return traces.trace(subject.made(self._values(subject, asked)[0]))

    def code(self, asked: Mapping[str, Any]) -> dict[str, str]:
        """What is seen, as Python and as TOML."""
        subject = self.subject(str(asked.get("machine", self.first)))
        values, unit = self._values(subject, asked)
        x, y = (looks.axis(name, asked.get(name), subject.numbers) for name in ("x", "y"))
        machine = subject.made(values)
        return {"python": snippets.python(machine, x, y, unit), "toml": snippets.toml(machine, unit)}

    def warmed(self) -> None:
        """Compile what the first page needs."""
        with self._lock, contextlib.suppress(InputError, SolveError):  # the page asks again, and shows what is wrong
            subject, batches = self._batches({"machine": self.first})
            looks.look(batches, subject.numbers, *subject.axes(), live=True)

    def _values(self, subject: Subject, asked: Mapping[str, Any]) -> tuple[dict[str, float], str | None]:
        unit = asked.get("unit") or subject.unit
        if subject.unit is not None and unit != subject.unit:
            raise InputError(f"the numbers of `{subject.name}` are in units of {subject.unit}, but `unit` is {unit}.")
        return subject.values(asked.get("values", {}), unit), unit

    def subject(self, name: str) -> Subject:
        """A machine by its name, or the file that was given."""
        if self.file is not None and name == self.file.name:
            return self.file
        return _ready(name)

    def _batches(self, asked: Mapping[str, Any]) -> tuple[Subject, Batches]:
        subject = self.subject(str(asked.get("machine", self.first)))
        if subject.name not in self._known:
            self._known[subject.name] = subject, Batches(subject)
        return self._known[subject.name]


_ready = cache(ready)


def page(data: Any = None) -> str:
    """The page as one file: style, script, and for a page without a server the `data` that it shows."""
    parts = resources.files(__package__)
    text = {name: (parts / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")}
    # A text in JSON may hold what ends a script.
    kept = "null" if data is None else json.dumps(data, allow_nan=False).replace("<", "\\u003c")
    made = text["page.html"].replace("/*style*/", text["page.css"]).replace("/*script*/", text["page.js"])
    return made.replace("/*data*/null", kept)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    explorer: Explorer
    port: int

    def do_GET(self) -> None:
        if not self._is_ours():
            return
        if self.path in ("/", "/index.html"):
            self._send(200, "text/html; charset=utf-8", page().encode())
        else:
            self._complain(404, f"there is no page `{self.path}`.")

    def do_POST(self) -> None:
        if not self._is_ours():
            return
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if not 0 <= length <= MOST_BYTES or self.headers.get("Content-Type") != "application/json":
            self.close_connection = True
            self._complain(400, f"a question must be JSON of at most {MOST_BYTES:,} bytes.")
            return
        try:
            asked = json.loads(self.rfile.read(length))
            if not isinstance(asked, dict):
                raise InputError("a question must be a JSON object.")
            name = self.path.removeprefix("/api/")
            if name not in self.explorer.questions:
                raise unknown_name("explore", "question", name, self.explorer.questions)
            answer = json.dumps(self.explorer.questions[name](asked), allow_nan=False)
        except (InputError, SolveError, ValueError, RecursionError) as error:
            self._complain(400, " ".join(str(error).split()))
        except Exception as error:
            # The page shows it in words; a stack would help nobody there.
            self._complain(500, f"{type(error).__name__}: {' '.join(str(error).split())}")
        else:
            self._send(200, "application/json", answer.encode())

    def _is_ours(self) -> bool:
        """Whether the address that was asked for is this computer's: no other name may lead here."""
        if self.headers.get("Host") in (f"{HOST}:{self.port}", f"localhost:{self.port}"):
            return True
        self._complain(403, f"this page is for this computer alone: open http://{HOST}:{self.port}/.")
        return False

    def _complain(self, code: int, words: str) -> None:
        self._send(code, "application/json", json.dumps({"error": words}).encode())

    def _send(self, code: int, kind: str, body: bytes) -> None:
        try:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):  # the page has been closed
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal is for what a user can act on."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # On Windows it would let a second server take the port of the first.
    allow_reuse_address = os.name != "nt"


def serve(explorer: Explorer, port: int) -> ThreadingHTTPServer:
    """A server on a port of this computer (0: any that is free), which answers once `serve_forever` is called."""
    handler = type("Handler", (_Handler,), {"explorer": explorer})
    try:
        server = _Server((HOST, port), handler)
    except (OSError, OverflowError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"`--port`: the port {port} cannot be used ({words}); choose another one, or 0 for any that is free."
        ) from None
    handler.port = server.server_address[1]  # type: ignore[attr-defined]
    threading.Thread(target=explorer.warmed, daemon=True, name="compiling").start()
    return server


def explorer_of(name: str, content: Content) -> Explorer:
    """The explorer that begins with a ready-made machine, or with the content of a file."""
    if name in machines.BY_NAME:
        return Explorer(name)
    return Explorer(name, Subject(name, content))
