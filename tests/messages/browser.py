"""Chromium without a window, driven over its DevTools protocol: pages to pictures."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip
ENDPOINT = re.compile(r"DevTools listening on (ws://\S+)")
PAGE_MAX_BYTES = 64 * 2**20


class Browser:
    """A page in Chromium that shows one HTML text after the other. It reaches nothing: pages have no outer parts."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._call("Network.enable")
        self._call(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0
        )
        self._frame = self._call("Page.getFrameTree")["frameTree"]["frame"]["id"]

    def picture(
        self, html: str, *, width: int, dark: bool = False, height: int | None = None, scale: float = 1
    ) -> bytes:
        """Return the page as PNG: all of it, or its first ``height`` pixels."""
        self._show(html, width, dark, scale)
        tall = self.evaluate("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": width, "height": min(tall, height or tall), "scale": 1}
        shot = self._call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def overflow(self, html: str, *, width: int) -> int:
        """Return by how many pixels the page is wider than the window."""
        self._show(html, width, False, 1)
        return int(self.evaluate(f"Math.max(0, document.documentElement.scrollWidth - {width})"))

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        return self._call("Runtime.evaluate", expression=expression)["result"].get("value")

    def _show(self, html: str, width: int, dark: bool, scale: float) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=200, deviceScaleFactor=scale, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Page.setDocumentContent", frameId=self._frame, html=html)
        self._call(
            "Runtime.evaluate",
            expression="document.fonts.ready.then(() => new Promise(requestAnimationFrame))",
            awaitPromise=True,
        )

    def _call(self, method: str, **params: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._connection.send(json.dumps(message))
        while True:
            answer = json.loads(self._connection.recv(timeout=30))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium with an empty profile; end it afterwards. Raises FileNotFoundError with what to install."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise FileNotFoundError("no Chromium here: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="overheard-browser-", ignore_cleanup_errors=True) as profile:
        command = [program, *FLAGS, f"--user-data-dir={Path(profile)}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            endpoint = next(filter(None, map(ENDPOINT.search, process.stderr)), None)
            if endpoint is None:
                raise RuntimeError(f"{program} did not start")
            with connect(endpoint.group(1), max_size=PAGE_MAX_BYTES, proxy=None) as connection:
                yield Browser(connection)
        finally:
            process.kill()
            process.wait()
            process.stderr.close()
