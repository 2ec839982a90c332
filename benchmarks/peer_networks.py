"""Which networks of torchvision, timm and segmentation_models_pytorch are which bundled specs, and which of their
modules compute which of our layers. Their weights go in by the names of weights/maps/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

CLASSES = 21  # of the networks that give each pixel a class


@dataclass(frozen=True, slots=True)
class Peer:
    """`library` and `name` make the network; `build` are the spec and the options of `segcompile build`; `names` is the
    file of weights/maps/; `maps` are our layers whose values are compared, with their modules; `fixed` is the one size
    of image that it takes, if there is but one."""

    library: str
    name: str
    build: tuple[str, ...]
    names: str
    maps: Mapping[str, str]
    fixed: tuple[int, int] | None = None

    def network(self) -> nn.Module:
        """The network with the library's own initial weights."""
        network: nn.Module = _MAKERS[self.library](self.name)
        return network


def _torchvision(name: str) -> Any:
    import torchvision

    dense = name.startswith(("fcn", "deeplab", "lraspp"))
    heads = {"aux_loss": True} if dense and not name.startswith("lraspp") else {}
    options: dict[str, Any] = {"weights_backbone": None, "num_classes": CLASSES, **heads} if dense else {}
    return torchvision.models.get_model(name, weights=None, **options)


def _timm(name: str) -> Any:
    import timm

    return timm.create_model(name)


def _smp(name: str) -> Any:
    import segmentation_models_pytorch as smp

    network = getattr(smp, name)("resnet50", encoder_weights=None, classes=CLASSES)
    network.requires_divisible_input_shape = False  # it refuses sizes that it computes as well as others
    return network


_MAKERS = {"torchvision": _torchvision, "timm": _timm, "smp": _smp}


def _residual(*counts: int, prefix: str = "") -> dict[str, str]:
    """All blocks of a ResNet."""
    return {
        f"conv{stage + 1}_{block + 1}": f"{prefix}layer{stage}.{block}"
        for stage, count in enumerate(counts, 1)
        for block in range(count)
    }


def _convnext(theirs: str, first: int, step: int) -> dict[str, str]:
    """All units of a ConvNeXt-T, whose stages the library counts from `first` on."""
    stages = enumerate((3, 3, 9, 3))
    return {
        f"stage{stage + 1}_{unit + 1}": theirs.format(first + step * stage, unit)
        for stage, count in stages
        for unit in range(count)
    }


INVERTED = [f"b{stage}_{unit}" for stage, count in enumerate((2, 3, 4, 3, 3, 1), 2) for unit in range(1, count + 1)]
R18, R34 = (2, 2, 2, 2), (3, 4, 6, 3)
R50, R101, R152 = R34, (3, 4, 23, 3), (3, 8, 36, 3)
SHUFFLED = {
    f"stage{stage}_{unit + 1}": f"stage{stage}.{unit}"
    for stage, count in ((2, 4), (3, 8), (4, 4))
    for unit in range(count)
}
ASPP = {"aspp.image": "classifier.0.convs.4", "score": "classifier.4", "aux_score": "aux_classifier.4"}

PEERS = (
    Peer("torchvision", "resnet18", ("resnet18",), "resnet_basic", _residual(*R18)),
    Peer("torchvision", "resnet34", ("resnet34",), "resnet_basic", _residual(*R34)),
    Peer("torchvision", "resnet50", ("resnet50",), "resnet_bottleneck", _residual(*R50)),
    Peer("torchvision", "resnet101", ("resnet101",), "resnet_bottleneck", _residual(*R101)),
    Peer("torchvision", "resnet152", ("resnet152",), "resnet_bottleneck", _residual(*R152)),
    Peer(
        "torchvision", "mobilenet_v2", ("mobilenetv2",), "torchvision_mobilenetv2",
        {name: f"features.{index}" for index, name in enumerate(["b1", *INVERTED], 1)},
    ),
    Peer("torchvision", "shufflenet_v2_x1_0", ("shufflenetv2",), "torchvision_shufflenetv2", SHUFFLED),
    Peer(
        "torchvision", "convnext_tiny", ("convnext_t",), "torchvision_convnext", _convnext("features.{}.{}", 1, 2)
    ),
    Peer(
        "torchvision", "vit_b_16", ("vit_b16",), "torchvision_vit",
        {f"block{index + 1}": f"encoder.layers.encoder_layer_{index}" for index in range(12)}, (224, 224),
    ),
    Peer(
        "torchvision", "fcn_resnet50", ("fcn_r50",), "torchvision_fcn",
        {**_residual(*R50, prefix="backbone."), "out_score": "classifier.4", "aux_score": "aux_classifier.4"},
    ),
    Peer(
        "torchvision", "deeplabv3_resnet50", ("deeplabv3_r101", "--variant", "os8", "--set", "B4=6"),
        "torchvision_deeplabv3", {**_residual(*R50, prefix="backbone."), **ASPP},
    ),
    Peer(
        "torchvision", "deeplabv3_resnet101", ("deeplabv3_r101", "--variant", "os8"),
        "torchvision_deeplabv3", {**_residual(*R101, prefix="backbone."), **ASPP},
    ),
    Peer(
        "torchvision", "lraspp_mobilenet_v3_large", ("lraspp",), "torchvision_lraspp",
        {f"b{index}": f"backbone.{index}" for index in range(1, 16)} | {"gate": "classifier.scale"},
    ),
    Peer("timm", "resnet18", ("resnet18",), "resnet_basic", _residual(*R18)),
    Peer("timm", "resnet34", ("resnet34",), "resnet_basic", _residual(*R34)),
    Peer("timm", "resnet50", ("resnet50",), "resnet_bottleneck", _residual(*R50)),
    Peer("timm", "resnet101", ("resnet101",), "resnet_bottleneck", _residual(*R101)),
    Peer(
        "timm", "mobilenetv2_100", ("mobilenetv2",), "timm_mobilenetv2",
        {name: f"blocks.{int(name[1]) - 1}.{int(name[3:]) - 1}" for name in INVERTED} | {"b1": "blocks.0.0"},
    ),
    Peer("timm", "convnext_tiny", ("convnext_t",), "timm_convnext", _convnext("stages.{}.blocks.{}", 0, 1)),
    Peer(
        "timm", "vit_base_patch16_224", ("vit_b16",), "timm_vit",
        {f"block{index + 1}": f"blocks.{index}" for index in range(12)}, (224, 224),
    ),
    Peer(
        "smp", "FPN", ("fpn",), "smp_fpn",
        {
            **_residual(*R50, prefix="encoder."), "p5": "decoder.p5", "p4": "decoder.p4", "p3": "decoder.p3",
            "p2": "decoder.p2", "sum.from5": "decoder.seg_blocks.0", "sum.from2": "decoder.seg_blocks.3",
        },
    ),
    Peer(
        "smp", "DeepLabV3Plus", ("deeplabv3plus",), "smp_deeplabv3plus",
        {
            **_residual(*R50, prefix="encoder."), "aspp.b12": "decoder.aspp.0.convs.1",
            "aspp.image": "decoder.aspp.0.convs.4", "score": "segmentation_head.0",
        },
    ),
)  # fmt: skip
