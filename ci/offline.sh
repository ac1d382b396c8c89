#!/bin/sh
# Everything that needs neither the lab nor a built tool: style, types, and the offline tests.
#
#   sh ci/offline.sh
#
# Runs with the Python on PATH, which must have requirements-dev.txt installed.
set -eu

cd "$(dirname "$0")/.."
python3 -m ruff check .
python3 -m ruff format --check .
python3 -m mypy
python3 -m pytest -m "not tools and not lab and not bench" "$@"
