"""Several photos of one specimen: surface cells, evidence added up, the verdict and its place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import paad
from paad.cli.main import main
from paad.compare.specimen import GoodSurface, judge
from paad.compare.surface import Surface, on_surface
from paad.data.images import save_png
from paad.data.points_ply import write_points_ply
from paad.errors import DataError, UsageError
from paad.fields.ply import read_ply
from paad.geometry.camera import Camera
from toy import photograph, pose_from, posed_views, toy_gaussians

OPTIONS = {"steps": 320, "initial_gaussians": 3000, "max_gaussians": 4000, "sh_degree": 1, "template_spacing_deg": 14.0}
DIRECTIONS = np.array([[0.48, 0.6, 0.64], [0.75, 0.25, 0.61], [0.2, 0.8, 0.56]])


@pytest.fixture(scope="module")
def detector() -> paad.detectors.paad.Paad:
    return paad.create("paad", device="cpu", **OPTIONS).fit(posed_views(toy_gaussians(), spacing_deg=20.0))


def _stained_specimen() -> tuple[object, np.ndarray]:
    """A toy with a magenta patch, and the patch's middle: the surface point farthest out towards the cameras."""
    toy = toy_gaussians()
    towards = torch.from_numpy(DIRECTIONS.mean(axis=0)).float()
    spot = toy.means[(toy.means @ towards).argmax()]
    near = (toy.means - spot).norm(dim=1) < 0.16
    sh = toy.sh.clone()
    sh[near, 0] = (torch.tensor([1.0, 0.0, 1.0]) - 0.5) / 0.28209479177387814
    return replace(toy, sh=sh), spot.numpy()


def test_a_value_lands_in_the_cell_that_its_pixel_shows() -> None:
    camera = Camera.from_angle_x(0.6, 40, 40)
    pose = pose_from(np.array([0.0, 0.0, 1.0]), distance=2.0)
    surface = Surface(np.array([[0.0, 0.0, 0.0], [0.3, 0.0, 0.0], [0.0, 0.0, -1.0]], np.float32), 0.1)
    (x, y), depth = camera.project(surface.centres[:1], pose)[0][0], 2.0
    anomaly, alpha = np.zeros((40, 40), np.float32), np.zeros((40, 40), np.float32)
    alpha[int(y) - 3 : int(y) + 3, int(x) - 3 : int(x) + 3] = 1.0
    anomaly[int(y), int(x)] = 7.0
    values = on_surface(surface, anomaly, alpha, depth * alpha, pose, camera)
    assert values[0] == 7.0
    assert np.isnan(values[1:]).all()  # one is beside what is seen, the other behind it


def test_what_sticks_out_counts_for_the_surface_beside_it() -> None:
    camera = Camera.from_angle_x(0.6, 40, 40)
    pose = pose_from(np.array([0.0, 0.0, 1.0]), distance=2.0)
    surface = Surface(np.zeros((1, 3), np.float32), 0.5)
    alpha, anomaly = np.zeros((40, 40), np.float32), np.zeros((40, 40), np.float32)
    alpha[18:22, 18:22] = 1.0
    anomaly[20, 23] = 3.0
    assert on_surface(surface, anomaly, alpha, 2.0 * alpha, pose, camera)[0] == 3.0
    anomaly[20, 23], anomaly[20, 25] = 0.0, 3.0
    assert on_surface(surface, anomaly, alpha, 2.0 * alpha, pose, camera)[0] == 0.0


def test_evidence_against_a_case_by_hand() -> None:
    """Two cells, alike in every good view but for cell 1, which no view shows: it takes the overall mean and spread."""
    good = np.array([[0.8, np.nan], [0.0, np.nan]] * 5, np.float32)
    model = GoodSurface(Surface(np.zeros((2, 3), np.float32), 1.0), good)
    usual, spread = 0.5 * (np.log(1.0) + np.log(0.2)), 0.5 * (np.log(1.0) - np.log(0.2))
    photos = np.array([[2.8, 2.8], [np.nan, 2.8]], np.float32)
    excess = np.log(3.0) - usual
    standing = (excess - 0.5 * excess) / spread
    assert model.evidence(photos) == pytest.approx([standing / 2.0, standing])


def test_a_place_that_is_bad_in_every_photo_beats_a_larger_flash_in_one() -> None:
    rng = np.random.default_rng(0)
    good = np.exp(rng.normal(-1.0, 0.5, (30, 50))).astype(np.float32)
    model = GoodSurface(Surface(rng.normal(size=(50, 3)).astype(np.float32), 0.1), good)
    photos = np.exp(rng.normal(-1.0, 0.5, (3, 50))).astype(np.float32)
    flash, defect = photos.copy(), photos.copy()
    flash[0, 7] = 6.0
    defect[:, 9] = 2.5
    assert int(model.evidence(defect).argmax()) == 9
    assert judge(model, defect, 0.05).score > judge(model, flash, 0.05).score
    assert judge(model, defect, 0.05).p_value < 0.05
    assert judge(model, photos, 0.05).score < judge(model, photos, 0.05).threshold


def test_false_alarms_are_as_promised() -> None:
    """Make-believe good specimens of an object whose places differ: the rate lies in its binomial interval."""
    rng = np.random.default_rng(1)
    level = rng.normal(-1.0, 0.6, 60)

    def views(n: int) -> np.ndarray:
        return np.exp(level + rng.normal(0.0, 0.4, (n, 60)) + rng.normal(0.0, 0.2, (n, 1))).astype(np.float32)

    alarms = 0
    for _ in range(60):
        model = GoodSurface(Surface(np.zeros((60, 3), np.float32), 0.1), views(24))
        judged = judge(model, views(3), 0.1)
        alarms += judged.score >= judged.threshold
    assert alarms <= 11  # of 60, 10 percent: 97.5 percent of binomial draws have no more


