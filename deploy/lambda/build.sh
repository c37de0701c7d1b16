#!/usr/bin/env bash
# Builds dist/xapi-etl-processor.zip: our code and what it needs beside boto3, which AWS's Python runtime brings.
#   PYTHON        an interpreter with pip (python3)
#   ARCHITECTURE  x86_64 or aarch64 (x86_64)
#   OUT           the file to write
set -euo pipefail
cd "$(dirname "$0")/../.."

python="${PYTHON:-python3}"
architecture="${ARCHITECTURE:-x86_64}"
out="${OUT:-dist/xapi-etl-processor.zip}"
package="$(mktemp -d)"
trap 'rm -rf "$package"' EXIT

# Wheels for the machines of AWS, whatever this machine is; versions as locked.
"$python" -m pip install --quiet --disable-pip-version-check --target "$package" \
  --platform "manylinux2014_$architecture" --platform "manylinux_2_28_$architecture" \
  --implementation cp --python-version 3.11 --only-binary=:all: \
  --constraint requirements.lock --requirement deploy/lambda/requirements.txt

mkdir -p "$package/schoolhouse/collect" "$(dirname "$out")"
for part in __init__.py errors.py observe.py settings warehouse etl collect/__init__.py collect/bundles.py; do
  cp -R "src/schoolhouse/$part" "$package/schoolhouse/$part"
done
find "$package" -name __pycache__ -prune -exec rm -rf {} +
rm -rf "$package/bin"

"$python" - "$package" "$out" <<'PYTHON'
"""Zips a directory with sorted names and one time, so that equal content gives an equal file."""
import sys
import zipfile
from pathlib import Path

source, target = Path(sys.argv[1]), sys.argv[2]
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for path in sorted(source.rglob("*")):
        if path.is_file():
            entry = zipfile.ZipInfo(str(path.relative_to(source)), (2020, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if path.suffix == ".so" else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
size = Path(target).stat().st_size
print(f"{target}: {size / 1e6:.1f} MB")
if size > 15_000_000:
    sys.exit("The package is larger than 15 MB.")
PYTHON
