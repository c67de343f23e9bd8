"""Import torchvision with any build of torch.

On Linux, PyPI's torchvision is compiled against CUDA. With a CPU build of torch its compiled part does not load, and
`import torchvision` fails with "operator torchvision::nms does not exist". nasmake uses nothing of the compiled part.
This module declares the two operators that torchvision looks up, and then the import succeeds.
"""

import importlib.util
from pathlib import Path
from typing import Any

import torch


def _declare_operators() -> torch.library.Library | None:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return None
    compiled = next(Path(spec.submodule_search_locations[0]).glob("_C*.so"), None)
    try:
        torch.ops.load_library(str(compiled))
        return None
    except OSError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library


_operators = _declare_operators()  # torch forgets the declarations when this object is deleted


def torchvision() -> Any:
    """Return the package torchvision."""
    import torchvision

    return torchvision
