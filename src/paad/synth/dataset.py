"""Generate object folders: toys, defects, photos, masks and true poses, from one seed, resumable, on several cores."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from paad.data.files import write_json
from paad.errors import PaadError, UsageError
from paad.synth.dataset_objects import load_object, object_name
from paad.synth.dataset_plan import Job, Piece, pieces_of
from paad.synth.dataset_profile import Profile, profile_of
from paad.synth.looks import check_look
from paad.synth.manifest import settings, source_facts, write_object_files
from paad.synth.render_mitsuba import chosen_variant, mitsuba
from paad.types import Progress

WRITTEN = tuple((key, f"{key}_sha256") for key in ("file", "mask", "object_mask", "buffers"))
"""Keys of a picture's record that name a file, and those of its SHA-256."""
WORK = ".paad-synth"
"""Folder of the unfinished work, inside the output folder; gone when all is done."""
SOURCE = "source.json"
"""Says there which file an object is made from."""
TORN = re.compile(r"\..+(\.\w+)\.[a-z0-9_]{8}\1$")
"""Temporary names of :func:`paad.data.files.whole_file`."""


def generate(
    out: str | Path,
    toys: Sequence[str],
    profile: Profile | str = "tiny",
    look: str = "sim",
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
    ldraw: str | Path | None = None,
    buffers: bool = False,
    variant: str = "auto",
) -> Path:
    """Render object folders into ``out``, one for each of ``toys``; goes on where an earlier call stopped.

    Args:
        toys: names of built-in toys, or paths of LDraw models (.ldr, .mpd) or meshes (.obj, .ply, .stl, .glb).
        profile: a name (tiny, small, full) or a :class:`Profile`.
        look: "sim" (on white, MAD's rig) or "real" (tables, changing light, camera noise).
        workers: processes; the bytes do not depend on it. 1 renders in this process.
        progress: called as ``progress(done, total, message)`` with pictures.
        ldraw: folder of an LDraw parts library, to use its parts.
        buffers: also write ``buffers/<picture>.npz``: z-depth, shading normals, albedo and part numbers without noise.
        variant: of Mitsuba: "scalar_rgb", "llvm_ad_rgb", or "auto": the one that ``out`` was begun with, else the LLVM
            one where a probe in a child process shows that it runs. The bytes depend on it.

    Returns:
        ``out``, which holds ``<object>/`` folders in the object folder layout.

    Raises:
        UsageError: unknown profile, look or toy; ``out`` holds something else, or the same made with other settings.
        MissingDependencyError: the variant does not run here.
        DataError: a model cannot be used, or no such defect can be placed on it.
        PaadError: a file cannot be written, or a worker died.
    """
    if workers < 1:
        raise UsageError(f"workers is {workers}; at least 1 is needed")
    variant = chosen_variant(variant, before=_variant_before(Path(out)))
    job = Job(Path(out), profile_of(profile), check_look(look), seed, _library(ldraw), buffers, variant)
    mitsuba(variant)
    names = _names(toys)
    for source in toys:
        load_object(source, job.library)  # refuse what cannot be used before anything is written
    _claim(job, toys, names)
    _remove_torn(job.out, names)
    todo, done = _remaining(job, toys, names)
    total = sum(p.count for s, n in zip(toys, names) for p in pieces_of(s, n, job.profile, job.look))
    ready = total - sum(p.count for p in todo)
    _check_space(job, total - ready)
    waiting = {n: {p.key for p in todo if p.name == n} for n in names}
    for source, name in zip(toys, names):
        if name not in done and not waiting[name]:
            _finish(job, source, name)
    try:
        with contextlib.closing(_rendered(job, todo, workers)) as rendered:
            for piece in rendered:
                waiting[piece.name].discard(piece.key)
                ready += piece.count
                if not waiting[piece.name]:
                    _finish(job, piece.source, piece.name)
                if progress is not None:
                    progress(ready, total, f"{piece.name} {piece.label}")
    finally:
        _remove_torn(job.out, names)
    shutil.rmtree(job.out / WORK, ignore_errors=True)
    return job.out


