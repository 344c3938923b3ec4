"""Rendering one piece of a data set, start to end, in whatever process it lands."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paad.data.files import write_bytes, write_json
from paad.errors import DataError
from paad.geometry.conventions import opengl_of_cam_from_world
from paad.synth import rig
from paad.synth.dataset_objects import SynthObject, load_object
from paad.synth.dataset_plan import Job, Piece, picture_paths, rng_of
from paad.synth.defects import Damage, area_of_share, exposed_spot, wanted_share
from paad.synth.defects_burrs import burr
from paad.synth.defects_missing import chip, remove_parts
from paad.synth.defects_stains import stain
from paad.synth.looks import SIM_LIGHTING, random_lighting
from paad.synth.looks_photo import on_white, photographed, random_shot
from paad.synth.looks_tables import table_texture
from paad.synth.masks import buffers, change_mask, window_of
from paad.synth.render_scene import Backdrop, Lens, Scene
from paad.synth.render_surface import Surface, concatenate, linear_of_srgb
from paad.types import Bool, Float32, Float64, UInt8

TABLES = 3
"""Tables an object stands on in the ``real`` look: two in the training photos, all three in the test photos."""
LARGEST_SHARE = 0.12
_VIEWS_A_WANTED_ONE, _DAMAGES = 15, 60
_SIZES, _NEAR_ENOUGH = 5, 1.5
"""Specimens that are tried until one shows a defect of the wanted size, and the factor within which it is."""


@dataclass(frozen=True)
class View:
    """One picture to take: its number, its camera and, for a defect, its mask."""

    index: int
    cam_from_world: Float64
    mask: Bool | None = None


def render_piece(job: Job, piece: Piece) -> list[dict[str, Any]]:
    """Render and write every picture of ``piece``; returns one record a picture, also left in the work folder.

    Raises:
        DataError: no such defect could be placed on this object so that it shows.
        PaadError: a file cannot be written.
    """
    thing = loaded_object(piece.source, job.library)
    if piece.label in ("train", "good"):
        damage, views = None, list(_good_views(job, piece))
    else:
        damage, views = damaged_views(job, piece, thing)
    table = _table(job, piece)
    scene = (
        good_scene(job, piece.source, table) if damage is None else specimen_scene(job, thing, damage.surface, table)
    )
    records = [_take(job, piece, scene, view, damage) for view in views]
    write_json(job.out / ".paad-synth" / piece.name / f"{piece.key}.json", records)
    return records


def _good_views(job: Job, piece: Piece) -> Iterator[View]:
    """Cameras of training and good test pictures."""
    radius = rig.radius_of(piece.name)
    if piece.label == "train":
        count = job.profile.counts(job.look).train
        rng = rng_of(job.seed, piece.name, job.look, "rig")
        poses = rig.mad_rig(count, radius) if job.look == "sim" else rig.table_rig(count, radius, rng)
        for index in range(piece.first, piece.first + piece.count):
            yield View(index, poses[index])
    else:
        for index in range(piece.first, piece.first + piece.count):
            yield View(index, _random_view(job, piece.name, rng_of(job.seed, piece.name, job.look, "good", index)))


def _random_view(job: Job, name: str, rng: np.random.Generator) -> Float64:
    take = rig.sphere_view if job.look == "sim" else rig.table_view
    return take(rng, rig.radius_of(name))


def damaged_views(job: Job, piece: Piece, thing: SynthObject) -> tuple[Damage, list[View]]:
    """A damaged specimen and views that show the damage, tried until there are enough of them.

    What the views show of a defect is smaller than what it is face on. Of a few specimens, whose defects grow or shrink
    with what was seen of the last, the one is taken whose views come nearest to the wanted share of the picture.

    Raises:
        DataError: no such defect could be placed on this object so that it shows.
    """
    camera, words = job.profile.camera, (piece.name, job.look, piece.label, piece.specimen)
    wanted = max(
        wanted_share(rng_of(job.seed, *words, "size")), job.profile.least_visible_px / (camera.width * camera.height)
    )
    best, off, boost, found = None, np.inf, 1.0, 0
    for attempt in range(_DAMAGES):
        tried = _damage_seen(job, piece, thing, boost * wanted, rng_of(job.seed, *words, attempt))
        if tried is None:
            continue
        ratio = float(np.median([view.mask.mean() for view in tried[1] if view.mask is not None])) / wanted
        if abs(np.log(ratio)) < off:
            best, off = tried, abs(float(np.log(ratio)))
        found += 1
        if off < np.log(_NEAR_ENOUGH) or found == _SIZES:
            break
        boost = float(np.clip(boost / ratio, 0.25, 8.0))
    if best is None:
        raise DataError(
            f"{piece.name}: no {piece.label} of at least {job.profile.least_visible_px} visible pixels could be placed "
            f"in {_DAMAGES} tries; the object is too small for it at {job.profile.size_px} px. "
            "Use a larger profile"
        )
    return best


def _damage_seen(
    job: Job, piece: Piece, thing: SynthObject, share: float, rng: np.random.Generator
) -> tuple[Damage, list[View]] | None:
    """A random damage that fills ``share`` of a picture face on, and views that show it; None if there are too few."""
    good = good_scene(job, piece.source, None)
    camera, profile = job.profile.camera, job.profile
    spot = exposed_spot(good, _random_view(job, piece.name, rng), camera, rng)
    area = area_of_share(share, camera, rig.radius_of(piece.name))
    damage = None if spot is None else _damage(piece.label, thing, good.surface, area, spot, rng)
    if damage is None:
        return None
    bad = Scene(damage.surface, SIM_LIGHTING, variant=job.variant)
    views: list[View] = []
    for _ in range(_VIEWS_A_WANTED_ONE * piece.count):
        pose = _random_view(job, piece.name, rng)
        mask = change_mask(good, bad, damage, camera, pose, profile.mask_samples)
        if profile.least_visible_px <= mask.sum() <= LARGEST_SHARE * mask.size:
            views.append(View(piece.first + len(views), pose, mask))
        if len(views) == piece.count:
            return damage, views
    return None


def _damage(
    kind: str, thing: SynthObject, surface: Surface, area: float, spot: Any, rng: np.random.Generator
) -> Damage | None:
    if kind == "Stains":
        return stain(surface, area, spot, rng)
    if kind == "Burrs":
        return burr(surface, area, spot, rng)
    removed = remove_parts(thing.parts, thing.holds, area, spot, rng) if len(thing.parts) > 1 else None
    return removed or chip(surface, area, spot, rng)


def _take(job: Job, piece: Piece, scene: Scene, view: View, damage: Damage | None) -> dict[str, Any]:
    """Render one picture, write it with its masks, and say what is on it."""
    rng = rng_of(job.seed, piece.name, job.look, piece.label, "photo", view.index)
    light_seed = int(rng.integers(2**31))
    file, mask_file = picture_paths(piece, view.index)
    folder = job.out / piece.name
    record: dict[str, Any] = {
        "file": file,
        "label": "good" if damage is None else piece.label,
        "specimen": None if damage is None else f"{piece.label}-{piece.specimen}",
        "seed": light_seed,
        "world_from_cam_opengl": opengl_of_cam_from_world(view.cam_from_world).tolist(),
    }
    picture = take_picture(job, scene, view, light_seed, rng, record)
    record["file_sha256"] = _write_png(folder / file, picture)
    if job.buffers:
        record["buffers"] = f"buffers/{Path(file).with_suffix('.npz')}"
        record["buffers_sha256"] = _write_buffers(folder / record["buffers"], job, scene, view)
    if damage is not None and view.mask is not None and mask_file is not None:
        record["defect"] = damage.facts
        record["visible_px"] = int(view.mask.sum())
        record["visible_share"] = round(float(view.mask.mean()), 7)
        record["mask"] = mask_file
        record["mask_sha256"] = _write_png(folder / mask_file, view.mask.astype(np.uint8) * 255)
    elif job.look == "real" and piece.label == "train":
        record["object_mask"] = f"train/mask/{view.index:03d}.png"
        record["object_mask_sha256"] = _write_png(folder / record["object_mask"], _object_mask(job, scene, view))
    return record


def take_picture(
    job: Job,
    scene: Scene,
    view: View,
    seed: int,
    rng: np.random.Generator | None = None,
    record: dict[str, Any] | None = None,
) -> UInt8:
    """One picture [H, W, 3] in the job's look; what the camera of the ``real`` look did goes into ``record``."""
    if job.look == "sim":
        return _sim_picture(job, scene, view, seed)
    picture, facts = _real_picture(job, scene, view, seed, rng or np.random.default_rng(seed))
    if record is not None:
        record["photo"] = facts
    return picture


