"""Import torchvision beside every build of torch.

torchvision's wheels for Linux on PyPI are compiled against CUDA. Beside a CPU build of torch their compiled part does
not load, and `import torchvision` ends in "operator torchvision::nms does not exist", though nothing compiled is needed
here. Declaring the two operators that torchvision asks for makes the import work.
"""

import importlib.util
from pathlib import Path
from typing import Any

import torch


def _load_torchvision_operators() -> torch.library.Library | None:
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


_operators = _load_torchvision_operators()  # the declarations live as long as this object


def torchvision() -> Any:
    """The package torchvision."""
    import torchvision

    return torchvision
