"""The only place that opens a network connection, and only when ``paad weights fetch`` asks for it."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from paad.data.files import whole_file
from paad.errors import PaadError, WeightsError
from paad.types import Progress
from paad.weights.find import cache_folder, check_file
from paad.weights.registry import WeightsEntry

TIMEOUT_SECONDS = 30.0
_BLOCK = 1 << 20


def fetch_weights(
    entry: WeightsEntry, folder: Path | None = None, url: str | None = None, progress: Progress | None = None
) -> Path:
    """Download one file, check it, and only then give it its name; returns the path.

    A file that is already there and right is left alone.

    Args:
        entry: which one.
        folder: where to; the cache by default.
        url: a mirror's address in place of the published one.
        progress: called as ``progress(done, total, message)`` with bytes.

    Raises:
        WeightsError: what came is not what was published.
        PaadError: no connection, or the disk is full; the message gives the address for a download by hand.
    """
    target = (folder or cache_folder()) / entry.file_name
    if target.is_file():
        check_file(target, entry)
        return target
    address = url or entry.url
    with whole_file(target) as temporary:
        try:
            _download(address, temporary, entry.name, progress)
        except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise PaadError(
                f"{address}: not fetched ({reason}). With no connection here, download it elsewhere and give the file "
                f"with --weights, or put it into {target.parent}"
            ) from error
        check_file(temporary, entry)
    return target


def _download(address: str, file: Path, name: str, progress: Progress | None) -> None:
    request = urllib.request.Request(address, headers={"User-Agent": "paad"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer, file.open("wb") as handle:
        total = int(answer.headers.get("Content-Length") or 0)
        done = 0
        while block := answer.read(_BLOCK):
            handle.write(block)
            done += len(block)
            if progress is not None:
                progress(done, max(total, done), name)
        if total and done < total:
            raise WeightsError(f"{address}: ended after {done} of {total} bytes; run the command again")