def _sim_picture(job: Job, scene: Scene, view: View, seed: int) -> UInt8:
    """The object on white; only the window that it fills is rendered."""
    camera = job.profile.camera
    picture = np.full((camera.height, camera.width, 3), 255, np.uint8)
    window = window_of(scene.surface.corners.reshape(-1, 3), camera, view.cam_from_world, margin=1)
    if window is not None:
        x0, y0, x1, y1 = window
        rgb, alpha = scene.picture(camera, view.cam_from_world, job.profile.samples, seed, window)
        picture[y0:y1, x0:x1] = on_white(rgb, alpha)
    return picture


def _real_picture(
    job: Job, scene: Scene, view: View, seed: int, rng: np.random.Generator
) -> tuple[UInt8, dict[str, Any]]:
    """A photo on a table: light, lens and camera differ from shot to shot."""
    scene.relight(random_lighting(rng))
    shot = random_shot(rng)
    distance = float(np.linalg.norm(view.cam_from_world[:3, 3]))
    lens = Lens(aperture=float(rng.uniform(0.004, 0.014)), focus=distance * float(rng.normal(1.0, 0.02)))
    rgb, _ = scene.picture(job.profile.camera, view.cam_from_world, job.profile.samples, seed, lens=lens)
    facts = {"aperture": lens.aperture, "focus": lens.focus, **vars(shot)}
    return photographed(rgb, shot, rng), facts