def _variant_before(out: Path) -> str | None:
    """The variant of a data set that was begun in ``out``; None where there is none."""
    try:
        return str(json.loads((out / "synth.json").read_text(encoding="utf-8"))["variant"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # whatever lies there is judged by _claim


def _library(ldraw: str | Path | None) -> Path | None:
    from paad.synth.ldraw import find_library

    return find_library(None if ldraw is None else Path(ldraw))


def _names(toys: Sequence[str]) -> list[str]:
    names = [object_name(source) for source in toys]
    if not names:
        raise UsageError("no toys were named; name at least one")
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise UsageError(f"two objects would be written to the folder {twice[0]!r}; rename one of the files")
    return names


def _claim(job: Job, toys: Sequence[str], names: Sequence[str]) -> None:
    """Make sure that nothing of another origin is overwritten, then mark the folder as ours."""
    if job.out.exists() and not job.out.is_dir():
        raise UsageError(f"{job.out} is a file; choose a folder for the output")
    mark = job.out / "synth.json"
    wanted = json.loads(json.dumps(settings(job)))
    if mark.is_file():
        try:
            found = json.loads(mark.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(f"{mark}: not written by paad synth ({error}); choose another folder") from error
        if found != wanted:
            different = ", ".join(sorted(k for k in wanted if found.get(k) != wanted[k]))
            raise UsageError(
                f"{job.out} holds a data set with another {different}; choose another folder, or delete it"
            )
    elif job.out.is_dir() and any(job.out.iterdir()):
        raise UsageError(f"{job.out} holds something that paad synth did not write; choose an empty or new folder")
    for source, name in zip(toys, names):
        _check_source(job, source, name)
    write_json(mark, wanted)
    for source, name in zip(toys, names):
        if not (job.out / name / "manifest.json").is_file():
            write_json(job.out / WORK / name / SOURCE, source_facts(source))


def _check_source(job: Job, source: str, name: str) -> None:
    """Refuse to go on with a model or mesh file that is another than the one begun with."""
    for record in (job.out / WORK / name / SOURCE, job.out / name / "manifest.json"):
        if record.is_file():
            before = json.loads(record.read_text(encoding="utf-8")).get("source_sha256")
            if before not in (None, source_facts(source).get("source_sha256")):
                raise UsageError(
                    f"{source} is not the file that {job.out / name} was made from; choose another folder, or delete it"
                )


def _remaining(job: Job, toys: Sequence[str], names: Sequence[str]) -> tuple[list[Piece], set[str]]:
    """Pieces still to be rendered, and the objects that are complete."""
    todo: list[Piece] = []
    done: set[str] = set()
    for source, name in zip(toys, names):
        if (job.out / name / "manifest.json").is_file():
            done.add(name)
        else:
            todo += [p for p in pieces_of(source, name, job.profile, job.look) if not _whole(job, p)]
    return todo, done


def _whole(job: Job, piece: Piece) -> bool:
    """Whether every picture of a piece lies there with the bytes that were written."""
    record = job.out / WORK / piece.name / f"{piece.key}.json"
    if not record.is_file():
        return False
    for entry in json.loads(record.read_text(encoding="utf-8")):
        for file, digest in WRITTEN:
            if file in entry:
                path = job.out / piece.name / entry[file]
                if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != entry[digest]:
                    return False
    return True


def _rendered(job: Job, todo: Sequence[Piece], workers: int) -> Generator[Piece, None, None]:
    """Render all pieces, yielding each when it is on the disk."""
    from paad.synth.dataset_render import render_piece

    if workers == 1 or len(todo) < 2:
        for piece in todo:
            render_piece(job, piece)
            yield piece
        return
    processes = min(workers, len(todo))
    spawn = get_context("spawn")
    others = set(active_children())
    pool = ProcessPoolExecutor(processes, spawn, initializer=_end_with_parent, initargs=(os.getpid(),))
    futures: dict[Future[Any], Piece] = {pool.submit(render_piece, job, piece): piece for piece in todo}
    try:
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        raise PaadError(
            "a rendering process died (killed, or out of memory); run the same command again to go on, "
            "with fewer --workers if memory is short"
        ) from error
    except BaseException:  # an interruption, or a piece that failed: what is under way is of no use
        for process in set(active_children()) - others:
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _remove_torn(out: Path, names: Sequence[str]) -> None:
    """Remove what killed processes left of files that they were writing."""
    for folder in (out / WORK, *(out / name for name in names)):
        for path in folder.rglob(".*"):
            if TORN.match(path.name) and path.is_file():
                path.unlink()


def _end_with_parent(parent: int) -> None:
    """In a worker: one thread, interruptions are left to the parent; go when it is gone, even by ``kill -9``."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threadpool_limits(1)  # linear algebra on as many threads as cores, in as many processes, waits for itself
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _finish(job: Job, source: str, name: str) -> None:
    """Collect the records of an object's pieces and write its files."""
    records: list[dict[str, Any]] = []
    for piece in pieces_of(source, name, job.profile, job.look):
        text = (job.out / WORK / name / f"{piece.key}.json").read_text(encoding="utf-8")
        records += json.loads(text)
    write_object_files(job, name, source, records)
    shutil.rmtree(job.out / WORK / name)


def _check_space(job: Job, pictures: int) -> None:
    """Refuse to start when the disk cannot hold the pictures (about 1 byte a pixel as PNG, 2.2 in ``real``)."""
    needed = int(pictures * job.profile.size_px**2 * (1.0 if job.look == "sim" else 2.2)) + 10_000_000
    free = shutil.disk_usage(job.out).free
    if free < needed:
        raise PaadError(
            f"{job.out}: about {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; "
            "free some space or choose a smaller --profile"
        )
