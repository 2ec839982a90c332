"""A training run loses nothing: whatever ends it is one line, and it goes on to the same weights."""

import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

STEPS = ["--schedule", "fixed", "--log-every", "1", "--save-every", "1", "--lr", "0.01"]


def steps_of(data: Path, out: str) -> int:
    """How many steps a run has logged."""
    log = data / out / "log.jsonl"
    return log.read_text().count("\n") if log.exists() else 0


KILLED_IN_A_SAVE = """
whole = files.sync
files.sync = lambda path: os.kill(os.getpid(), signal.SIGKILL) if "last" in path.name else whole(path)
"""


def killed_and_resumed(side: Any, data: Path, kills: int, seed: int, steps: int) -> None:
    """A run that is killed in its first save, then at random moments, and goes on each time to the same weights."""
    last, rng = data / "parts" / side.last, random.Random(seed)
    flags = [*STEPS, "--steps", str(steps)]
    first = side.started(data, "parts", *flags, before=KILLED_IN_A_SAVE)
    assert first.communicate() and first.returncode == -signal.SIGKILL
    assert not last.exists() and [*last.parent.glob(".*.unfinished")], "the first save was cut short"
    resume: list[str] = []
    for _ in range(kills):
        run, until = side.started(data, "parts", *flags, *resume), steps_of(data, "parts") + rng.randint(1, 7)
        while run.poll() is None and steps_of(data, "parts") < until:
            time.sleep(0.001)
        time.sleep(rng.random() / 20)
        run.kill()
        assert run.communicate() and run.returncode == -signal.SIGKILL
        whole = [path for path in side.modules.keeping.all_of(last) if path.exists()]
        resume = ["--resume", str(whole[0])] if whole else []
    # Processes as the killed ones were: in this one XLA may have started without the commands' flag.
    for out, more in (("parts", resume), ("whole", [])):
        run = side.started(data, out, *flags, *more)
        assert run.communicate() and run.returncode == 0
    assert side.same(side.learnt(data, "parts"), side.learnt(data, "whole"))
    assert not [*last.parent.glob(".*.unfinished*")]
    logs = [(data / out / "log.jsonl").read_text().splitlines() for out in ("parts", "whole")]
    mine, theirs = ([(line["step"], line["loss"]) for line in map(json.loads, log)] for log in logs)
    assert mine == theirs


def test_a_run_that_is_killed_in_its_first_save_and_later_ends_with_the_same_weights(side: Any, dataset: Path) -> None:
    killed_and_resumed(side, dataset, kills=1, seed=0, steps=30)


@pytest.mark.long
def test_25_kills_at_random_moments_end_with_the_same_weights(side: Any, dataset: Path) -> None:
    killed_and_resumed(side, dataset, kills=25, seed=1, steps=400)


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX's, if it is loaded: the child only moves files
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_at_every_moment_of_a_save_a_whole_checkpoint_is_there(
    harness: SimpleNamespace, tmp_path: Path, kind: str
) -> None:
    """Every call that changes a name in the folder is the last one of a process, once."""
    last = tmp_path / "run" / "last.pt"

    def write(number: int) -> Callable[[Path], None]:
        def content(path: Path) -> None:
            if kind == "folder":
                path.mkdir()
            (path / "part" if kind == "folder" else path).write_text(f"state {number}")

        return content

    def die_at(call: int) -> bool:
        """Save in another process, which ends at this call; whether it got there."""
        child = os.fork()
        if child == 0:
            calls = iter(range(call))

            def dying(real: Any) -> Any:
                def called(*arguments: Any, **options: Any) -> Any:
                    if next(calls, None) is None:
                        os._exit(9)
                    return real(*arguments, **options)

                return called

            harness.files.os = SimpleNamespace(**vars(os) | {"replace": dying(os.replace), "fsync": dying(os.fsync)})
            harness.files.shutil = SimpleNamespace(rmtree=dying(shutil.rmtree))
            try:
                harness.keeping.keep(last, write(3), 0)
            finally:
                os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

    call = 0
    while True:
        shutil.rmtree(last.parent, ignore_errors=True)
        last.parent.mkdir()
        for number in (1, 2):
            harness.keeping.keep(last, write(number), 0)
        died = die_at(call)
        told = harness.keeping.advice(last).partition("--resume ")[2]
        part = Path(told) / "part" if kind == "folder" else Path(told)
        assert part.read_text() in (["state 2", "state 3"] if died else ["state 3"])
        with harness.keeping.claimed(last):
            assert not [*last.parent.glob(".*.unfinished*")], "the next start removes what is left"
        if not died:
            break
        call += 1
    assert call > 3