def _object_mask(job: Job, scene: Scene, view: View) -> UInt8:
    """How much of each pixel the object covers, 0 to 255, from the mask's own samples."""
    n, camera = job.profile.mask_samples, job.profile.camera
    fine = camera.resized(camera.width * n, camera.height * n)
    mask = np.zeros((camera.height, camera.width), np.uint8)
    window = window_of(scene.surface.corners.reshape(-1, 3), camera, view.cam_from_world, margin=0)
    if window is not None:
        x0, y0, x1, y1 = window
        triangle, _ = scene.hits(fine, view.cam_from_world, (n * x0, n * y0, n * x1, n * y1))
        cover = (triangle >= 0).reshape(y1 - y0, n, x1 - x0, n).mean(axis=(1, 3))
        mask[y0:y1, x0:x1] = np.rint(255.0 * cover).astype(np.uint8)
    return mask


def _write_png(path: Path, picture: UInt8) -> str:
    """Write an RGB or grey picture; returns the SHA-256 of the file."""
    import cv2

    done, code = cv2.imencode(".png", picture[..., ::-1] if picture.ndim == 3 else picture)
    if not done:
        raise DataError(f"{path}: the PNG encoder refused a picture of shape {picture.shape}")
    content = code.tobytes()
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def _write_buffers(path: Path, job: Job, scene: Scene, view: View) -> str:
    """Write the noise-free buffers of the whole picture (compressed .npz); returns the SHA-256 of the file."""
    found = buffers(scene, job.profile.camera, view.cam_from_world)
    stream = io.BytesIO()
    np.savez_compressed(
        stream, depth=found.depth, normal=found.normal.astype(np.float16), albedo=found.albedo, part=found.part
    )
    write_bytes(path, stream.getvalue())
    return hashlib.sha256(stream.getvalue()).hexdigest()


def _table(job: Job, piece: Piece) -> int | None:
    """The table of the ``real`` look that a piece is photographed on."""
    if job.look == "sim":
        return None
    if piece.label == "train":
        return (piece.first // 15) % (TABLES - 1)
    return int(rng_of(job.seed, piece.name, piece.label, piece.specimen, piece.first, "table").integers(TABLES))


def specimen_scene(job: Job, thing: SynthObject, surface: Surface, table: int | None) -> Scene:
    """A specimen alone in the light of the ``sim`` look, or on a table of the ``real`` look."""
    if table is None:
        return Scene(surface, SIM_LIGHTING, variant=job.variant)
    backdrop = Backdrop(thing.floor - 1e-3, 8.0, _texture(job.seed, thing.name, table))
    return Scene(surface, SIM_LIGHTING, backdrop, job.variant)


@functools.lru_cache(maxsize=TABLES)
def _texture(seed: int, name: str, table: int) -> Float32:
    return linear_of_srgb(table_texture(rng_of(seed, name, "texture", table))[0])


@functools.lru_cache(maxsize=1)
def loaded_object(source: str, library: Path | None) -> SynthObject:
    """:func:`load_object`, kept for the next piece of the same object."""
    return load_object(source, library)


@functools.lru_cache(maxsize=2)
def good_scene(job: Job, source: str, table: int | None) -> Scene:
    """The good specimen on a table (None: alone), kept for the next piece that needs it."""
    thing = loaded_object(source, job.library)
    return specimen_scene(job, thing, concatenate(thing.parts), table)
