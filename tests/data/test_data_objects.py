"""Object folders in every layout the contract names, and every way they can be broken."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_folders import CAMERA, picture, poses, save
from PIL import Image

import paad
from paad.data import write_transforms
from paad.data.listing import natural_key
from paad.data.transforms import read_transforms
from paad.errors import DataError
from paad.geometry.conventions import opengl_of_cam_from_world

Make = Callable[..., Path]


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_mad_folder(make_object: Make) -> None:
    root = make_object(views=12)
    toy = paad.open_object(root)
    assert (toy.name, len(toy.train), toy.problems) == ("toy", 12, [])
    assert toy.train.names[:3] == ["train/good/0.png", "train/good/1.png", "train/good/2.png"]
    assert toy.train.names[-1] == "train/good/11.png", "natural order"
    np.testing.assert_allclose(toy.train.poses, poses(12), atol=1e-15)
    view = toy.train[3]
    np.testing.assert_array_equal(view.image, picture(3))
    assert view.camera == CAMERA
    assert [q.name for q in toy.test] == ["test/good/0.png", "test/Burrs/0.png", "test/Burrs/10.png"]
    assert list(toy.test_poses) == ["test/Burrs/0.png"]
    assert toy.points is None


def test_subsets_keep_order_and_the_decision_on_masks(make_object: Make) -> None:
    views = paad.open_object(make_object(views=6)).train
    some = views.subset([4, 1])
    assert some.names == ["train/good/4.png", "train/good/1.png"]
    assert views[1:3].names == ["train/good/1.png", "train/good/2.png"]
    assert views[-1].name == "train/good/5.png"
    assert some.mask_policy is views.mask_policy
    assert len(list(views)) == 6
    with pytest.raises(IndexError):
        views[6]


def test_queries_and_their_masks(make_object: Make) -> None:
    good, burr, other = paad.open_object(make_object()).test
    assert (good.label, good.is_defect, burr.label, burr.is_defect) == ("good", False, "Burrs", True)
    assert not good.load_mask(good.load_image().shape).any()
    for query in (burr, other):
        assert query.mask_path is not None
        assert query.mask_path != query.path
        assert query.load_mask((24, 32)).sum() == 15
    assert burr.load_mask((48, 64)).sum() == 60
    burr.mask_path.unlink()
    toy = paad.open_object(burr.path.parents[2])
    assert any("test/Burrs/0.png" in p.file for p in toy.problems)
    with pytest.raises(DataError, match=r"0\.png: a defect without a mask"):
        toy.test[1].load_mask((24, 32))


def test_masks_from_alpha_from_files_and_from_the_background(make_object: Make) -> None:
    alpha = paad.open_object(make_object(alpha=True, name="alpha")).train
    assert (alpha.mask_source, alpha.mask_confidence, alpha.background) == ("alpha", 1.0, None)
    assert alpha[0].image.shape == (24, 32, 3)
    np.testing.assert_array_equal(alpha[0].mask, picture(0, alpha=True)[..., 3] / 255)
    plain = paad.open_object(make_object(name="plain")).train
    assert plain.mask_source == "background"
    np.testing.assert_allclose(plain.background, 1.0)
    assert ((plain[2].mask > 0.5) == (alpha[2].mask > 0.5)).mean() > 0.98
    root = make_object(name="given")
    for i in range(5):
        save(root / f"masks/{i}.png", np.full((24, 32), 255 if i else 0, np.uint8))
    edit(root / "transforms.json", lambda c: [f.update(mask_path=f"masks/{f['file_path'][11:]}") for f in c["frames"]])
    given = paad.open_object(root).train
    assert given.mask_source == "mask_path"
    assert [float(v.mask.mean()) for v in given] == [0, 1, 1, 1, 1]
    save(root / "masks/1.png", np.zeros((5, 5), np.uint8))
    with pytest.raises(DataError, match=r"1\.png: the mask is 5x5"):
        given[1]
    noisy = make_object(name="noisy")
    for i in range(5):
        save(noisy / f"train/good/{i}.png", np.random.default_rng(i).integers(0, 256, (24, 32, 3), dtype=np.uint8))
    views = paad.open_object(noisy).train
    assert (views.mask_source, views[0].mask, views.background) == ("none", None, None)


@pytest.mark.parametrize(
    "written", ["./train/good/{:03d}", "train\\good\\{}.png", "train/good/{}.JPG", "/data/x/{}.png"]
)
def test_file_paths_are_read_tolerantly(make_object: Make, written: str) -> None:
    root = make_object()
    edit(root / "transforms.json", lambda c: [f.update(file_path=written.format(i)) for i, f in enumerate(c["frames"])])
    np.testing.assert_allclose(paad.open_object(root).train.poses, poses(5), atol=1e-15)


def test_per_frame_intrinsics_mixed_sizes_and_jpeg(make_object: Make) -> None:
    root = make_object()
    (root / "train/good/1.png").unlink()
    save(root / "train/good/1.jpg", picture(1, width=64, height=48))

    def change(content: dict[str, Any]) -> None:
        content.pop("camera_angle_x")
        for key in ("w", "h", "fl_x", "fl_y", "cx", "cy"):
            value = content.pop(key)
            for i, frame in enumerate(content["frames"]):
                frame[key] = value * (2 if i == 1 else 1)

    edit(root / "transforms.json", change)
    toy = paad.open_object(root)
    assert toy.train.cameras[1] == CAMERA.resized(64, 48)
    assert toy.train[1].image.shape == (48, 64, 3)
    assert toy.problems == []


def test_angle_only_is_for_each_images_own_size(make_object: Make) -> None:
    root = make_object()
    for key in ("w", "h", "fl_x", "fl_y", "cx", "cy"):
        edit(root / "transforms.json", lambda c, key=key: c.pop(key))
    save(root / "train/good/2.png", picture(2, width=64, height=48))
    cameras = paad.open_object(root).train.cameras
    assert cameras[0] == CAMERA
    np.testing.assert_allclose(cameras[2].fx, 80.0)


def test_intrinsics_of_another_size_are_scaled_and_that_is_said(make_object: Make) -> None:
    root = make_object()
    edit(root / "transforms.json", lambda c: c.update(w=64, h=48, fl_x=80, fl_y=80, cx=32, cy=24))
    toy = paad.open_object(root)
    assert toy.train.cameras == [CAMERA] * 5
    assert [p.severity for p in toy.problems] == ["notice"]
    assert "64x48" in toy.problems[0].message
    edit(root / "transforms.json", lambda c: c.update(w=48))
    assert [p.severity for p in paad.open_object(root).problems] == ["warning"]


def test_exif_rotation_of_training_images(make_object: Make) -> None:
    root = make_object()
    exif = Image.Exif()
    exif[274] = 6
    save(root / "train/good/0.png", np.rot90(picture(0)), exif=exif)
    save(root / "train/good/1.png", picture(1), exif=exif)
    toy = paad.open_object(root)
    np.testing.assert_array_equal(toy.train[0].image, picture(0))
    np.testing.assert_array_equal(toy.train[1].image, picture(1))
    assert ["applied" in p.message for p in toy.problems] == [True, False]


def test_nerf_style(make_object: Make) -> None:
    root = make_object()
    shutil.rmtree(root / "test")
    (root / "transforms.json").unlink()
    for split in ("train", "test"):
        named = {f"./{split}/r_{i}": pose for i, pose in enumerate(poses(4))}
        write_transforms(root / f"transforms_{split}.json", CAMERA, named)
        for i in range(4):
            save(root / f"{split}/r_{i}.png", picture(i, alpha=True))
        save(root / f"{split}/r_0_depth_0001.png", picture(9))
    toy = paad.open_object(root)
    assert toy.train.names == [f"train/r_{i}.png" for i in range(4)]
    assert [(q.name, q.label) for q in toy.test] == [(f"test/r_{i}.png", "good") for i in range(4)]
    assert set(toy.test_poses) >= {q.name for q in toy.test}


def test_test_images_in_the_pose_file_are_not_trained_on(make_object: Make) -> None:
    root = make_object()
    matrix = opengl_of_cam_from_world(poses(3)[2]).tolist()
    extra = {"file_path": "test/good/0.png", "transform_matrix": matrix}
    edit(root / "transforms.json", lambda c: c["frames"].append(extra))
    toy = paad.open_object(root)
    assert len(toy.train) == 5
    assert "test/good/0.png" in toy.test_poses
    assert toy.problems[0].severity == "notice"


def test_a_folder_without_poses(make_object: Make) -> None:
    root = make_object()
    (root / "transforms.json").unlink()
    toy = paad.open_object(root)
    assert not toy.has_poses
    assert len(toy.train_images) == 5
    assert toy.train_images[2].name == "train/good/2.png"
    assert toy.train_images[2].mask is not None
    assert toy.train_images[1:3].names == toy.train_images.subset([1, 2]).names
    with pytest.raises(DataError, match=r"transforms\.json.*poses"):
        _ = toy.train
    shutil.rmtree(root / "train")
    assert len(paad.open_object(root).test) == 3, "enough to evaluate on"


def test_bad_frames_are_left_out_and_named(make_object: Make) -> None:
    root = make_object(views=12)
    (root / "train/good/0.png").unlink()
    (root / "train/good/1.png").write_bytes(b"")
    whole = (root / "train/good/2.png").read_bytes()
    (root / "train/good/2.png").write_bytes(whole[: len(whole) // 2])

    def change(content: dict[str, Any]) -> None:
        frames = content["frames"]
        frames[3]["transform_matrix"][0][0] = 7.0
        frames[4]["transform_matrix"][1][3] = float("nan")
        frames[5]["transform_matrix"] = "up"
        frames[6]["fl_x"] = -3
        del frames[7]["file_path"]
        frames.append(dict(frames[8]))

    edit(root / "transforms.json", change)
    toy = paad.open_object(root)
    assert toy.train.names == [f"train/good/{i}.png" for i in (8, 9, 10, 11)]
    text = "\n".join(map(str, toy.problems))
    for i, reason in {
        0: "no such image", 1: "0 bytes", 2: "truncated", 3: "not a rigid",
        4: "NaN", 5: "4x4", 6: "positive", 8: "twice",
    }.items():  # fmt: skip
        assert any(f"train/good/{i}.png" in str(p) and reason in str(p) for p in toy.problems), (i, text)
    assert any("frame 7" in p.message for p in toy.problems)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"frames": [', "broken JSON at line 1"),
        ("[]", "must be an object"),
        ("{}", "'frames' is missing"),
        ("\0\xff", "broken JSON"),
        ('{"frames": []}', "0 usable posed views"),
        (
            '{"camera_angle_x": "wide", "frames": [{"file_path": "train/good/0.png", "transform_matrix": []}]}',
            "at least 3",
        ),
    ],
)
def test_a_broken_pose_file_is_an_error_with_its_name(make_object: Make, content: str, message: str) -> None:
    root = make_object()
    (root / "transforms.json").write_text(content)
    with pytest.raises(DataError, match=r"transforms\.json") as caught:
        paad.open_object(root)
    assert message in str(caught.value)
    assert caught.value.exit_code == 3


def test_fewer_than_three_views_and_wrong_folders(make_object: Make, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"transforms\.json: 2 usable posed views; at least 3"):
        paad.open_object(make_object(views=2))
    with pytest.raises(DataError, match=r"nowhere: no such folder"):
        paad.open_object(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"it holds the objects toy"):
        paad.open_object(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no images"):
        paad.open_object(tmp_path / "empty")


def test_unusable_camera_models_are_named(make_object: Make) -> None:
    for key, value, reason in (
        ("camera_model", "OPENCV_FISHEYE", "FISHEYE"),
        ("k4", 0.1, "k4"),
        ("w", 0, "w is 0"),
        ("fl_x", 10**400, "fl_x is 1000"),
        ("cx", "left", "cx is left"),
    ):
        root = make_object(name=key)
        edit(root / "transforms.json", lambda c, key=key, value=value: c.update({key: value}))
        with pytest.raises(DataError, match=reason):
            paad.open_object(root)
    root = make_object(name="lens")
    edit(root / "transforms.json", lambda c: c.update(k1=-0.1, p2=0.01))
    assert paad.open_object(root).train.frames[0].distortion == (-0.1, 0.0, 0.0, 0.01, 0.0)


def test_the_fingerprint_follows_the_data(make_object: Make) -> None:
    root = make_object()
    before, train = paad.open_object(root).fingerprint(), paad.open_object(root).fingerprint("train")
    assert before == paad.open_object(root).fingerprint()
    save(root / "test/good/1.png", picture(7))
    assert before != paad.open_object(root).fingerprint()
    assert train == paad.open_object(root).fingerprint("train")
    edit(root / "transforms.json", lambda c: c["frames"][0]["transform_matrix"][0].__setitem__(3, 9.0))
    assert train != paad.open_object(root).fingerprint("train")


def test_written_poses_are_read_back_exactly(tmp_path: Path) -> None:
    named = {f"{i}.png": pose for i, pose in enumerate(poses(9))}
    records, problems = read_transforms(write_transforms(tmp_path / "t.json", CAMERA, named))
    assert problems == []
    for record in records:
        np.testing.assert_allclose(record.cam_from_world, named[record.file_path], rtol=0, atol=1e-15)


def test_natural_order() -> None:
    names = ["10", "9", "a10b", "a9b", "007", "A1"]
    assert sorted(names, key=natural_key) == ["007", "9", "10", "A1", "a9b", "a10b"]


def test_210_views_open_fast(make_object: Make) -> None:
    root = make_object(views=210)
    paad.open_object(root)
    start = time.thread_time()
    assert len(paad.open_object(root).train) == 210
    assert time.thread_time() - start < 0.5