def test_specimens_of_photos(detector: paad.detectors.paad.Paad) -> None:
    stained, spot = _stained_specimen()
    poses = [pose_from(d / np.linalg.norm(d)) for d in DIRECTIONS]
    bad = [detector.predict(photograph(stained, pose)[0], 0.1) for pose in poses]
    fine = [detector.predict(photograph(toy_gaussians(), pose)[0]) for pose in poses]
    assert {b.status for b in bad} == {"defect"}
    verdict = detector.judge_specimen(bad, 0.1)
    assert verdict.status == "defect"
    assert verdict.photos == 3
    assert np.linalg.norm(verdict.place - spot) < 0.25
    assert 0.0 < verdict.extent < 0.5
    assert verdict.kind == "stain"
    reddest = verdict.points[verdict.evidence.argmax()]
    assert np.linalg.norm(reddest - spot) < 0.3
    good = detector.judge_specimen(fine, 0.1)
    assert good.status == "ok"
    assert good.extent == 0.0
    assert good.score < verdict.score


def test_photos_without_a_pose_are_left_out_and_said_so(detector: paad.detectors.paad.Paad) -> None:
    empty = detector.predict(np.full((64, 64, 3), 255, np.uint8))
    fine = detector.predict(photograph(toy_gaussians(), pose_from(DIRECTIONS[0]))[0])
    verdict = detector.judge_specimen([empty, fine])
    assert (verdict.photos, verdict.unknown) == (1, 1)
    assert "1 of 2" in verdict.message
    nothing = detector.judge_specimen([empty, empty])
    assert nothing.status == "unknown"
    assert nothing.place is None
    assert np.isnan(nothing.score)
    with pytest.raises(DataError, match="at least one photo"):
        detector.judge_specimen([])
    with pytest.raises(UsageError, match="another method or model"):
        detector.judge_specimen([replace(fine, extra={})])


def test_a_saved_model_judges_alike(detector: paad.detectors.paad.Paad, tmp_path: Path) -> None:
    image = photograph(_stained_specimen()[0], pose_from(DIRECTIONS[0]))[0]
    again = paad.load(detector.save(tmp_path / "m.paad"))
    first, second = (d.judge_specimen([d.predict(image)]) for d in (detector, again))
    assert first.score == second.score
    assert first.threshold == second.threshold


def test_the_command_line(
    detector: paad.detectors.paad.Paad, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stained, _ = _stained_specimen()
    files = [
        str(save_png(tmp_path / f"{k}.png", photograph(stained, pose_from(d))[0])) for k, d in enumerate(DIRECTIONS)
    ]
    model, out = str(detector.save(tmp_path / "m.paad")), tmp_path / "out"
    rate = ["--false-alarm-rate", "0.1"]
    assert main(["inspect", model, *files, "--specimen", *rate, "--json", "-", "--out", str(out)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("image") for line in lines] == [*files, None]
    assert lines[-1]["specimen"] == "defect"
    assert len(lines[-1]["place"]) == 3
    assert (lines[-1]["photos"], lines[-1]["unknown"]) == (3, 0)
    assert Path(lines[-1]["ply"]).read_bytes().startswith(b"ply")
    assert "most suspicious place" in (out / "report.html").read_text()
    assert main(["inspect", model, *files, "--specimen", *rate]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("specimen: defect (stain), from 3 photos")


def test_too_few_good_views_are_refused() -> None:
    model = GoodSurface(Surface(np.zeros((2, 3), np.float32), 1.0), np.ones((2, 2), np.float32))
    with pytest.raises(DataError, match="at least 3"):
        judge(model, np.ones((1, 2), np.float32), 0.05)


def test_points_with_colours_are_an_ordinary_ply(tmp_path: Path) -> None:
    points = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], np.float32)
    colours = np.array([[1, 2, 3], [250, 251, 252]], np.uint8)
    file = write_points_ply(tmp_path / "p.ply", points, colours, evidence=np.array([0.5, 1.5], np.float32))
    trimesh = pytest.importorskip("trimesh")
    cloud = trimesh.load(file)
    assert np.allclose(cloud.vertices, points)
    assert np.array_equal(np.asarray(cloud.colors)[:, :3], colours)
    with pytest.raises(DataError):
        read_ply(file)  # it is no splat


def test_a_specimen_that_cannot_be_judged_leaves_the_photos_verdicts(
    detector: paad.detectors.paad.Paad,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = str(detector.save(tmp_path / "m.paad"))
    photo = str(save_png(tmp_path / "0.png", photograph(toy_gaussians(), pose_from(DIRECTIONS[0]))[0]))
    monkeypatch.setattr("paad.compare.specimen.GoodSurface.calibrations", _refuse)
    assert main(["inspect", model, photo, "--specimen", "--json", str(tmp_path / "all.jsonl")]) == 0
    first, last = map(json.loads, (tmp_path / "all.jsonl").read_text().splitlines())
    assert first["status"] == "ok"
    assert last["specimen"] == "error"
    assert last["message"] == "too few"


def _refuse(*_: object) -> None:
    raise DataError("too few")


def test_the_same_photo_gives_the_same_bits_wherever_it_lies_in_memory(detector: paad.detectors.paad.Paad) -> None:
    photo = photograph(toy_gaussians(), pose_from(DIRECTIONS[0]))[0]
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(40):
        elsewhere = [np.empty(int(n)) for n in rng.integers(1, 3000, 3)]
        seen.add(detector.predict(photo.copy()).map.tobytes())
        del elsewhere
    assert len(seen) == 1
