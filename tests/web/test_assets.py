"""Files for browsers keep for a year under addresses that change with their content."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from schoolhouse.errors import NotFound
from schoolhouse.web.assets import Assets
from tests.web.conftest import Site


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the chart library is kept."""
    return tmp_path_factory.mktemp("cache")


def test_pages_name_files_that_are_there_and_keep(site: Site) -> None:
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', site.page("/").text)
    assert len(addresses) >= 3
    for address in addresses:
        plain = site.get(address)
        small = site.get(address, **{"Accept-Encoding": "gzip"})
        assert plain.status == 200
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert gzip.decompress(small.body) == plain.body
        assert re.search(r"\.[0-9a-f]{12}\.", address)


def test_the_chart_library_is_made_once_and_kept(cache_dir: Path) -> None:
    assets = Assets(cache_dir)
    made = assets.find(Path(assets.vega_address).name)
    assert b"vegaEmbed" in made.plain
    [kept] = cache_dir.iterdir()
    stamp = kept.stat().st_mtime_ns
    again = Assets(cache_dir).vega()
    assert again == made
    assert kept.stat().st_mtime_ns == stamp
    assert len(made.compressed) < 400_000


def test_a_broken_cache_is_made_anew(cache_dir: Path) -> None:
    assets = Assets(cache_dir)
    kept = cache_dir / f"{Path(assets.vega_address).name}.gz"
    kept.write_bytes(b"cut off")
    assert b"vegaEmbed" in assets.vega().plain
    assert gzip.decompress(kept.read_bytes()) == assets.vega().plain


@pytest.mark.parametrize("name", ["schoolhouse.css", "../web/app.py", "", "charts.000000000000.js"])
def test_only_the_addresses_of_today_are_answered(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        Assets(tmp_path).find(name)
