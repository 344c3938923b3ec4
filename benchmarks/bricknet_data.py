"""Training pictures of the embedded backbone: python benchmarks/bricknet_data.py OUT [--assemblies 250] [--seed 0].

Random brick assemblies, none of the twenty toys. Each is photographed in groups of three pictures from neighbouring
directions: two of the good specimen, one of a specimen with a defect; with what the generator knows of every pixel.
One file an assembly, ``OUT/<number>.npz``; files that are there are kept, so that the command can be run again.

Arrays of a file, G groups of 3 pictures of 160 px: ``rgba`` uint8 [G, 3, H, W, 4] (sRGB, over white; alpha is the
object's coverage), ``distance`` float16 [G, 3, H, W] (0: nothing), ``normal`` int8 [G, 2, H, W, 3] (camera frame, times
127), ``part`` uint8 [G, 2, H, W] (255: nothing), ``albedo`` uint8 [G, 2, H, W, 3], ``pose`` float64 [G, 3, 4, 4]
(cam_from_world), ``changed`` bool [G, H, W] (of the third picture), ``kind`` [G] (index into Burrs, Missing, Stains).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from paad.data.files import whole_file
from paad.geometry.camera import Camera
from paad.synth import rig
from paad.synth.colors import known_colors, ldraw_color
from paad.synth.defects import KINDS, Damage, area_of_share, exposed_spot, wanted_share
from paad.synth.defects_burrs import burr
from paad.synth.defects_missing import chip, remove_parts
from paad.synth.defects_stains import stain
from paad.synth.looks import SIM_LIGHTING, random_lighting
from paad.synth.looks_photo import on_white
from paad.synth.masks import Buffers, buffers, change_mask, window_of
from paad.synth.model import BrickModel
from paad.synth.parts import known_parts, part_mesh, part_shape
from paad.synth.render_scene import Scene
from paad.synth.render_surface import (
    METAL,
    SOLID,
    Surface,
    concatenate,
    linear_of_srgb,
    placed,
    srgb_of_linear,
    surface_of_mesh,
)
from paad.synth.toys.build import PLATE, STUD, Builder

SIDE = 160
GROUPS = 4
NEAR_DEG = 12.0
"""Pictures of a group are taken from directions at most this far from the group's own; MAD's rig has 20 between."""


def assembly(rng: np.random.Generator) -> BrickModel:
    """A pile of 12 to 45 random parts on the stud grid: each stands on the highest thing below it."""
    builder = Builder("random")
    parts = list(known_parts())
    solid = [c.code for c in known_colors() if c.alpha == 1.0 and c.finish in ("solid", "metal", "pearlescent")]
    palette = rng.choice(solid, int(rng.integers(2, 7)), replace=False)
    side = int(rng.integers(4, 9))
    height = np.zeros((side, side))
    wanted = int(rng.integers(12, 46))
    for _ in range(4 * wanted):
        if len(builder.bricks) >= wanted:
            break
        part, turn = str(rng.choice(parts)), int(rng.integers(4))
        tip = int(rng.choice([0, 1, 2, 3], p=[0.85, 0.05, 0.05, 0.05]))
        brick = builder.put(part, int(rng.choice(palette)), 0, 0, 0, turn, tip)
        builder.bricks.pop()
        points = np.concatenate([p @ brick.transform[:3, :3].T for p in part_shape(part).solids])
        size = np.ptp(points, axis=0)
        nx, nz = (max(1, int(np.ceil(v / STUD - 0.2))) for v in (size[0], size[2]))
        if nx > side or nz > side:
            continue
        # Two thirds pile up near what is there already, so that the pile is compact and not flat.
        x, z = int(rng.integers(side - nx + 1)), int(rng.integers(side - nz + 1))
        below = height[x : x + nx, z : z + nz]
        if below.max() > rng.uniform(4, 22):
            continue
        up = float(below.max())
        builder.put(part, brick.color, x, z, up, turn, tip)
        height[x : x + nx, z : z + nz] = up + np.ceil(size[1] / PLATE - 0.3)
    return builder.model()


def surfaces_of(model: BrickModel) -> list[Surface]:
    """The bricks as surfaces in the world, within the rig's radius."""
    meshes = [part_mesh(b.part).moved(np.asarray(b.transform)) for b in model.bricks]
    placement = placed(meshes, rig.OBJECT_RADIUS)
    out = []
    for index, (brick, mesh) in enumerate(zip(model.bricks, meshes)):
        color = ldraw_color(brick.color)
        finish = METAL if color.finish in ("metal", "chrome", "pearlescent") else SOLID
        out.append(surface_of_mesh(mesh, linear_of_srgb(color.rgb).tolist(), finish, index, placement))
    return out


