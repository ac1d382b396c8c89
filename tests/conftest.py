"""What every test needs: stand-ins and commands start with the interpreter that runs the tests."""

import os
import sys

os.environ.setdefault("BACKSTOP_PYTHON", sys.executable)
