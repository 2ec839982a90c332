"""What is true of networks that many people use: the table of docs/found.md, a line a network.

    .venv-peers/bin/python benchmarks/found.py                    # all that this environment has
    .venv-peers/bin/python benchmarks/found.py smp:Unet:resnet34  # one

`torchvision:NAME` and `timm:NAME` are networks of these libraries, `smp:DECODER:ENCODER` of
segmentation_models_pytorch, `onnx:light_NAME` a file of the onnx package; anything else is a file, as `segcompile
certify` takes it. Weights are the library's initial ones: nothing here depends on them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segcompile.compiler import analyse_graph, at_usual_size
from segcompile.facts.grid import TooManyPhases, output_grid
from segcompile.importers.lift import Imported
from segcompile.importers.network_file import import_network
from segcompile.ops import Undecidable
from segcompile.show.certificate import Certificate, certificate_of
from segcompile.text.errors import Findings, SegcompileError

NETWORKS = (
    *(f"torchvision:{name}" for name in (
        "fcn_resnet50", "deeplabv3_resnet50", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "resnet50",
        "mobilenet_v3_large", "convnext_tiny", "efficientnet_b0",
    )),
    *(f"smp:{decoder}:resnet34" for decoder in (
        "Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "PAN", "DeepLabV3", "DeepLabV3Plus", "UPerNet",
    )),
    "smp:Segformer:mit_b0", "smp:Unet:efficientnet-b4", "smp:Unet:tu-convnext_tiny", "smp:FPN:densenet121",
    *(f"onnx:light_{name}" for name in (
        "bvlc_alexnet", "vgg19", "zfnet512", "inception_v1", "resnet50", "densenet121", "squeezenet", "shufflenet",
    )),
)  # fmt: skip
TITLES = ("network", "parameters", "field", "sizes", "exact tiles", "grid", "joins apart")


def main(arguments: list[str]) -> int:
    """Print a row for each network; 1 if some could not be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=NETWORKS, help="(all that are listed in the file)")
    print(f"| {' | '.join(TITLES)} |\n|{'---|' * len(TITLES)}")
    failed = 0
    for name in parser.parse_args(arguments).networks:
        try:
            print(f"| {' | '.join(row(name))} |", flush=True)
        except SegcompileError as error:
            failed += 1
            print(f"{name}: {error.diagnostics[0].message}", file=sys.stderr)
        except ImportError as error:
            print(f"{name}: this environment has no {error.name}", file=sys.stderr)
    return 1 if failed else 0


def row(name: str) -> Iterator[str]:
    """What is said of a network, along the first axis of the image."""
    found = certified(name)
    facts = found.subject.facts
    yield f"`{name}`"
    yield f"{sum(each.parameter_count for each in facts.values()):,}"
    yield _field(found)
    yield _sizes(found)
    yield _tiles(found)
    yield _grid(found)
    yield _joins(found)


def certified(name: str) -> Certificate:
    """The certificate of a network for an image of its own size, or of a usual one where it takes any."""
    imported = _imported(name)
    subject = at_usual_size(analyse_graph(imported.graph, Findings()))
    return certificate_of(imported.graph.model, "", subject)


def _imported(name: str) -> Imported:
    library, _, rest = name.partition(":")
    if library == "onnx":
        import onnx

        folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
        return import_network(folder / f"{rest}.onnx")
    if library not in ("torchvision", "timm", "smp"):
        return import_network(Path(name))
    from segcompile.importers.torch_module import import_module

    return import_module(_module(library, rest), (1, 3, 256, 256))


def _module(library: str, name: str) -> Any:
    if library == "torchvision":
        import torchvision

        dense = name.startswith(("fcn", "deeplab", "lraspp"))
        return torchvision.models.get_model(name, weights=None, **({"weights_backbone": None} if dense else {})).eval()
    if library == "timm":
        import timm

        return timm.create_model(name).eval()
    import segmentation_models_pytorch as smp

    decoder, _, encoder = name.partition(":")
    return getattr(smp, decoder)(encoder, encoder_weights=None, classes=21).eval()


def _sizes(found: Certificate) -> str:
    axis = found.sizes.sizes[0] if not isinstance(found.sizes, str) else None
    size = next(shape.size for shape in found.graph.inputs.values())
    return f"{' x '.join(map(str, size))} alone" if axis is None else str(axis.legal)


def _field(found: Certificate) -> str:
    """`404`; of an output that sees the whole image also its field without what mixes that, or that of the last map."""
    facts = found.subject.facts
    field = facts[next(iter(found.graph.outputs.values()))].fields[0]
    if field.sets:
        return f"the whole image, {field.local_size} without what mixes it" if field.whole else str(field.local_size)
    maps = [each.fields[0] for each in facts.values() if each.shape.size and each.fields[0].sets]
    return f"the whole image, {maps[-1].local_size} of the last map" if maps else "the whole image"


def _tiles(found: Certificate) -> str:
    """The halo on either side and the step of origins, or the layer that no tile gets past."""
    if not found.tiles.along:
        return "none: it takes one size"
    along = found.tiles.along[0]
    if along.best is None:
        why = along.forbidden
        return f"none: `{why.node.layer}` {why.reason}" if why is not None else "none"
    before, after = along.most
    return f"{before} before, {after} after, from multiples of {along.best.step}"


def _grid(found: Certificate) -> str:
    """How unequal the phases of an output are where all weights are one, and because of which layers."""
    node = next(iter(found.graph.outputs.values()))
    if not found.subject.shapes[node].size:
        return ""
    try:
        grid = output_grid(found.graph, found.subject.shapes, 0, node)
    except (Undecidable, TooManyPhases):
        return "not known"
    if grid.is_even:
        return "none"
    ratio = max(grid.weights) / min(grid.weights) if min(grid.weights) else None
    makers = ", ".join(f"`{each.layer}`" for each in grid.makers[:2])
    more = f" and {len(grid.makers) - 2} more" if len(grid.makers) > 2 else ""
    return f"{len(grid.weights)} phases, {f'up to 1 : {float(ratio):.2f}' if ratio else 'some unread'}: {makers}{more}"


def _joins(found: Certificate) -> str:
    """How many joins lie apart, and the first of them."""
    if not found.joins:
        return "none"
    return found.joins[0].message


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
