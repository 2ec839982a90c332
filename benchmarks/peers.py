"""Networks of torchvision, timm and segmentation_models_pytorch, and ours of the specs of the same networks.

    python benchmarks/peers.py [--speed] [LIBRARY/NAME ...]

`make peers` makes the environment. For each network `segcompile build` writes the folder, and `segcompile weights
import` with a file of weights/maps/ brings the peer's state dict in as it is: with the peer's initial kernels, and with
norms, biases and statistics drawn at random, so that each of them matters. Outputs and values between, in float64, are
to agree to 1e-5 of the largest; the exit status says whether they do.

`--speed` compares seconds of the wall instead: the medians of rounds in which both take turns with a second copy of the
peer, which says how far the machine can be trusted. Images and weights are float32; a training step is a forward pass
in training mode, a backward pass and a step of SGD.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import itertools
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from peer_networks import PEERS, Peer
from safetensors.torch import load_file
from torch import Tensor, nn

MAPS = Path(__file__).resolve().parents[1] / "weights" / "maps"
SIZES = ((64, 96), (127, 159))  # the second is legal everywhere, and divided evenly by no stride
TOLERANCE, LEAST_MAPS = 1e-5, 6
IMAGES, PIXELS, ROUNDS, SLOWER = 2, 128, 9, 1.02
LEARNING_RATE = 1e-4


def run(*arguments: str | Path) -> None:
    """A command of segcompile, as a user would give it."""
    command = [sys.executable, "-m", "segcompile", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def shake(network: nn.Module) -> None:
    """Draw every bias, and all scales and statistics of norms: as they start, they would hide one another."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.dim() in (1, 3):  # vectors, and torchvision's scales of a layer, (C, 1, 1)
                if name.endswith((".bias", ".running_mean")):
                    value.normal_(0, 0.1, generator=generator)
                else:
                    value.uniform_(0.5, 1.5, generator=generator)


