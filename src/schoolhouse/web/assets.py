"""Style sheets and scripts, under addresses that change with their content, so that browsers keep them for a year.

Our own few files are read once. Vega, Vega-Lite and vega-embed come out of the installed vl-convert as one module of
900 kB; making it takes seconds, so it is made once and kept, plain and compressed, in `<data_dir>/cache/web/`.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import threading
import zlib
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from schoolhouse.errors import NotFound

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Scripts that installed packages hold as plain files.
_ACE: Final = ("django_static_ace_builds", "static/ace-builds")
_FROM_PACKAGES: Final = (
    ("js_lib_htmx", "static/htmx", "htmx.min.js"),
    (*_ACE, "ace.js"),
    (*_ACE, "mode-sql.js"),
    (*_ACE, "mode-json.js"),
    (*_ACE, "theme-tomorrow_night.js"),
    (*_ACE, "ext-language_tools.js"),
)
# What the module leaves behind for our own scripts.
_SNIPPET: Final = "window.vegaEmbed = vegaEmbed;"
_FOR_A_YEAR: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """One file for browsers, plain and compressed."""

    media_type: str
    plain: bytes
    compressed: bytes


class Assets:
    """The files that pages load, by address."""

    def __init__(self, cache_dir: Path) -> None:
        self._cache_dir = cache_dir
        self._addresses: dict[str, str] = {}
        self._assets: dict[str, Asset] = {}
        self._lock = threading.Lock()
        for entry in files("schoolhouse.web").joinpath("static").iterdir():
            suffix = Path(entry.name).suffix
            if suffix in _TYPES:
                self._add(entry.name, entry.read_bytes(), _TYPES[suffix])
        for package, folder, name in _FROM_PACKAGES:
            content = files(package).joinpath(f"{folder}/{name}").read_bytes()
            self._add(name, content, _TYPES[Path(name).suffix])
        # The bundle follows from the package that makes it and the snippet, which are known without making it.
        recipe = hashlib.sha256(f"{version('vl-convert-python')} {_SNIPPET}".encode()).hexdigest()[:12]
        self._vega_name = f"vega-embed.{recipe}.js"

    def address(self, name: str) -> str:
        """Where a page loads one of our own files from."""
        return self._addresses[name]

    @property
    def vega_address(self) -> str:
        """Where a page loads Vega from (as a module; it leaves `vegaEmbed` on `window`)."""
        return f"/static/{self._vega_name}"

    def find(self, name: str) -> Asset:
        """The file at an address. Raises NotFound."""
        if name == self._vega_name:
            return self.vega()
        if name in self._assets:
            return self._assets[name]
        raise NotFound(f"There is no file {name}.", hint="Reload the page: files change their address with content.")

    def vega(self) -> Asset:
        """Vega from the cache, made first if it must be. Waits while another thread makes it."""
        with self._lock:
            if self._vega_name not in self._assets:
                self._assets[self._vega_name] = self._read_or_make_vega()
            return self._assets[self._vega_name]

    def make_vega_in_background(self) -> None:
        """Have Vega ready before the first chart asks for it."""
        threading.Thread(target=self.vega, name="make-vega", daemon=True).start()

    def _add(self, name: str, content: bytes, media_type: str) -> None:
        path = Path(name)
        hashed = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"
        self._addresses[name] = f"/static/{hashed}"
        self._assets[hashed] = Asset(media_type, content, gzip.compress(content, 9, mtime=0))

    def _read_or_make_vega(self) -> Asset:
        kept = self._cache_dir / f"{self._vega_name}.gz"
        try:
            compressed = kept.read_bytes()
            plain = gzip.decompress(compressed)
        except (OSError, EOFError, zlib.error):
            import vl_convert

            log.debug("making the chart library")
            plain = vl_convert.javascript_bundle(_SNIPPET).encode()
            compressed = gzip.compress(plain, 9, mtime=0)
            self._cache_dir.mkdir(parents=True, exist_ok=True)
            fresh = kept.with_suffix(".new")
            fresh.write_bytes(compressed)
            fresh.replace(kept)
        return Asset(_TYPES[".js"], plain, compressed)


@router.get("/static/{name}")
def static_file(request: Request, name: str) -> Response:
    """One file, compressed where the browser takes that."""
    assets: Assets = request.app.state.schoolhouse.assets
    asset = assets.find(name)
    headers = {"Cache-Control": _FOR_A_YEAR, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.compressed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.plain, media_type=asset.media_type, headers=headers)
