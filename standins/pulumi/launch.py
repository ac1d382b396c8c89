"""Start one of the stand-ins from anywhere: `python launch.py standins.pulumi.command ENGINE`.

Run by its path, so that neither the working directory nor PYTHONPATH (which commands and programs
would inherit) has to be touched.
"""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