def test_a_checkpoint_with_flipped_bits_is_refused_and_the_one_before_it_is_named(
    side: Any, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = dataset / "a" / side.last
    previous = dataset / "a" / side.last.replace("last", "previous")
    assert side.train(dataset, "a", *STEPS, "--steps", "3") == 0
    files = [last] if last.is_file() else [path for path in last.rglob("*") if path.is_file()]
    values = max(files, key=lambda path: path.stat().st_size)
    whole, refused = bytearray(values.read_bytes()), 0
    for place in np.random.default_rng(0).integers(0, len(whole), 12):
        values.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            read = side.modules.weights.read_checkpoint(last)
        except side.modules.files.InputError as error:
            refused += 1
            assert str(error) == f"{last}: cannot be read: it is damaged, or no file of weights"
        else:  # a byte between the contents: they are what they were
            side.modules.weights.fit(last, side.model(), read["model"])
    assert refused > 3
    values.write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    flags = [*STEPS, "--steps", "5"]
    assert side.train(dataset, "a", *flags, "--resume", str(last)) == 1
    assert capsys.readouterr().err == (
        f"error: {last}: cannot be read: it is damaged, or no file of weights; "
        f"{previous} is intact: go on with --resume {previous}\n"
    )
    assert side.train(dataset, "a", *flags, "--resume", str(previous)) == 0
    assert side.train(dataset, "b", *flags) == 0
    assert side.same(side.learnt(dataset, "a"), side.learnt(dataset, "b"))


def test_the_best_checkpoint_is_the_one_with_the_highest_mean_iu(side: Any, dataset: Path) -> None:
    val, best = str(dataset / "list.txt"), dataset / "a" / side.last.replace("last", "best")
    assert side.train(dataset, "a", *STEPS[:-2], "--steps", "8", "--val", val, "--val-every", "2") == 0
    lines = [json.loads(line) for line in (dataset / "a/log.jsonl").read_text().splitlines()]
    scores = {line["step"]: line["mean_iu"] for line in lines if "mean_iu" in line}
    assert side.modules.weights.read_checkpoint(best)["step"] == max(scores, key=lambda step: scores[step])


def test_an_evaluation_that_was_stopped_is_made_up_for(
    side: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The signal is answered within one image; the checkpoint from before the evaluation is there."""
    last, val = dataset / "a" / side.last, ["--val", str(dataset / "list.txt")]
    evaluate, looked_at = side.modules.evaluate, []
    read = evaluate.read_pair

    def stopping(pair: Any, *how: Any) -> Any:
        looked_at.append(pair)
        signal.raise_signal(signal.SIGTERM)
        return read(pair, *how)

    with monkeypatch.context() as patch:
        patch.setattr(evaluate, "read_pair", stopping)
        assert side.train(dataset, "a", "--steps", "2", *val) == 143
    assert len(looked_at) == 1
    assert capsys.readouterr().err.endswith(f"\ninterrupted in an evaluation; go on with --resume {last}\n")
    assert side.train(dataset, "a", "--steps", "2", *val, "--resume", str(last)) == 0
    assert "mean IU" in capsys.readouterr().out
    assert side.train(dataset, "a", "--steps", "2", *val, "--resume", str(last)) == 1
    assert capsys.readouterr().err == f"error: {last}: has done 2 steps; start a run from it with --init\n"


def test_a_run_whose_terminal_is_closed_is_saved_and_ends_quietly(side: Any, dataset: Path) -> None:
    """As by ssh: writing fails from then on, and SIGHUP comes from the system and from the shell."""
    ours, theirs = os.openpty()
    code = "import fcntl, signal, sys, termios; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
    code += f"fcntl.ioctl(0, termios.TIOCSCTTY, 0); sys.path.insert(0, {str(side.folder)!r})\n"
    code += "import train\nsys.exit(train.main(sys.argv[1:]))\n"
    command = [sys.executable, "-c", code, *side.flags(dataset, "a", *STEPS, "--steps", "100000")]
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with subprocess.Popen(command, start_new_session=True, **streams) as run:
        os.close(theirs)
        os.set_blocking(ours, False)
        while run.poll() is None and steps_of(dataset, "a") < 3:
            with suppress(BlockingIOError):
                os.read(ours, 2**16)  # else it would wait to be read
            time.sleep(0.01)
        os.close(ours)
        run.send_signal(signal.SIGHUP)
        assert run.wait(60) == 129
    done = side.modules.weights.read_checkpoint(dataset / "a" / side.last)["step"]
    assert done == steps_of(dataset, "a") >= 3


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_before_the_first_step_is_one_line_and_leaves_nothing(
    side: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    number: int, status: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(side.modules.train, "pairs_of", lambda *given: signal.raise_signal(number))
    assert side.train(dataset, "a") == status
    assert capsys.readouterr().err == "interrupted\n"
    assert not (dataset / "a").exists()
    for name in ("evaluate", "predict"):
        module = getattr(side.modules, name)
        monkeypatch.setattr(module, "reading_of", lambda arguments: signal.raise_signal(number))
        given = ["--list", "l"] if name == "evaluate" else ["i.png", "--out", "o"]
        assert module.main([*given, "--weights", "w"]) == status
        assert capsys.readouterr().err == "interrupted\n"


def test_a_second_signal_stops_a_save_and_leaves_the_earlier_checkpoint(
    side: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    last, sync = dataset / "a" / side.last, side.modules.files.sync

    def stopped(path: Path) -> None:
        if "last" in path.name and last.exists():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        sync(path)

    monkeypatch.setattr(side.modules.files, "sync", stopped)
    (dataset / "a/.last.1.unfinished.orbax-checkpoint-tmp").mkdir(parents=True)  # of a run that was killed
    assert side.train(dataset, "a", *STEPS, "--steps", "5") == 130
    assert capsys.readouterr().err.endswith(f"\ninterrupted; go on with --resume {last}\n")
    assert side.modules.weights.read_checkpoint(last)["step"] == 1
    assert [*(dataset / "a").glob(".*.unfinished*")] == []


@pytest.mark.parametrize("kind", ["pipe", "socket", "/dev/zero"])
def test_what_is_no_file_is_told_and_not_waited_for(
    side: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """As an image, a mask, a list, weights, whatever the suffix."""
    monkeypatch.chdir(dataset)
    modules, names = side.modules, ["a.png", "a.npy", "a.txt", "a.pt", "a.safetensors"]
    for name in names:
        if kind == "pipe":
            os.mkfifo(name)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(name)
        else:
            Path(name).symlink_to(kind)
    Path("image.txt").write_text("images/0.png masks/0.png\na.png masks/1.png\n")
    Path("mask.txt").write_text("images/0.png masks/0.png\nimages/1.png a.npy\n")
    side.save(Path("w.safetensors"), side.model())
    whole = ["--weights", "w.safetensors", "--device", "cpu"]
    commands: list[tuple[Any, list[str], str]] = [
        (modules.predict, [*whole, "a.png", "--out", "o"], "a.png: is no file"),
        (modules.predict, [*whole, "a.npy", "--out", "o"], "a.npy: is no file"),
        (modules.predict, ["--weights", "a.safetensors", "images/0.png", "--out", "o"], "a.safetensors: is no file"),
        (modules.evaluate, [*whole, "--list", "a.txt"], "a.txt: is no file"),
        (modules.evaluate, [*whole, "--list", "image.txt"], "image.txt:2: a.png: is no file"),
        (modules.evaluate, ["--weights", "a.pt", "--list", "list.txt"], "a.pt: is no file"),
        (modules.scan, ["check", "mask.txt"], "mask.txt:2: a.npy: is no file"),
        (modules.weights, ["export", "a.pt", "b.safetensors"], "a.pt: is no file"),
        (modules.weights, ["import", "a.safetensors", "b.pt"], "a.safetensors: is no file"),
        (modules.train, side.flags(dataset, "o", "--val", "a.txt"), "a.txt: is no file"),
        (modules.train, side.flags(dataset, "o", "--init", "a.safetensors"), "a.safetensors: is no file"),
        (modules.train, side.flags(dataset, "o", "--resume", "a.pt"), "a.pt: is no file"),
    ]
    signal.alarm(60)  # which ends a test that waits
    try:
        for module, arguments, told in commands:
            assert module.main(arguments) == 1
            assert capsys.readouterr().err.splitlines()[-1] == f"error: {told}"
    finally:
        signal.alarm(0)


def test_an_empty_name_is_told(side: Any, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It would be the folder where one is."""
    flags = {
        side.modules.train: ["--list", "--val", "--out", "--resume", "--init", "--root", "--images", "--masks"],
        side.modules.evaluate: ["--weights"],
        side.modules.predict: ["--weights", "--out"],
    }
    for module, names in flags.items():
        for name in names:
            with pytest.raises(SystemExit) as ended:
                module.main([name, ""])
            assert ended.value.code == 2
            error = capsys.readouterr().err.splitlines()[-1].partition(": ")[2]
            assert error == f"error: argument {name}: it is empty; name a file or a folder"


def test_a_folder_takes_one_run_at_a_time(side: Any, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (dataset / "a").mkdir()
    code = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"
    holder = [sys.executable, "-c", code, str(dataset / "a/.lock")]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline()
        assert side.train(dataset, "a", "--steps", "1") == 1
        told = "another run writes there; wait for its end, or choose another --out"
        assert capsys.readouterr().err == f"error: {dataset}/a: {told}\n"
        other.kill()
    assert side.train(dataset, "a", "--steps", "1") == 0


def test_a_full_disk_says_what_is_needed_and_what_is_intact(
    side: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    last, keeping = dataset / "a" / side.last, side.modules.keeping
    assert side.train(dataset, "a", *STEPS, "--steps", "2") == 0
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(keeping.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
        assert side.train(dataset, "a", *STEPS, "--steps", "4", "--resume", str(last)) == 1
    intact = f"what was saved is intact: go on with --resume {last}\n"
    found = capsys.readouterr().err.splitlines()[-1] + "\n"
    assert found == f"error: {last}: cannot be written: 0.0 MB are needed, and 0.0 MB are free; {intact}"
    resource.setrlimit(resource.RLIMIT_FSIZE, (700, resource.RLIM_INFINITY))
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        assert side.train(dataset, "a", *STEPS, "--steps", "4", "--resume", str(last)) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        signal.signal(signal.SIGXFSZ, ignored)
    error = capsys.readouterr().err.splitlines()[-1] + "\n"
    assert error.startswith(f"error: {last}: cannot be written: ") and error.endswith(f"; {intact}")
    assert side.train(dataset, "a", *STEPS, "--steps", "4", "--resume", str(last)) == 0
    assert side.train(dataset, "b", *STEPS, "--steps", "4") == 0
    assert side.same(side.learnt(dataset, "a"), side.learnt(dataset, "b"))


def test_a_damaged_last_line_of_the_log_is_left_out_and_a_folder_in_its_place_is_one_line(
    side: Any, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last, log = dataset / "a" / side.last, dataset / "a" / "log.jsonl"
    resume = [*STEPS, "--resume", str(last), "--steps"]
    assert side.train(dataset, "a", *STEPS, "--steps", "2") == 0
    log.write_text(log.read_text() + '{"step": 3, "lo')
    assert side.train(dataset, "a", *resume, "3") == 0
    assert f"{log}: its last line is damaged, and is left out\n" in capsys.readouterr().out
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [1, 2, 3]
    log.write_text("x\n" + log.read_text())
    assert side.train(dataset, "a", *resume, "4") == 1
    assert capsys.readouterr().err.endswith(f"error: {log}:1: is no line of a log; remove it\n")
    log.unlink()
    log.mkdir()
    assert side.train(dataset, "a", *resume, "4") == 1
    assert capsys.readouterr().err.endswith(f"error: {log}: cannot be read: Is a directory\n")


def test_another_list_is_refused_unless_it_is_meant(
    side: Any, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last, listed = dataset / "a" / side.last, dataset / "list.txt"
    lines = listed.read_text().splitlines()
    assert side.train(dataset, "a", *STEPS, "--steps", "1") == 0
    listed.write_text("\n".join([*lines[:2], *lines[3:]]))
    resume = [*STEPS, "--steps", "2", "--resume", str(last)]
    capsys.readouterr()
    assert side.train(dataset, "a", *resume) == 1
    name = dataset.name
    assert capsys.readouterr().err == (
        f"error: {last}: its run read 6 pairs, and now there are 5; "
        f"pair 3 was {name}/images/2.png {name}/masks/2.png and is now {name}/images/3.png {name}/masks/3.png; "
        "resume with the same list, or with --other-data\n"
    )
    assert side.train(dataset, "a", *resume, "--other-data") == 0
    capsys.readouterr()
    moved = dataset / "moved" / dataset.name
    shutil.copytree(dataset, moved, ignore=shutil.ignore_patterns("moved"))
    flags = [*STEPS, "--steps", "3", "--resume", str(moved / "a" / side.last)]
    assert side.train(moved, "a", *flags) == 0, "the same pairs at another place"


def test_several_processes_that_would_all_train_the_same_are_refused(
    side: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "4")
            assert side.train(dataset, "a") == 1
        told = f"{name} is 4, and train.py is one process; start it without torchrun, mpirun or srun -n"
        assert capsys.readouterr().err == f"error: {told}\n"
    assert not (dataset / "a").exists()


def test_a_damaged_image_of_val_is_told_before_the_first_step(
    side: Any, dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (dataset / "images/5.png").read_bytes()
    (dataset / "images/bad.png").write_bytes(whole[: len(whole) - 600])
    (dataset / "images/good.png").write_bytes(whole)
    (dataset / "val.txt").write_text("images/good.png masks/5.png\nimages/bad.png masks/5.png\n")
    assert side.train(dataset, "a", "--val", str(dataset / "val.txt")) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {dataset}/images/bad.png: cannot be read: ") and error.count("\n") == 1
    assert not (dataset / "a").exists()
    assert side.train(dataset, "a", "--val", str(dataset / "val.txt"), "--no-scan", "--steps", "1") == 1
    assert capsys.readouterr().err.endswith(error.partition(": ")[2]) and (dataset / "a" / side.last).exists()


def test_a_killed_worker_ends_in_one_line_and_the_run_goes_on(side: Any, dataset: Path) -> None:
    """The worker ends itself in a batch, as the system would end it where memory runs out."""
    last = dataset / "a" / side.last
    (side.folder / "lethal.py").write_text(
        "import os, signal, batches\n"
        "read = batches.Batches.__getitem__\n"
        "def lethal(self, step):\n"
        "    if step == 4 and os.getpid() != int(os.environ['RUN']):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return read(self, step)\n"
        "batches.Batches.__getitem__ = lethal\n"
    )
    flags = [*STEPS, "--steps", "8"]
    before = "os.environ['RUN'] = str(os.getpid())\nimport lethal"
    if side.backend == "jax":  # whose workers import the main module: here what imports `lethal`
        before += f"\nsys.modules['__main__'].__file__ = {str(side.folder / 'lethal.py')!r}"
    run = side.started(dataset, "a", *flags, "--workers", "1", before=before)
    _, error = run.communicate()
    told = "a worker was killed, as the system does where memory runs out; try fewer --workers"
    assert (run.returncode, error.splitlines()[-1]) == (1, f"error: {told}; go on with --resume {last}")
    assert side.train(dataset, "a", *flags, "--resume", str(last)) == 0
    assert side.train(dataset, "b", *flags) == 0
    assert side.same(side.learnt(dataset, "a"), side.learnt(dataset, "b"))


def test_the_start_says_what_is_trained_on_what(side: Any, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A crop of 32 x 32 holds a whole image of 20 x 24."""
    flags = ["--steps", "1", "--crop", "32", "--val", str(dataset / "list.txt"), "--no-scan"]
    assert side.train(dataset, "a", *flags) == 0
    device, *lines = capsys.readouterr().out.splitlines()
    assert device.startswith("device: ")
    assert lines[:4] == [
        "images: 6, and 6 of --val",
        "parameters: 267, of which 267 are trained",
        "crop: 32 x 32, of which 47 % is image",
        "padding: seen by 12 % of the scores of a crop",
    ]
    assert (lines[4] == "compiling the first step") == (side.backend == "jax")


STARVED = """
import evaluate, predict, resource, train
def limited(main, *arguments):
    pages = int(open("/proc/self/statm").read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 600 * 2**20, resource.RLIM_INFINITY))
    status = main(list(arguments))
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return status
data, last = sys.argv.pop(), sys.argv.pop()
train.main(sys.argv[1:])
weights = ["--weights", last, "--device", "cpu"]
print(limited(predict.main, data + "/big.png", *weights, "--out", data + "/p"))
print(limited(evaluate.main, "--list", data + "/big.txt", *weights))
print(limited(train.main, *sys.argv[1:-1], data + "/b", "--val", data + "/big.txt", "--no-scan"))
sys.exit(0)
"""


def test_an_image_that_needs_too_much_memory_is_named(side: Any, dataset: Path) -> None:
    Image.new("RGB", (6000, 6000)).save(dataset / "big.png")
    Image.new("L", (6000, 6000)).save(dataset / "big_mask.png")
    (dataset / "big.txt").write_text("big.png big_mask.png\n")
    last = dataset / "a" / side.last
    flags = ["--steps", "1", "--list", str(dataset / "list.txt"), "--device", "cpu", "--out", str(dataset / "a")]
    code = f"import sys; sys.path.insert(0, {str(side.folder)!r})\n{STARVED}"
    command = [sys.executable, "-c", code, *flags, str(last), str(dataset)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = f"error: {dataset}/big.png: there is not enough memory for this image; make it smaller"
    assert [line for line in done.stderr.splitlines() if "error" in line.lower()] == [told] * 3, done.stderr
    assert [line for line in done.stdout.splitlines() if line.isdecimal()] == ["1"] * 3
    assert (dataset / "b" / side.last).exists(), "it was saved before the evaluation"


@pytest.mark.parametrize("side", ["torch"], indirect=True)  # all that is the same in both
def test_a_closed_pipe_is_one_line(side: Any, dataset: Path) -> None:
    run = side.started(dataset, "a", "--steps", "2", before="sys.stdout.reconfigure(line_buffering=True)")
    assert run.stdout is not None and run.stderr is not None
    run.stdout.close()
    error = run.stderr.read()
    assert (run.wait(), error) == (1, "error: nobody reads what is printed any more\n")
    run.stderr.close()


@pytest.mark.parametrize("side", ["jax"], indirect=True)
def test_of_many_sizes_the_last_eight_stay_compiled_and_each_has_its_own_scores(side: Any) -> None:
    predict, model = side.modules.predict, side.model()
    image = np.random.default_rng(0).normal(size=(30, 30, 3)).astype(np.float32)
    expected = {size: side.scores(model, image[:size, :20]) for size in range(20, 31)}
    assert len(predict.COMPILED) == predict.KEPT == 8
    for size, scores in expected.items():  # each was thrown away when it is compiled again
        assert scores.shape[:2] == (size, 20)
        assert np.array_equal(side.scores(model, image[:size, :20]), scores)
    assert [key[1][1:3] for key in predict.COMPILED] == [(size, 20) for size in range(23, 31)]


@pytest.mark.parametrize("side", ["jax"], indirect=True)
def test_a_worker_that_is_killed_while_it_hands_over_a_batch_is_one_line(
    side: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a message has come when the link ends."""
    loading = side.modules.loading
    ours, theirs = multiprocessing.Pipe()
    os.write(theirs.fileno(), struct.pack("!i", 1000) + b"half")
    with socket.socket(fileno=os.dup(theirs.fileno())) as end:
        end.shutdown(socket.SHUT_WR)
    worker = SimpleNamespace(kill=lambda: None, join=lambda: None)
    monkeypatch.setattr(loading, "started", lambda batches: (worker, ours))
    assert list(loading.read_ahead(None, 0, 1, 1)) == [loading.KILLED]
    theirs.close()


# --- Ctrl-C before the command begins ---------------------------------------------------------------------------------

_RUN = (  # a shell that runs a suite in the background has its children ignore SIGINT
    "import runpy, signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "runpy.run_path(sys.argv[1], run_name='__main__')\n"
)


@pytest.mark.parametrize("names", [("argparse", "math"), ("jax", "numpy", "safetensors", "torch")])
@pytest.mark.parametrize("script", ["train.py", "evaluate.py", "predict.py", "data.py", "weights.py"])
def test_ctrl_c_during_the_imports_is_one_line(side: Any, tmp_path: Path, script: str, names: tuple[str, ...]) -> None:
    for name in names:  # the first that a script imports never ends
        (tmp_path / f"{name}.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{side.folder}"}
    command = [sys.executable, "-c", _RUN, str(side.folder / script)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("", "interrupted\n") and process.returncode == 130
