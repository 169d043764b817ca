"""The Content-Security-Policy of a page that was not made for this server: it runs the scripts that its file has."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser

# Beside what our own client needs: WebAssembly, and workers and pictures that scripts have made.
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{scripts}; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; worker-src 'self' data: blob:; font-src 'self' data:; img-src 'self' data: blob:; "
    "media-src 'self' data: blob:; manifest-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)


class _InlineScripts(HTMLParser):
    """Collects the scripts within a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script" and not any(name == "src" for name, _ in attrs):
            self._inside = True
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1] += data


def policy_of(page: str) -> str:
    """The policy of a page (CSP Level 3): its files, and by their hashes the scripts within it; no other host."""
    parser = _InlineScripts()
    parser.feed(page)
    parser.close()
    hashes = [hashlib.sha256(each.encode("utf-8", "surrogatepass")).digest() for each in parser.found]
    return _POLICY.format(scripts="".join(f" 'sha256-{base64.b64encode(each).decode()}'" for each in hashes))