def generated(peer: Peer, folder: Path) -> nn.Module:
    """Our network, as its folder has it."""
    run("build", *peer.build, "--backend", "torch", "--out", folder)
    found = importlib.util.spec_from_file_location("model", folder / "model.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    *_, network = (each for each in vars(module).values() if isinstance(each, type) and each.__module__ == "model")
    made: nn.Module = network()
    return made


def pair(peer: Peer) -> tuple[nn.Module, nn.Module, int]:
    """Our network with the peer's weights, the peer, and how many tensors went in."""
    torch.manual_seed(0)
    theirs = peer.network()
    shake(theirs)
    with tempfile.TemporaryDirectory() as place:
        folder, file, imported = Path(place) / "ours", Path(place) / "peer.pt", Path(place) / "ours.safetensors"
        ours = generated(peer, folder)
        torch.save(theirs.state_dict(), file)
        options = ("--channels", "rgb", "--names", MAPS / f"{peer.names}.txt", "--strict", "-o", imported)
        run("weights", "import", file, "--spec", *peer.build, *options)
        weights = load_file(imported)
    ours.load_state_dict(weights)
    return ours, theirs, len(weights)


def values(network: nn.Module, layers: Iterable[str], image: Tensor) -> tuple[dict[str, Tensor], list[Tensor]]:
    """The outputs of a network by name, and what some of its modules give."""
    found: dict[str, Tensor] = {}

    def keep(layer: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda module, given, value: found.update({layer: value.clone()})  # the next layer may work in place

    hooks = [network.get_submodule(layer).register_forward_hook(keep(layer)) for layer in layers]
    with torch.inference_mode():
        output = network(image)
    for hook in hooks:
        hook.remove()
    return output if isinstance(output, dict) else {"out": output}, [found[layer] for layer in layers]


def distance(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, of the largest value. Ours has channels first, also of a list, (B, C, length)."""
    theirs = theirs.mT if theirs.dim() == 3 else theirs
    if ours.shape != theirs.shape:
        raise RuntimeError(f"{tuple(ours.shape)}, and the peer's is {tuple(theirs.shape)}")
    found = float((ours - theirs).abs().max() / theirs.abs().max())
    if not math.isfinite(found):
        raise RuntimeError("values that are no numbers, or all zero, say nothing")
    return found


def agreement(peer: Peer) -> tuple[str, bool]:
    """A line of the table, and whether all of it is within the tolerance."""
    assert len(peer.maps) >= LEAST_MAPS
    ours, theirs, count = pair(peer)
    ours, theirs = ours.double().eval(), theirs.double().eval()
    outputs, between = [], []
    for size in SIZES if peer.fixed is None else (peer.fixed,):
        image = torch.randn(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        (mine, ours_between), (other, theirs_between) = (
            values(ours, peer.maps, image), values(theirs, peer.maps.values(), image)
        )  # fmt: skip
        if mine.keys() != other.keys():
            raise RuntimeError(f"outputs {[*mine]}, and the peer's are {[*other]}")
        outputs.append(max(distance(mine[name], other[name]) for name in mine))
        between.append(max(map(distance, ours_between, theirs_between)))
    cells = "".join(f"{value:>10.1e}" for value in itertools.chain(*zip(outputs, between, strict=True)))
    within = max(*outputs, *between) <= TOLERANCE
    return f"{count:>8}{len(peer.maps):>6} {cells}{'' if within else '   APART'}", within


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def loss(output: Tensor | dict[str, Tensor]) -> Tensor:
    outputs = output.values() if isinstance(output, dict) else [output]
    return torch.stack([each.square().mean() for each in outputs]).sum()


def forward(network: nn.Module, images: Tensor) -> Callable[[], object]:
    def once() -> None:
        with torch.inference_mode():
            network(images)

    network.eval()
    return once


def step(network: nn.Module, images: Tensor) -> Callable[[], object]:
    optimiser = torch.optim.SGD(network.parameters(), LEARNING_RATE)

    def once() -> None:
        optimiser.zero_grad()
        torch.autograd.backward(loss(network(images)))
        optimiser.step()

    network.train()
    return once


def rounds(works: Sequence[Callable[[], object]]) -> list[list[float]]:
    """The seconds of each piece of work, in rounds in which each has another turn, after one that does not count."""
    for work in works:
        work()
    found: list[list[float]] = [[] for _ in works]
    for turn in range(ROUNDS):
        for index in ((turn + offset) % len(works) for offset in range(len(works))):
            found[index].append(seconds(works[index]))
    return found


def speed(peer: Peer) -> tuple[str, bool]:
    """A line of the table of times, and whether ours are those of the peer, as far as the peer's copy can tell."""
    ours, theirs, _ = pair(peer)
    again = peer.network()
    again.load_state_dict(theirs.state_dict())
    size = peer.fixed or (PIXELS, PIXELS)
    images = torch.randn(IMAGES, 3, *size, generator=torch.Generator().manual_seed(1))
    cells, within = "", True
    for kind in (forward, step):
        mine, other, same = rounds([kind(network, images) for network in (ours, theirs, again)])
        spread = [b / a for a, b in zip(other, same, strict=True)]
        ratio = statistics.median(mine) / statistics.median(other)
        within &= ratio <= max(SLOWER, *spread)
        cells += f"{1000 * statistics.median(other):>9.1f}{ratio:>8.3f}   {min(spread):.2f} to {max(spread):.2f}"
    return cells + ("" if within else "   SLOWER"), within


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", metavar="LIBRARY/NAME")
    parser.add_argument("--speed", action="store_true", help="seconds of a forward pass and of a training step")
    arguments = parser.parse_args()
    libraries = ("torch", "torchvision", "timm", "segmentation_models_pytorch")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in libraries)
    load = f", {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}" if arguments.speed else ""
    print(f"{platform.machine()}, Python {platform.python_version()}, {versions}{load}")
    if arguments.speed:
        print(f"{IMAGES} images of {PIXELS} x {PIXELS}, forward and step: ms of the peer, ours / peer, its copy / peer")
    else:
        print(f"{'':<56}tensors  maps   of the largest value, outputs and maps, at {SIZES[0]} and at {SIZES[1]}")
    apart = 0
    for peer in PEERS:
        name = f"{peer.library}/{peer.name}"
        if arguments.networks and name not in arguments.networks:
            continue
        print(f"{name:<38} {peer.build[0]:<17}", end="", flush=True)
        line, within = (speed if arguments.speed else agreement)(peer)
        print(line, flush=True)
        apart += not within
    sys.exit(apart > 0)


if __name__ == "__main__":
    main()
