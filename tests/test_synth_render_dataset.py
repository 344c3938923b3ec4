"""The generator: layout, resuming, same bytes, refusals."""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from paad.errors import PaadError, UsageError
from paad.geometry.conventions import cam_from_world_of_opengl
from paad.synth import dataset, dataset_render
from paad.synth.dataset_plan import pieces_of
from paad.synth.dataset_profile import PROFILES, Counts, Profile, profile_of

PROFILE = Profile("test", 64, Counts(3, 2, 6, 1), Counts(2, 1, 3, 1), samples=4, mask_samples=2)
TOY = """0 Test
1 4 0 0 0 1 0 0 0 1 0 0 0 1 3001.dat
1 15 20 -24 0 1 0 0 0 1 0 0 0 1 3003.dat
1 0 30 -48 -10 1 0 0 0 1 0 0 0 1 3005.dat
1 14 -30 24 10 1 0 0 0 1 0 0 0 1 3005.dat
"""
generate = functools.partial(dataset.generate, variant="scalar_rgb")
"""The variant that runs everywhere; the other one's own tests are in test_synth_render.py."""


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("models") / "Crab.ldr"
    path.write_text(TOY)
    return str(path)


@pytest.fixture(scope="module")
def made(toy: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("sim") / "out", [toy], PROFILE, seed=5, buffers=True)


def test_the_layout_is_mads(made: Path) -> None:
    folder = made / "Crab"
    assert sorted(p.name for p in (folder / "train" / "good").iterdir()) == ["000.png", "001.png", "002.png"]
    assert sorted(p.name for p in (folder / "test").iterdir()) == ["Burrs", "Missing", "Stains", "good"]
    for kind in ("Burrs", "Missing", "Stains"):
        for picture in (folder / "test" / kind).iterdir():
            mask = cv2.imread(str(folder / "ground_truth" / kind / f"{picture.stem}_mask.png"), cv2.IMREAD_UNCHANGED)
            assert mask.shape == (64, 64)
            assert set(np.unique(mask)) == {0, 255}
            assert (mask > 0).sum() >= PROFILE.least_visible_px
    transforms = json.loads((folder / "transforms.json").read_text())
    assert [f["file_path"] for f in transforms["frames"]] == [f"train/good/{i:03d}.png" for i in range(3)]
    assert transforms["camera_angle_x"] == pytest.approx(0.6911111611634243)
    test = json.loads((folder / "test_transforms.json").read_text())
    assert len(test["frames"]) == 8
    for frame in test["frames"]:
        assert (folder / frame["file_path"]).is_file()
        pose = cam_from_world_of_opengl(np.array(frame["transform_matrix"]))
        np.testing.assert_allclose((pose @ [0, 0, 0, 1])[:2], 0.0, atol=1e-9)
    assert not (made / ".paad-synth").exists()


def test_the_data_reader_finds_nothing_wrong(made: Path) -> None:
    from paad.data import open_object

    found = open_object(made / "Crab")
    assert not list(found.problems)
    assert len(found.train) == 3


def test_the_manifest_tells_everything(made: Path) -> None:
    folder = made / "Crab"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seed"] == 5
    assert set(manifest["versions"]) == {"paad", "mitsuba", "numpy"}
    assert len(manifest["images"]) == 11
    for image in manifest["images"]:
        for key in ("file", "buffers", *(["mask"] if image["label"] != "good" else [])):
            assert hashlib.sha256((folder / image[key]).read_bytes()).hexdigest() == image[f"{key}_sha256"]
        if image["label"] != "good":
            assert image["visible_px"] >= manifest["least_visible_px"]
            assert image["defect"]
    with np.load(folder / "buffers/train/good/000.npz") as found:
        assert set(found) == {"depth", "normal", "albedo", "part"}
        assert set(np.unique(found["part"])) <= {-1, 0, 1, 2, 3}


