"""Single layers of signals and of volumes, with the corners of their attributes, as `cases` has those of images."""

from __future__ import annotations

SIGNAL, VOLUME = "{channels: 4, size: [12]}", "{channels: 8, size: [4, 6, 8]}"
SIGNALS = "{a: {channels: 4, size: [9]}, b: {channels: 4, size: [6]}}"
VOLUMES = "{a: {channels: 4, size: [5, 4, 7]}, b: {channels: 4, size: [3, 4, 6]}}"

_ANY = (
    "linear: 5",
    "pool: global_avg",
    "pool: global_max",
    "resize: 2, mode: bilinear, align_corners: yes",
    "resize: 2, mode: nearest",
    "pixel_shuffle: 2",
    "space_to_depth: 2",
    "reinterpret: channels_last",
    "slice: [1, 4]",
    "pad: {channels: 3}",
    "channel_shuffle: 2",
    "norm: batch",
    "norm: instance",
    "norm: {group: 2}",
    "norm: lrn",
    "norm: layer",
    "affine: channels",
    "attention: 2",
    "attention: 4, reduce: 2",
    "softmax: positions",
    "conv: 6, kernel: 3, norm: batch, act: prelu, drop: 0.5",
)
_JOINED = (
    "add: [a, b], align: center_crop",
    "concat: [a, b, a], align: pad",
    "resize: b, from: a",
    "resize: b, from: a, mode: nearest",
)

LAYERS = {
    SIGNAL: (
        *_ANY,
        "conv: 3, kernel: 4, stride: 2, dilation: 2, pad: [[3, 1]]",
        "conv: 6, kernel: 3, groups: 2, pad: 2, mode: reflect",
        "conv: 3, kernel: 3, pad: [[5, 1]]",
        "conv: 3, kernel: 3, pad: 2, mode: circular",
        "conv: 3, kernel: 4, pad: same, mode: edge, bias: no",
        "deconv: 6, kernel: 4, stride: 3, pad: [[1, 2]], output_pad: 1, groups: 2",
        "deconv: 3, kernel: 3, stride: 2, dilation: 3, pad: 1, bias: no",
        "pool: max, kernel: 3, stride: 2, pad: 1, round: ceil",
        "pool: max, kernel: 2, stride: 1, dilation: 3, pad: [[2, 0]]",
        "pool: avg, kernel: 4, stride: 3, pad: 1, round: ceil",
        "pool: avg, kernel: 4, stride: 3, pad: 2, count_pad: no, round: ceil",
        "pool: avg, kernel: 4, stride: 2, pad: [[3, 2]], round: ceil",
        "pad: [[1, 3]], mode: reflect",
        "pad: [[1, 12]], mode: circular",
        "pad: [[0, 2]], value: 1.5",
        "resize: 3",
        "resize: 3, mode: nearest",
        "resize: 5/2",
        "resize: 2/3, mode: nearest_exact",
        "resize: {size: [7]}, mode: nearest",
        "attention: 2, window: [5], shift: [2], positions: relative",
        "attention: 1, window: 7, pad_mask: yes",
        "position: learned, size: [5]",
        "position: learned, size: [5], mode: cubic",
    ),
    VOLUME: (
        *_ANY,
        "conv: 3, kernel: [2, 3, 4], stride: [1, 2, 3], dilation: [2, 1, 2], pad: [[0, 1], [2, 0], [3, 4]]",
        "conv: 6, kernel: 3, groups: 2, pad: [1, 2, 0], mode: reflect",
        "conv: 3, kernel: 3, pad: [[0, 0], [5, 1], [1, 5]]",
        "conv: 3, kernel: [1, 2, 3], pad: [[0, 0], [0, 1], [2, 1]], mode: circular, stride: 2",
        "conv: 3, kernel: [1, 4, 3], pad: same, mode: edge, bias: no",
        "deconv: 6, kernel: [2, 4, 3], stride: [1, 3, 2], pad: [[0, 1], [1, 2], [1, 0]], output_pad: [0, 2, 1]",
        "deconv: 3, kernel: 2, stride: 2, dilation: [3, 1, 2], pad: 1, bias: no",
        "pool: max, kernel: [2, 3, 3], stride: 2, pad: 1, round: ceil",
        "pool: max, kernel: 2, stride: [1, 2, 1], dilation: [1, 2, 3], pad: [[0, 0], [1, 0], [2, 1]]",
        "pool: avg, kernel: [2, 4, 3], stride: [1, 3, 2], pad: [0, 2, 1], round: ceil",
        "pool: avg, kernel: [5, 4, 3], stride: [1, 3, 2], pad: [[2, 1], [1, 0], [1, 1]], count_pad: no",
        "pad: [[0, 1], [1, 3], [2, 0]], mode: reflect",
        "pad: [[0, 1], [6, 3], [2, 0]], mode: circular",
        "pad: [[0, 1], [1, 3], [2, 0]], value: 0.5",
        "resize: [1, 2, 3]",
        "resize: [3, 2, 1], mode: nearest",
        "resize: [1/2, 2/3, 3/2]",
        "resize: [1/2, 2/3, 3/2], mode: nearest_exact",
        "resize: {size: [5, 3, 8]}, mode: nearest_exact",
        "attention: 2, window: [2, 3, 4], shift: [1, 1, 0], positions: relative",
        "attention: 1, window: [4, 4, 3], shift: [2, 3, 1], pad_mask: yes",
        "position: learned, size: [3, 6, 2]",
        "position: learned, size: [3, 6, 2], mode: cubic",
    ),
    SIGNALS: (*_JOINED, "crop: b, from: a, offset: 2"),
    VOLUMES: (*_JOINED, "crop: b, from: a, offset: 0", "crop: b, from: a, offset: [1, 0, 1]"),
}  # of inputs

LISTED = {
    SIGNAL: ("map: positions", "position: learned, size: [7]", "conv: 3, kernel: 1"),
    VOLUME: ("map: positions", "position: learned, size: [4, 3, 2]", "conv: 3, kernel: 1"),
}

UNPOOLED = {
    SIGNAL: "pool: max, kernel: 2, stride: 3, pad: 1, round: ceil",
    "{channels: 4, size: [4, 6, 8]}": "pool: max, kernel: [2, 3, 2], stride: [2, 3, 3], pad: [1, 0, 1]",
    "{channels: 4, size: [5, 6, 7]}": "pool: max, kernel: [2, 3, 2], stride: [2, 3, 3], pad: [[1, 0], [0, 2], [0, 1]]",
}

STARTS = {
    "{channels: 64, size: [8]}": (
        "conv: 64, kernel: 3, init: {identity: {groups: 32}}",
        "deconv: 64, kernel: 5, stride: 2, groups: 4, init: he",
        "deconv: 64, kernel: 4, stride: 2, init: bilinear",
    ),
    "{channels: 16, size: [4, 4, 4]}": (
        "conv: 16, kernel: [3, 1, 3], init: {identity: {groups: 8}}",
        "deconv: 16, kernel: [2, 3, 4], stride: [1, 2, 2], groups: 4, init: he",
        "deconv: 16, kernel: [2, 5, 4], stride: [1, 3, 2], init: bilinear",
    ),
}
