"""Networks whose layers share weights: (what they show, their input, their layers)."""

from __future__ import annotations

_IMAGE = "{channels: 4, size: [9, 11]}"

# The layer `b` has the weights of `a`: by the same module, or by its weights alone where it has other strides.
_PAIRS = {
    "the same conv": (
        "{conv: 4, kernel: 3, pad: same, init: {normal: 0.1}, act: relu}",
        "{conv: 4, kernel: 3, pad: same, norm: batch}",
    ),
    "a conv padded otherwise": (
        "{conv: 4, kernel: 3, pad: same, bias: no}",
        "{conv: 4, kernel: 3, pad: [0, 2, 1, 1], bias: no}",
    ),
    "a conv with another stride and dilation": (
        "{conv: 4, kernel: 3, pad: [1, 0, 0, 1], groups: 2}",
        "{conv: 4, kernel: 3, stride: [2, 1], dilation: 2, pad: 2, groups: 2}",
    ),
    "a conv that reflects": (
        "{conv: 4, kernel: 3, pad: 1, frozen: yes}",
        "{conv: 4, kernel: 3, pad: 1, mode: reflect}",
    ),
    "a conv that goes on with the other end": (
        "{conv: 4, kernel: 3, pad: 1}",
        "{conv: 4, kernel: 3, pad: [0, 1, 2, 0], mode: circular}",
    ),
    "a conv at edges": (
        "{conv: 4, kernel: 3, pad: 1, mode: reflect}",
        "{conv: 4, kernel: 3, pad: [0, 1, 2, 0], mode: edge, bias: yes}",
    ),
    "the same deconv": (
        "{deconv: 4, kernel: [3, 4], stride: 2, pad: 1}",
        "{deconv: 4, kernel: [3, 4], stride: 2, pad: 1, act: elu}",
    ),
    "a deconv with another stride": (
        "{deconv: 4, kernel: 3, dilation: 2}",
        "{deconv: 4, kernel: 3, stride: [2, 3], pad: 1, output_pad: 1}",
    ),
    "a deconv with another dilation": (
        "{deconv: 4, kernel: 3, stride: 2, groups: 2, bias: no}",
        "{deconv: 4, kernel: 3, dilation: 2, pad: [0, 1, 1, 2], groups: 2, bias: no}",
    ),
    "the same norm": ("{norm: batch, act: relu}", "{norm: batch}"),
    "the same group norm": ("{norm: {group: 2}}", "{norm: {group: 2}, act: tanh}"),
    "the same prelu": ("{act: prelu}", "{act: prelu}"),
}

_OTHERS = {
    "a linear layer of a pixel and of a vector": """\
  - pixel: {pool: global_avg}
  - a: {linear: 4, act: relu}
  - b: {linear: 4, share: a}
""",
    "a batch norm of a map and of a vector": """\
  - a: {norm: {batch: {momentum: 0.2}}}
  - vector: {linear: 4}
  - b: {norm: {batch: {momentum: 0.2}}, share: a}
""",
    "one of two branches": """\
  - a: {conv: 4, kernel: 1}
  - both: {concat: [{conv: 4, kernel: 1, share: a}, {conv: 4, kernel: 3, pad: 1}]}
""",
    "a convolution run three times": """\
  - "turn{i}": {conv: 4, kernel: 3, pad: same, norm: batch, act: relu, repeat: 3, share: turn1}
""",
}

# A head for each of two maps: all of it is shared, its convolutions are, or it is another head but for these.
_HEADS = """\
  - fine: {conv: 4, kernel: 3, pad: 1}
  - coarse: {conv: 4, kernel: 3, stride: 2, pad: 1}
  - head1: {block: head, from: fine}
  - head2: {block: head, from: coarse%s}
  - up: {resize: head1}
  - sum: {add: [head1, up]}
blocks:
  head:
    args: [a: c, d: 1]
    layers:
      - c: {conv: 4, kernel: 3, pad: same, dilation: d, share: a, norm: batch, act: prelu, drop: 0.1}
      - again: [{conv: 4, kernel: 3, pad: same, share: c}, {conv: 4, kernel: 1}]
      - out: {add: [input, again]}
"""
_OF_HEADS = {
    "a head for two maps": ", share: head1",
    "a head for two maps, with norms of its own": ", a: head1.c",
    "a head for two maps, dilated for one": ", d: 2, share: head1",
}

_VOLUME = """\
  - a: {deconv: 2, kernel: 2, stride: 2}
  - b: {deconv: 2, kernel: 2, pad: [[0, 1], [1, 0], [0, 0]], share: a}
"""

NETWORKS = (
    *((name, _IMAGE, f"  - a: {a}\n  - b: {b[:-1]}, share: a}}") for name, (a, b) in _PAIRS.items()),
    *((name, _IMAGE, text) for name, text in _OTHERS.items()),
    *((name, _IMAGE, _HEADS % told) for name, told in _OF_HEADS.items()),
    ("a conv of a signal", "{channels: 4, size: [17]}", _OTHERS["a convolution run three times"]),
    ("a deconv of a volume", "{channels: 2, size: [3, 4, 5]}", _VOLUME),
)
