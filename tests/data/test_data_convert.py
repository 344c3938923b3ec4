"""Conversions keep poses, cameras and pixels, and never write where they should not."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from data_folders import picture, save
from PIL import Image

import paad
from paad.data import convert_object
from paad.errors import DataError, UsageError

Make = Callable[..., Path]


@pytest.mark.parametrize("chain", list(permutations(["mad", "nerfstudio", "colmap"])))
def test_any_chain_of_conversions_keeps_the_views(make_object: Make, tmp_path: Path, chain: tuple[str, ...]) -> None:
    root = make_object(views=11, alpha=True)
    before = paad.open_object(root)
    for i, layout in enumerate(chain):
        root = convert_object(root, tmp_path / str(i), layout)  # type: ignore[arg-type]
        after = paad.open_object(root)
        assert after.problems == []
        np.testing.assert_allclose(after.train.poses, before.train.poses, rtol=0, atol=1e-14)
        assert after.train.cameras == before.train.cameras
        assert [Path(n).name for n in after.train.names] == [Path(n).name for n in before.train.names]
    np.testing.assert_array_equal(after.train[4].image, before.train[4].image)
    np.testing.assert_array_equal(after.train[4].mask, before.train[4].mask)


def test_mad_takes_the_test_images_along(make_object: Make, tmp_path: Path) -> None:
    source = make_object()
    before = {p: p.read_bytes() for p in source.rglob("*") if p.is_file()}
    copy = paad.open_object(convert_object(source, tmp_path / "new/copy", "mad"))
    original = paad.open_object(source)
    assert [(q.name, q.label) for q in copy.test] == [(q.name, q.label) for q in original.test]
    assert copy.test[2].load_mask((24, 32)).sum() == 15
    for name, pose in original.test_poses.items():
        np.testing.assert_allclose(copy.test_poses[name], pose, rtol=0, atol=1e-15)
    assert {p: p.read_bytes() for p in source.rglob("*") if p.is_file()} == before, "the source is untouched"
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["copy"], "no temporary folder stays"


def test_masks_distortion_rotation_and_mixed_cameras(make_object: Make, tmp_path: Path) -> None:
    root = make_object()
    path = root / "transforms.json"
    content = json.loads(path.read_text())
    content["frames"][0]["k1"] = -0.1
    for i in range(5):
        save(root / f"masks/{i}.png", picture(i, alpha=True)[..., 3])
        content["frames"][i]["mask_path"] = f"masks/{i}.png"
    path.write_text(json.dumps(content))
    exif = Image.Exif()
    exif[274] = 3
    save(root / "train/good/1.png", picture(1)[::-1, ::-1], exif=exif)
    save(root / "train/good/2.png", picture(2, width=64, height=48))
    save(root / "masks/2.png", picture(2, alpha=True, width=64, height=48)[..., 3])
    before = paad.open_object(root).train
    after = paad.open_object(convert_object(root, tmp_path / "out", "nerfstudio"))
    assert after.problems == []
    assert after.train.mask_source == "mask_path"
    for old, new in zip(before, after.train):
        np.testing.assert_array_equal(old.image, new.image)
        np.testing.assert_array_equal(old.mask, new.mask)
        assert old.camera == new.camera


def test_where_it_must_not_write(make_object: Make, tmp_path: Path) -> None:
    root = make_object()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/other.txt").write_text("mine")
    for target in (root, root / "inside", tmp_path / "full", root / "transforms.json"):
        with pytest.raises(UsageError, match=target.name):
            convert_object(root, target)
    with pytest.raises(UsageError, match="blender"):
        convert_object(root, tmp_path / "out", "blender")  # type: ignore[arg-type]
    (root / "transforms.json").unlink()
    with pytest.raises(DataError, match=r"transforms\.json"):
        convert_object(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "empty").mkdir()
    convert_object(make_object(name="other"), tmp_path / "empty")
    assert (tmp_path / "empty/transforms.json").is_file()


def test_the_same_name_in_two_folders(make_object: Make, tmp_path: Path) -> None:
    root = make_object()
    content = json.loads((root / "transforms.json").read_text())
    save(root / "other/1.png", picture(50))
    content["frames"][3]["file_path"] = "other/1.png"
    (root / "transforms.json").write_text(json.dumps(content))
    (root / "train/good/3.png").unlink()
    before = paad.open_object(root)
    after = paad.open_object(convert_object(root, tmp_path / "out", "colmap"))
    assert len(after.train) == len(before.train) == 5
    stems = sorted(Path(name).stem for name in after.train.names)
    assert stems in (["0", "1", "2", "4", "other_1"], ["0", "1", "2", "4", "train_good_1"])
    pixels = {view.image.tobytes() for view in after.train}
    assert pixels == {view.image.tobytes() for view in before.train}
