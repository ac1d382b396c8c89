"""What every test needs: stand-ins and commands start with the interpreter that runs the tests."""

import os
import sys

from hypothesis import settings

# The same examples in every run: a run that fails tells of the change that was made.
# Searching for new ones: HYPOTHESIS_PROFILE=default.
settings.register_profile("same", derandomize=True, database=None, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

os.environ.setdefault("BACKSTOP_PYTHON", sys.executable)
