#!/bin/sh
# Runs one of the project's own modules with the right interpreter: `sh ./run.sh drills run store`.
# Command resources name this file, so that no interpreter or checkout path enters an input.
set -eu
cd "$(dirname "$0")"
for python in "${BACKSTOP_PYTHON:-}" ./venv/bin/python ./.venv/bin/python; do
  if [ -n "$python" ] && [ -x "$python" ]; then
    exec "$python" -m "$@"
  fi
done
exec python3 -m "$@"
