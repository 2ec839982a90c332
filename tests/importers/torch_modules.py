"""Small networks as people write them in PyTorch."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """A residual block of a ResNet, with a projection."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(4, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.downsample = nn.Sequential(nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.downsample(x)
        found: Tensor = self.relu(out)
        return found


class BasicBlock(nn.Module):
    """A residual unit that keeps its map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + x)


class Stages(nn.Module):
    """Residual units in two levels, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4, 8, 3, padding=1)
        self.layer1, self.maxpool = nn.Sequential(BasicBlock(), BasicBlock(), BasicBlock()), nn.MaxPool2d(2)
        self.layer2 = nn.Sequential(BasicBlock(), BasicBlock())
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(8, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.layer2(self.maxpool(self.layer1(self.stem(x)))))
        return found


class UNet(nn.Module):
    """Two levels; what is upsampled takes the size of its skip."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(n, 4, 3, padding=1) for n in (4, 4, 4))
        self.up = nn.ModuleList(nn.Conv2d(8, 4, 3, padding=1) for _ in range(2))
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        size, skips = x.shape[-2:], []
        for conv in self.down:
            x = F.gelu(conv(x))
            skips.append(x)
            x = F.max_pool2d(x, 2, ceil_mode=True)
        x = skips.pop()
        for conv, skip in zip(self.up, reversed(skips), strict=True):
            x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = F.elu(conv(torch.cat([x, skip], dim=1)))
        return {"out": F.interpolate(self.head(x), size=size, mode="nearest"), "deep": skips[1]}


class Padded(nn.Module):
    """A level of a U-Net that pads what it upsampled to the size of its skip."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up, self.head = nn.Conv2d(4, 4, 3, 2), nn.ConvTranspose2d(4, 2, 2, 2), nn.Conv2d(6, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        up = self.up(self.down(x))
        height, width = (x.size(axis) - up.size(axis) for axis in (2, 3))
        up = F.pad(up, [width // 2, width - width // 2, height // 2, height - height // 2])
        found: Tensor = self.head(torch.cat([x, up], dim=1))
        return found


class InvertedResidual(nn.Module):
    """MobileNetV3's, with squeeze-and-excitation and drop path."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(4, 8, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.depthwise = nn.Conv2d(8, 8, (3, 5), padding="same", groups=8)
        self.squeeze, self.excite = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.project = nn.Sequential(nn.Conv2d(8, 4, 1, bias=False), nn.BatchNorm2d(4), nn.Dropout2d(0.1))

    def forward(self, x: Tensor) -> Tensor:
        y = F.silu(self.depthwise(self.expand(x)))
        gate = F.hardsigmoid(self.excite(F.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        found: Tensor = x + self.project(gate * y)
        return found


class Attention(nn.Module):
    """A pre-norm transformer block over the positions of a map, and a ConvNeXt block that is built the same way."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.qkv, self.proj = nn.Linear(4, 12, bias=False), nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.full((4, 1, 1), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        tokens = self.norm(x.flatten(2).transpose(1, 2))
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        q, k, v = self.qkv(tokens).reshape(b, h * w, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        shares = ((q @ k.transpose(-2, -1)) * (c // 2) ** -0.5).softmax(dim=-1)
        tokens = self.proj((shares @ v).transpose(1, 2).reshape(b, h * w, c))
        found: Tensor = x + self.scale * tokens.transpose(1, 2).view(b, c, h, w)
        return found


class OverPairs(nn.Module):
    """The position-wise attention of segmentation-models-pytorch's MAnet: one softmax over all pairs of pixels, and
    a list of pixels that is not turned back."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 2, 1), nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        scores = self.query(x).flatten(2).transpose(1, 2) @ self.key(x).flatten(2)
        shares = scores.view(b, -1).softmax(1).view(b, h * w, h * w)
        found: Tensor = x + (shares @ self.value(x).flatten(2).transpose(1, 2)).reshape(b, c, h, w)
        return found


class Shared(nn.Module):
    """A head that two levels share."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.LeakyReLU(0.2))

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.head(x), self.head(F.avg_pool2d(x, 2))]


class Moves(nn.Module):
    """What moves values about: parts, shuffles, paddings, resizes, pools of bins."""

    def forward(self, x: Tensor) -> list[Tensor]:
        first, second = x.chunk(2, dim=1)
        shuffled = x.view(x.shape[0], 2, 2, *x.shape[2:]).transpose(1, 2).reshape(x.shape)
        return [
            torch.cat([second, first.relu(), x.narrow(1, 1, 2), x[:, 3:]], 1),
            F.channel_shuffle(shuffled, 2) + x,
            F.pixel_shuffle(x, 2).sigmoid(),
            F.pixel_unshuffle(F.interpolate(x, scale_factor=2), 2),
            F.pad(x, (1, 2, 0, 3)),
            F.pad(x, (1, 2, 0, 3), value=0.5),
            F.pad(x, (1, 2, 3, 0), mode="reflect"),
            F.pad(x, (1, 2, 3, 0), mode="replicate"),
            F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
            F.interpolate(x, size=(7, 9), mode="nearest-exact"),
            F.interpolate(x, scale_factor=1.5, mode="bicubic"),
            F.interpolate(F.adaptive_avg_pool2d(x, (2, 3)), size=x.shape[2:], mode="bilinear"),
            torch.stack([x, 2 * x.tanh()], 0).sum(0),
            F.softmax(x / 4, 1) - x.amax((2, 3), keepdim=True),
        ]


class Vectors(nn.Module):
    """A classifier, for one size."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.fc = nn.GroupNorm(2, 4), nn.Linear(4 * 6 * 8, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.prelu(self.norm(x), torch.tensor([0.25], dtype=x.dtype))
        return self.fc(torch.flatten(x, 1)), x


class Cropped(nn.Module):
    """Maps that are cut to the size of others on both axes; axes that are moved and turned."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(4, 4, 3, padding=2), nn.Conv2d(4, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        wide, narrow = self.wide(x), self.narrow(x).movedim(1, -1).mul(2).movedim(-1, 1)
        part = wide[:, :, 2 : 2 + narrow.shape[2], 1 : 1 + narrow.shape[3]]
        return part + narrow + wide[:, :, 4:, 4:]


class Volume(nn.Module):
    """Of three axes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv3d(4, 3, 3, stride=2, padding=1), nn.InstanceNorm3d(3, affine=True)
        self.up = nn.ConvTranspose3d(3, 2, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.up(self.norm(self.conv(x))), size=x.shape[2:])


class Refused(nn.Module):
    """Three things that cannot be imported, one of them in a part."""

    def __init__(self) -> None:
        super().__init__()
        self.part = Product()

    def forward(self, x: Tensor) -> Tensor:
        x = self.part(x) + self.part(2 * x)
        y = x.clone()
        y[:, :2] += 1
        return F.interpolate(y, scale_factor=0.5, mode="area")


class Product(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.einsum("bchw,bchw->bhw", x, x)[:, None]


class Curve(nn.Module):
    """A call that is known and has no op of ours."""

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(x.relu(), 1)


def randomised(module: Any) -> Any:
    """The module with random weights and statistics, in float64 and in evaluation."""
    generator = torch.Generator().manual_seed(1)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=generator)
            value.copy_(noise.sigmoid() + 0.5 if name.endswith("running_var") else 0.4 * noise)
    return module.double().eval()
