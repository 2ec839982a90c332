"""How many networks of segmentation-models-pytorch `segcompile.from_torch` takes: its decoders x some of its encoders.

    .venv-peers/bin/python benchmarks/from_torch.py [--decoder NAME] [--encoder NAME]

Each network has random weights and random statistics of its batch norms. It is imported from one example size, and both
are run in float64 at two others: PyTorch, and the kit's NumPy reference on the graph with the tensors. A row is a
network: what came out, the largest difference of the largest value, and seconds. `none`: the library cannot make it.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter
from typing import Any

import numpy as np
import torch

from segcompile import from_torch
from segcompile.testing import reference
from segcompile.testing.parameters import imported
from segcompile.text.errors import SegcompileError

DECODERS = (
    "Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "PAN", "DeepLabV3", "DeepLabV3Plus", "UPerNet",
    "Segformer",
)  # fmt: skip
ENCODERS = (
    "resnet18", "mobilenet_v2", "efficientnet-b0", "mit_b0", "densenet121", "timm-regnetx_002", "vgg16_bn", "dpn68",
    "xception", "inceptionv4", "se_resnet50", "resnet50", "resnext50_32x4d", "efficientnet-b4",
    "timm-mobilenetv3_large_100",
)  # fmt: skip
SIZE, TRIED = 128, ((1, 3, 128, 128), (1, 3, 160, 192))  # PAN takes no smaller ones
WORST = 1e-5


def randomise(module: Any) -> None:
    """Random weights of a variance that keeps values near 1, and random statistics."""
    generator = torch.Generator().manual_seed(1)
    for name, value in module.state_dict().items():
        if not value.is_floating_point():
            continue
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith("running_var"):
            value.copy_(0.5 + 0.5 * noise.sigmoid())
        elif value.dim() < 2:
            value.copy_(1 + 0.1 * noise if name.endswith("weight") else 0.1 * noise)
        else:
            value.copy_(noise * (2 / max(1, value[0].numel())) ** 0.5)


def difference(module: Any, found: Any) -> float:
    """How far the import is from the module, of the largest value of an output."""
    parameters, worst = imported(found.tensors), 0.0
    for shape in TRIED:
        image = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            wanted = module(image.clone()).numpy()
        (given,) = reference.run(found.graph, parameters, {next(iter(found.graph.inputs)): image.numpy()}).values()
        worst = max(worst, float(np.abs(given - wanted).max() / np.abs(wanted).max()))
    return worst


def row(decoder: str, encoder: str) -> tuple[str, str]:
    """What came of one network, in a word and in a line."""
    import segmentation_models_pytorch as library

    try:
        module = getattr(library, decoder)(encoder_name=encoder, encoder_weights=None, classes=2).eval()
    except Exception as error:  # whatever it raises for an encoder that it does not dilate
        return "none", str(error)[:100]
    randomise(module)
    module = module.double()
    start = time.perf_counter()
    try:
        found = from_torch(module, (1, 3, SIZE, SIZE))
    except SegcompileError as error:
        return "refused", f"{error.diagnostics[0].message[:150]} {error.diagnostics[0].notes[:1]}"
    seconds = time.perf_counter() - start
    try:
        worst = difference(module, found)
    except RuntimeError as error:  # the module's, at a size that it does not take
        return "WRONG", str(error)[:150]
    return "taken" if worst < WORST else "WRONG", f"{worst:.0e}  {len(found.graph.nodes)} nodes  {seconds:.0f} s"


def main() -> None:
    """Print a row a network, and what they come to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decoder", choices=DECODERS)
    parser.add_argument("--encoder", choices=ENCODERS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    counts: Counter[str] = Counter()
    for encoder in [options.encoder] if options.encoder else ENCODERS:
        for decoder in [options.decoder] if options.decoder else DECODERS:
            word, line = row(decoder, encoder)
            counts[word] += 1
            print(f"{decoder:14}{encoder:28}{word:9}{line}", flush=True)
    print(", ".join(f"{count} {word}" for word, count in counts.items()))


if __name__ == "__main__":
    main()
