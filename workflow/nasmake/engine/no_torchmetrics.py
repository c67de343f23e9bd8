"""Import Lightning without torchmetrics, which takes as long to load as the rest of Lightning.

Lightning imports the classes `Metric` and `MetricCollection` to recognise their objects among logged values. nasmake
logs numbers only. But torchmetrics also loads SciPy, matplotlib and torchvision: 1.0 of the 2.0 CPU seconds that
Lightning 2.6 took after torch in each job (n = 3, a Xeon).
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def no_torchmetrics() -> Iterator[None]:
    """Let `import torchmetrics` give a module of two empty classes, unless the package is loaded already."""
    if "torchmetrics" in sys.modules:
        yield
        return
    stand_in = ModuleType("torchmetrics")
    for name in ("Metric", "MetricCollection"):
        setattr(stand_in, name, type(name, (), {}))
    sys.modules["torchmetrics"] = stand_in
    try:
        yield
    finally:
        del sys.modules["torchmetrics"]