def damaged(
    rng: np.random.Generator, good: Scene, parts: list[Surface], pose: np.ndarray, camera: Camera
) -> tuple[int, Damage] | None:
    """A random kind of defect where a camera sees it, and the specimen that has it."""
    spot = exposed_spot(good, pose, camera, rng)
    if spot is None:
        return None
    area = area_of_share(wanted_share(rng), camera, 3.3)
    kind = int(rng.integers(3))
    if KINDS[kind] == "Stains":
        damage = stain(good.surface, area, spot, rng)
    elif KINDS[kind] == "Burrs":
        damage = burr(good.surface, area, spot, rng)
    else:
        damage = remove_parts(parts, lambda gone: len(gone) < 4, area, spot, rng) if rng.random() < 0.7 else None
        damage = damage or chip(good.surface, area, spot, rng)
    return None if damage is None else (kind, damage)


def near_pose(rng: np.random.Generator, elevation: float, azimuth: float, radius: float) -> np.ndarray:
    """A camera at most NEAR_DEG from a direction, turned by a few degrees about its axis."""
    off = rng.uniform(-NEAR_DEG, NEAR_DEG, 2) / np.sqrt(2.0)
    level = float(np.clip(elevation + off[0], -88, 88))
    pose = rig.orbit(
        level, azimuth + float(off[1]) / max(np.cos(np.radians(level)), 0.2), radius * float(rng.uniform(0.96, 1.04))
    )
    roll = np.radians(rng.normal(0.0, 4.0))
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]
    return np.asarray(turn @ pose)


def photo(scene: Scene, camera: Camera, pose: np.ndarray, samples: int, seed: int) -> tuple[np.ndarray, Buffers]:
    """sRGB over white with coverage, uint8 [H, W, 4], and the noise-free buffers."""
    rgba = np.full((SIDE, SIDE, 4), 255, np.uint8)
    rgba[..., 3] = 0
    window = window_of(scene.surface.corners.reshape(-1, 3), camera, pose, margin=1)
    if window is not None:
        x0, y0, x1, y1 = window
        rgb, alpha = scene.picture(camera, pose, samples, seed, window)
        rgba[y0:y1, x0:x1, :3] = on_white(rgb, alpha)
        rgba[y0:y1, x0:x1, 3] = np.rint(255 * alpha)
    return rgba, buffers(scene, camera, pose)


def one(number: int, seed: int, samples: int) -> dict[str, np.ndarray]:
    """All arrays of one assembly."""
    rng = np.random.default_rng([seed, number])
    camera = Camera.from_angle_x(rig.ANGLE_X, SIDE, SIDE)
    parts = surfaces_of(assembly(rng))
    lighting = SIM_LIGHTING if rng.random() < 0.6 else random_lighting(rng)
    good = Scene(concatenate(parts), lighting)
    out: dict[str, list[np.ndarray]] = {
        k: [] for k in ("rgba", "distance", "normal", "part", "albedo", "pose", "changed", "kind")
    }
    tries = 0
    while len(out["kind"]) < GROUPS and tries < 4 * GROUPS:
        tries += 1
        elevation, azimuth = float(np.degrees(np.arcsin(rng.uniform(-1, 1)))), float(rng.uniform(0, 360))
        radius = float(rng.uniform(2.6, 3.6))
        poses = [near_pose(rng, elevation, azimuth, radius) for _ in range(3)]
        found = damaged(rng, good, parts, poses[2], camera)
        if found is None:
            continue
        kind, damage = found
        bad = Scene(damage.surface, lighting)
        changed = change_mask(good, bad, damage, camera, poses[2], 2)
        if not 8 <= changed.sum() <= 0.12 * changed.size:
            continue
        shots = [photo(s, camera, p, samples, int(rng.integers(2**31))) for s, p in zip((good, good, bad), poses)]
        out["rgba"].append(np.stack([s[0] for s in shots]))
        out["distance"].append(np.stack([s[1].distance for s in shots]).astype(np.float16))
        normals = [s[1].normal @ p[:3, :3].T for s, p in zip(shots[:2], poses)]
        out["normal"].append(np.rint(127 * np.stack(normals)).astype(np.int8))
        out["part"].append(np.stack([np.where(s[1].part < 0, 255, s[1].part) for s in shots[:2]]).astype(np.uint8))
        out["albedo"].append(np.rint(255 * np.stack([srgb_of_linear(s[1].albedo) for s in shots[:2]])).astype(np.uint8))
        out["pose"].append(np.stack(poses))
        out["changed"].append(changed)
        out["kind"].append(np.array(kind))
    return {k: np.stack(v) for k, v in out.items() if v}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--assemblies", type=int, default=250)
    parser.add_argument("--samples", type=int, default=9, help="light paths a pixel (default: 9)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    begin = time.time()
    for number in range(args.assemblies):
        file = args.out / f"{number:04d}.npz"
        if file.is_file():
            continue
        arrays = one(number, args.seed, args.samples)
        if not arrays:
            print(f"{number}: no defect could be placed; left out")
            continue
        with whole_file(file) as temporary:
            np.savez(temporary, **arrays)
        if number % 10 == 0:
            print(f"{number}: {time.time() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
