"""`python -m lab`: see `python -m lab --help` and docs/lab.md."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (an older Python must get a sentence, not a traceback)
    sys.exit(f"the lab needs Python 3.11 or newer, this is {sys.version.split()[0]}")

from lab.commands import main

sys.exit(main(sys.argv[1:]))
