"""Files for browsers keep for a year under addresses that change with their content."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from schoolhouse.errors import NotFound
from schoolhouse.web.assets import Assets
from tests.web.conftest import Site


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


@pytest.mark.parametrize(
    "damaged",
    [b"cut off", gzip.compress(b"x" * 100)[:-9], gzip.compress(b"")[:10] + b"\xff" * 99],
    ids=["no gzip", "cut off", "wrong bytes"],  # a header holds the time: workers must agree on the names of tests
)
def test_the_chart_library_is_made_where_the_kept_one_is_broken_and_then_kept(tmp_path: Path, damaged: bytes) -> None:
    assets = Assets(tmp_path)
    kept = tmp_path / f"{Path(assets.vega_address).name}.gz"
    kept.write_bytes(damaged)
    made = assets.find(Path(assets.vega_address).name)
    assert b"vegaEmbed" in made.plain
    assert len(made.compressed) < 400_000
    assert list(tmp_path.iterdir()) == [kept]
    assert gzip.decompress(kept.read_bytes()) == made.plain
    stamp = kept.stat().st_mtime_ns
    assert Assets(tmp_path).vega() == made
    assert kept.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("name", ["schoolhouse.css", "../web/app.py", "", "charts.000000000000.js"])
def test_only_the_addresses_of_today_are_answered(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        Assets(tmp_path).find(name)
