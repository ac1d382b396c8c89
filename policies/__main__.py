"""What the engine starts: the constructor serves the policies and does not return.

So nothing may import this module; `pack.py` holds the rules.
"""

import sys
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack

# The engine puts this folder on the path; the rules import each other as the package around it.
# So this comes before their import.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policies.pack import NAME, policies

PolicyPack(NAME, policies(), enforcement_level=EnforcementLevel.MANDATORY)
