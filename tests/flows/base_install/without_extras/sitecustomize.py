"""Hide packages from this process and its children, as if they were not installed.

Python imports a module of this name from PYTHONPATH when it starts. HIDDEN_PACKAGES names a JSON file with
`modules` (top-level names) and `distributions`. What is hidden is not found, neither by `import`, nor by
`importlib.util.find_spec`, nor by `importlib.metadata`: the same answers as without the packages.
"""

import json
import os
import re
import sys
from importlib.machinery import PathFinder
from importlib.metadata import DistributionFinder
from pathlib import Path


class FinderWithout:
    """Python's finder of modules and metadata, without some packages."""

    def __init__(self, modules, distributions):
        self._modules, self._distributions = frozenset(modules), frozenset(distributions)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self._modules:
            return None
        return PathFinder.find_spec(name, path, target)

    def find_distributions(self, context=DistributionFinder.Context()):  # noqa: B008
        for distribution in PathFinder.find_distributions(context):
            if re.sub(r"[-_.]+", "-", distribution.name).lower() not in self._distributions:
                yield distribution

    def invalidate_caches(self):
        PathFinder.invalidate_caches()


if "HIDDEN_PACKAGES" in os.environ:
    _hidden = json.loads(Path(os.environ["HIDDEN_PACKAGES"]).read_text())
    _finder = FinderWithout(_hidden["modules"], _hidden["distributions"])
    sys.meta_path[:] = [_finder if finder is PathFinder else finder for finder in sys.meta_path]
