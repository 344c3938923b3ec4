"""The paad method from end to end on a small toy: good, defective, strange and damaged photos; save and load."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

import paad
from paad.data.files import write_bytes
from paad.detectors.modelfile import read_model, write_model
from paad.detectors.paad_find import compared_at, is_guessed
from paad.detectors.paad_fit import looks_the_same
from paad.errors import DataError, ModelFileError, UsageError
from paad.fields.build import LEAST_TO_SPLIT
from paad.geometry.camera import Lens
from paad.geometry.se3 import rotation_error_deg
from paad.pose.query import QueryImage
from paad.pose.refine import Alignment
from paad.render.gaussians import concatenate
from paad.render.splats import Splats
from toy import CAMERA, SIZE, photograph, pose_from, posed_views, toy_gaussians

OPTIONS = {"steps": 320, "initial_gaussians": 3000, "max_gaussians": 4000, "sh_degree": 1, "template_spacing_deg": 14.0}
DIRECTION = np.array([0.48, 0.6, 0.64])


@pytest.fixture(scope="module")
def detector() -> object:
    return paad.create("paad", device="cpu", **OPTIONS).fit(posed_views(toy_gaussians(), spacing_deg=24.0))


@pytest.fixture(scope="module")
def good() -> np.ndarray:
    return photograph(toy_gaussians(), pose_from(DIRECTION, roll_deg=77.0))[0]


def _stained(image: np.ndarray) -> np.ndarray:
    out = image.copy()
    middle = SIZE // 2
    out[middle - 5 : middle + 5, middle - 4 : middle + 6] = (250, 0, 250)
    return out


def test_a_good_photo(detector: object, good: np.ndarray) -> None:
    result = detector.predict(good)
    assert result.status == "ok"
    assert result.map.shape == (SIZE, SIZE)
    assert result.map.dtype == np.float32
    assert result.reference is not None
    assert result.score == pytest.approx(float(result.map.max()))
    assert 0.0 < result.p_value <= 1.0
    assert rotation_error_deg(result.cam_from_world, pose_from(DIRECTION, roll_deg=77.0)) < 1.0
    assert set(result.seconds) == {"pose", "render", "score", "total"}


def test_a_stain_is_found_where_it_is(detector: object, good: np.ndarray) -> None:
    result = detector.predict(_stained(good), 0.1)
    assert result.status == "defect"
    assert result.score > 2 * detector.predict(good).score
    x0, y0, x1, y1 = result.regions[0].bbox
    assert x0 <= SIZE // 2 < x1
    assert y0 <= SIZE // 2 < y1
    assert result.regions[0].kind == "stain"


def test_a_missing_part_and_a_burr(detector: object, good: np.ndarray) -> None:
    mask = photograph(toy_gaussians(), pose_from(DIRECTION, roll_deg=77.0))[1] > 0.5
    rows, columns = np.nonzero(mask)
    y, x = int(rows[columns.argmin()]), int(columns.min())
    gone, grown = good.copy(), good.copy()
    gone[y - 6 : y + 7, x : x + 12] = 255
    row = SIZE // 4
    end = int(columns[rows == row].max())
    assert end < SIZE - 14  # the lump is beside the outline, and inside the picture
    grown[row - 5 : row + 6, end + 1 : end + 12] = (20, 20, 20)
    lacking = detector.predict(gone, 0.1)
    assert lacking.regions[0].kind == "missing"
    assert 0.6 < lacking.pose_quality < detector.predict(good).pose_quality <= 1.0
    assert detector.predict(grown, 0.1).regions[0].kind == "burr"


def test_an_object_that_is_mostly_painted_over_is_a_defect(detector: object, good: np.ndarray) -> None:
    mask = photograph(toy_gaussians(), pose_from(DIRECTION, roll_deg=77.0))[1] > 0.5
    painted = good.copy()
    columns = np.nonzero(mask)[1]
    painted[mask & (np.arange(SIZE) < np.quantile(columns, 0.65))] = (30, 160, 60)
    result = detector.predict(painted)
    assert result.status == "defect"
    assert result.pose_quality < 0.4
    assert rotation_error_deg(result.cam_from_world, pose_from(DIRECTION, roll_deg=77.0)) < 3.0


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_empty_photo_is_unknown(detector: object, value: int) -> None:
    result = detector.predict(np.full((SIZE, SIZE, 3), value, np.uint8))
    assert result.status == "unknown"
    assert result.cam_from_world is None
    assert np.isnan(result.score)
    assert result.message


def test_noise_and_another_object_are_unknown(detector: object) -> None:
    rng = np.random.default_rng(0)
    assert detector.predict(rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)).status == "unknown"
    stranger = photograph(toy_gaussians(seed=5), pose_from(DIRECTION))[0]
    assert detector.predict(stranger).status == "unknown"


def test_another_size_gives_a_map_of_that_size(detector: object) -> None:
    large = photograph(toy_gaussians(), pose_from(DIRECTION), CAMERA.scaled(2.0))[0]
    result = detector.predict(large)
    assert result.map.shape == (2 * SIZE, 2 * SIZE)
    assert result.reference.shape == (2 * SIZE, 2 * SIZE, 3)
    assert result.status == "ok"


def test_a_photo_cut_out_of_a_picture(detector: object, good: np.ndarray) -> None:
    window = good[8:-12, 10:-14]
    result = detector.predict(window)
    assert result.map.shape == window.shape[:2]
    assert result.status == "ok"


def test_a_photo_through_another_lens(detector: object) -> None:
    far = pose_from(DIRECTION, distance=1.3 * 2.6, roll_deg=77.0)
    result = detector.predict(photograph(toy_gaussians(), far, CAMERA.through(Lens(1.3)))[0])
    assert result.status == "ok"
    assert result.extra["lens"].zoom == pytest.approx(1.3, rel=0.05)
    assert rotation_error_deg(result.cam_from_world, far) < 0.5
    zoom = result.extra["lens"].zoom
    assert result.message == f"the photo's focal length is not that of the training views (x {zoom:.2f}); corrected"


def test_a_saved_model_says_the_same(detector: object, good: np.ndarray, tmp_path: Path) -> None:
    file = detector.save(tmp_path / "toy.paad")
    again = paad.load(file)
    a, b = detector.predict(_stained(good)), again.predict(_stained(good))
    assert a.score == pytest.approx(b.score, rel=1e-3)
    assert a.threshold == b.threshold
    manifest = read_model(file)[1]
    assert manifest["method"] == "paad"
    assert manifest["config"]["steps"] == OPTIONS["steps"]
    cut = write_bytes(tmp_path / "cut.paad", file.read_bytes()[:-1000])
    with pytest.raises(ModelFileError, match=r"cut\.paad"):
        paad.load(cut)
    tensors, _ = read_model(file)
    with pytest.raises(ModelFileError, match="names no method"):
        paad.load(write_model(tmp_path / "nameless.paad", tensors, {}))
    del tensors["remembered"]
    with pytest.raises(ModelFileError, match="lacks a part"):
        paad.load(write_model(tmp_path / "part.paad", tensors, manifest))


def test_wrong_use(detector: object) -> None:
    with pytest.raises(UsageError, match="option 'stepz'"):
        paad.create("paad", stepz=3)
    with pytest.raises(UsageError, match="not fitted"):
        paad.create("paad").predict(np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(UsageError, match="device 'tpu'"):
        paad.create("paad", device="tpu")
    with pytest.raises(DataError, match="shape"):
        detector.predict(np.zeros((9, 9), np.uint8))
    with pytest.raises(DataError, match="not finite"):
        detector.predict(np.full((9, 9, 3), np.nan, np.float32))
    with pytest.raises(UsageError, match="false-alarm rate"):
        detector.predict(np.zeros((9, 9, 3), np.uint8), false_alarm_rate=2.0)
    with pytest.raises(DataError, match="2 usable views"):
        paad.create("paad").fit(posed_views(toy_gaussians())[:2])


@pytest.mark.gpu
def test_cuda_judges_as_the_cpu_does(detector: object, good: np.ndarray, tmp_path: Path) -> None:
    on_gpu = paad.load(detector.save(tmp_path / "m.paad"), device="cuda")
    for image in (good, _stained(good)):
        a, b = detector.predict(image), on_gpu.predict(image)
        assert rotation_error_deg(a.cam_from_world, b.cam_from_world) < 0.2
        assert b.score == pytest.approx(a.score, rel=0.1)
        assert a.status == b.status


@pytest.mark.gpu
def test_a_fit_on_cuda_is_as_good(detector: object, good: np.ndarray) -> None:
    fitted = paad.create("paad", device="cuda", **OPTIONS).fit(posed_views(toy_gaussians(), spacing_deg=24.0))
    quality, usual = fitted.learned.quality, detector.learned.quality
    assert quality.psnr_object > usual.psnr_object - 1.0
    assert fitted.predict(_stained(good), 0.1).status == "defect"


def test_a_symmetric_object_looks_the_same_from_two_poses(detector: object) -> None:
    half_turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0]))
    one = toy_gaussians()
    twice = concatenate([one, dataclasses.replace(one, means=one.means @ half_turn)])
    field = dataclasses.replace(detector.field, splats=Splats.of(twice))
    about = np.eye(4)
    about[:3, :3] = half_turn.numpy()
    pose = pose_from(DIRECTION)
    assert looks_the_same(field, pose, pose @ about, CAMERA)
    assert not looks_the_same(detector.field, pose, pose @ about, CAMERA)
    about[:2, :2] = [[0.0, -1.0], [1.0, 0.0]]
    assert not looks_the_same(field, pose, pose @ about, CAMERA)


def test_a_side_that_no_training_view_shows_is_unknown(detector: object, good: np.ndarray) -> None:
    learned = detector.learned
    away = learned.field.directions @ DIRECTION < -0.5
    behind = dataclasses.replace(learned.field, directions=learned.field.directions[away])
    half = paad.create("paad", device="cpu")
    half._learned = dataclasses.replace(learned, field=behind)
    result = half.predict(good)
    assert result.status == "unknown"
    assert "no training view" in result.message
    assert np.isnan(result.score)
    bold = paad.create("paad", device="cpu", judge_doubtful=True)
    bold._learned = half._learned
    assert bold.predict(good).status != "unknown"


def test_a_doubtful_pose_is_judged_where_that_is_asked_for(detector: object) -> None:
    other, _ = photograph(toy_gaussians(seed=5), pose_from(DIRECTION))
    assert detector.predict(other).status == "unknown"
    bold = paad.create("paad", device="cpu", judge_doubtful=True)
    bold._learned = detector.learned
    result = bold.predict(other, 0.1)  # twelve views tell little of smaller rates
    assert result.status == "defect"
    assert result.score > result.threshold


def test_few_views_are_calibrated_on_views_left_out_in_turn() -> None:
    views = posed_views(toy_gaussians(), spacing_deg=24.0)[::14]
    assert 5 < len(views) < LEAST_TO_SPLIT
    few = paad.create("paad", device="cpu", **{**OPTIONS, "steps": 150}).fit(views)
    assert len(few.learned.calibration.scores) == len(views)
    expectation = few.learned.expectation
    assert expectation.rough
    seen = few.find(views[0].image.astype(np.float32) / 255.0, None)
    own = float(np.sqrt(((seen.compared.query.image - seen.compared.reference) ** 2).mean()))
    assert expectation.error > 2.0 * own  # a view that the fit has seen says nothing of one that it has not
    assert few.predict(views[0].image, 0.1).status == "ok"


@pytest.mark.parametrize(("away", "believed"), [(1.0, True), (2.2, True), (3.0, False), (0.35, False)])
def test_an_object_that_was_guessed_is_believed_at_usual_distances_only(
    detector: object, good: np.ndarray, away: float, believed: bool
) -> None:
    field = detector.field
    pose = pose_from(np.array([0.6, 0.0, 0.8]), distance=away * field.distance)
    photo = field.draw(pose, field.camera).colour
    at = Alignment(pose, 0.0, np.ones(3, np.float32))
    guessed = QueryImage(photo, np.ones(photo.shape[:2], np.float32), field.camera, field.background, photo)
    told = QueryImage(photo, np.ones(photo.shape[:2], np.float32), field.camera, field.background)
    longest = max(photo.shape[:2])
    beside = compared_at(detector.learned, guessed, at, longest)
    assert (beside.explained > 0.9) is believed
    assert beside.agreement > 2.0
    assert is_guessed(field, beside.compared)
    other = compared_at(detector.learned, told, at, longest)
    assert not is_guessed(field, other.compared)
    assert other.agreement == 0.0


def test_what_is_explained_by_light_alone_is_not_believed(detector: object) -> None:
    """A grey wall looks like a grey object under some light; it has not its edges."""
    field = detector.field
    pose = pose_from(np.array([0.6, 0.0, 0.8]), distance=field.distance)
    drawn = field.draw(pose, field.camera)
    own = drawn.colour[drawn.alpha > 0.9].mean(axis=0)
    wall = np.broadcast_to(own, drawn.colour.shape).astype(np.float32).copy()
    guessed = QueryImage(wall, np.ones(wall.shape[:2], np.float32), field.camera, field.background, wall)
    beside = compared_at(detector.learned, guessed, Alignment(pose, 0.0, np.ones(3, np.float32)), max(wall.shape[:2]))
    assert beside.agreement < 1.0
    assert beside.explained == 0.0