def test_same_seed_same_bytes_other_seed_other_bytes(made: Path, toy: str, tmp_path: Path) -> None:
    few = Profile("test", 64, Counts(2, 1, 3, 1), samples=4, mask_samples=2)
    one, two, three = (generate(tmp_path / str(i), [toy], few, seed=s) for i, s in enumerate((5, 5, 6)))
    assert digests(one) == digests(two)
    changed = [n for n, d in digests(three).items() if digests(one).get(n) != d]
    assert any(n.startswith("Crab/test/Missing/") for n in changed)


def test_work_goes_on_where_it_stopped(made: Path, toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, render, calls = tmp_path / "out", dataset_render.render_piece, []

    def stumble(job: object, piece: object) -> object:
        calls.append(piece)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return render(job, piece)

    monkeypatch.setattr(dataset_render, "render_piece", stumble)
    with pytest.raises(KeyboardInterrupt):
        generate(out, [toy], PROFILE, seed=5, buffers=True)
    (out / "Crab" / "train" / "good" / "000.png").write_bytes(b"torn")  # will be noticed and rendered again
    seen: list[tuple[int, int]] = []
    generate(out, [toy], PROFILE, seed=5, buffers=True, progress=lambda done, total, _: seen.append((done, total)))
    assert seen[-1] == (11, 11)
    assert len(calls) == 3 + 4
    assert digests(out) == digests(made)


def test_a_finished_data_set_is_left_alone(made: Path, toy: str) -> None:
    before = {p: os.stat(p).st_mtime_ns for p in (made / "Crab").rglob("*.png")}
    generate(made, [toy], PROFILE, seed=5, buffers=True)
    assert before == {p: os.stat(p).st_mtime_ns for p in before}


def test_real_photos_have_object_masks(toy: str, tmp_path: Path) -> None:
    folder = generate(tmp_path / "real", [toy], PROFILE, look="real") / "Crab"
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    for frame in frames:
        mask = cv2.imread(str(folder / frame["mask_path"]), cv2.IMREAD_UNCHANGED)
        assert 0.02 < (mask > 127).mean() < 0.6
        picture = cv2.imread(str(folder / frame["file_path"]))
        assert picture.shape == (64, 64, 3)
        assert picture.std() > 5.0
    manifest = json.loads((folder / "manifest.json").read_text())
    exposures = {image["photo"]["exposure"] for image in manifest["images"]}
    assert len(exposures) == len(manifest["images"])


def test_auto_goes_on_with_the_variant_that_was_begun(made: Path, toy: str) -> None:
    before = digests(made)
    dataset.generate(made, [toy], PROFILE, seed=5, buffers=True)
    assert digests(made) == before


def test_what_a_killed_process_left_is_removed(made: Path, toy: str) -> None:
    torn = [made / "Crab" / "train" / "good" / ".004.png.ab12_xyz.png", made / "Crab" / ".manifest.json.abcdefgh.json"]
    own = made / "Crab" / ".DS_Store"
    for path in (*torn, own):
        path.write_bytes(b"")
    generate(made, [toy], PROFILE, seed=5, buffers=True)
    assert not any(path.exists() for path in torn)
    assert own.exists()
    own.unlink()


@pytest.mark.slow
def test_an_interruption_stops_running_pieces_at_once(toy: str, tmp_path: Path) -> None:
    big, out = Profile("test", 2000, Counts(60, 0, 0, 1), samples=400), tmp_path / "out"
    code = (
        "from paad.synth.dataset import generate; from paad.synth.dataset_profile import Counts, Profile; "
        f"generate({str(out)!r}, [{toy!r}], {big!r}, workers=2, variant='scalar_rgb')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    time.sleep(15.0)  # both workers are in a picture that takes minutes
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - start < 5.0
    assert b"KeyboardInterrupt" in said
    assert not [p for p in out.rglob(".*.*") if p.is_file()]


def test_a_disk_that_fills_up_meanwhile_is_named(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def full(self: Path, content: bytes) -> int:
        if ".001.png." in self.name:
            write(self, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(PaadError, match=r"001\.png.*No space left"):
        generate(tmp_path / "out", [toy], PROFILE)
    good = tmp_path / "out" / "Crab" / "train" / "good"
    assert [p.name for p in good.iterdir()] == ["000.png"]


@pytest.mark.slow
def test_processes_make_the_same_bytes(toy: str, tmp_path: Path) -> None:
    few = Profile("test", 64, Counts(2, 1, 3, 1), samples=4, mask_samples=2)
    assert digests(generate(tmp_path / "a", [toy], few)) == digests(generate(tmp_path / "b", [toy], few, workers=2))


def test_nothing_foreign_is_overwritten(made: Path, toy: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="another seed"):
        generate(made, [toy], PROFILE, seed=6, buffers=True)
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="did not write"):
        generate(tmp_path, [toy], PROFILE)
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(UsageError, match="is a file"):
        generate(tmp_path / "letter.txt", [toy], PROFILE)


def test_a_changed_file_is_not_mixed_with_the_old_one(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "Crab.ldr", tmp_path / "out"
    path.write_text(TOY.replace("1 15", "1 14"))
    with pytest.raises(UsageError, match="not the file"):  # finished
        generate(made, [str(path)], PROFILE, seed=5, buffers=True)

    def stop(job: object, piece: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset_render, "render_piece", stop)
    with pytest.raises(KeyboardInterrupt):
        generate(out, [str(path)], PROFILE)
    path.write_text(TOY)
    with pytest.raises(UsageError, match="not the file"):  # begun
        generate(out, [str(path)], PROFILE)


def test_bad_requests_leave_nothing_behind(toy: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    copy = tmp_path / "other" / "Crab.ldr"
    copy.parent.mkdir()
    shutil.copy(toy, copy)
    for toys, options, message in (
        (["Dragon"], {}, "Dragon"),
        ([toy], {"look": "cartoon"}, "cartoon"),
        ([toy], {"workers": 0}, "workers is 0"),
        ([], {}, "no toys"),
        ([toy, str(copy)], {}, "Crab"),
    ):
        with pytest.raises(UsageError, match=message):
            generate(out, toys, PROFILE, **options)
    unknown = tmp_path / "Odd.ldr"
    unknown.write_text("1 4 0 0 0 1 0 0 0 1 0 0 0 1 nosuchpart.dat\n")
    with pytest.raises(PaadError, match="nosuchpart"):
        generate(out, [str(unknown)], PROFILE)
    assert not out.exists()


def test_too_little_space_is_said_before_the_work(toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(dataset.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(PaadError, match="are free"):
        generate(tmp_path / "out", [toy], PROFILE)


def test_profiles_have_the_promised_counts() -> None:
    expected = {"tiny": (160, 105, 20, 36), "small": (400, 210, 30, 72), "full": (800, 210, 50, 300)}
    for name, (size, train, good, defect) in expected.items():
        profile = PROFILES[name]
        assert (profile.size_px, profile.sim.train, profile.sim.good, profile.sim.defect) == (size, train, good, defect)
        assert profile.real.train == 50
        assert profile.real.good + profile.real.defect == 32
        for look in ("sim", "real"):
            counts, pieces = profile.counts(look), pieces_of("x", "x", profile, look)
            assert sum(p.count for p in pieces) == counts.train + counts.good + counts.defect
            assert len({p.key for p in pieces}) == len(pieces)
    with pytest.raises(UsageError, match="'huge'"):
        profile_of("huge")
    with pytest.raises(UsageError, match="multiple of 3"):
        Profile("odd", 64, Counts(1, 1, 4, 1))
    with pytest.raises(UsageError, match="size_px"):
        Profile("odd", 8, Counts(1, 1, 3, 1))


def test_a_mesh_becomes_an_object(tmp_path: Path) -> None:
    import trimesh

    path = tmp_path / "Bracket.stl"
    trimesh.creation.box((30.0, 20.0, 10.0)).export(path)
    few = Profile("test", 64, Counts(1, 0, 3, 1), samples=4, mask_samples=2)
    manifest = json.loads((generate(tmp_path / "out", [str(path)], few) / "Bracket" / "manifest.json").read_text())
    assert [i["label"] for i in manifest["images"]] == ["good", "Burrs", "Missing", "Stains"]
    assert "plane" in manifest["images"][2]["defect"]
