"""The registry of weights: the order of places, checksums, and fetching from a server on this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from paad.cli.main import main
from paad.errors import MissingDependencyError, PaadError, UsageError, WeightsError
from paad.weights import REGISTRY, cache_folder, check_file, entry_of, fetch_weights, find_weights

CONTENT = bytes(range(256)) * 5000


@pytest.fixture(autouse=True)
def _own_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PAAD_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> str:
    """An entry whose content the server below has."""
    entry = replace(REGISTRY["resnet18"], sha256=hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setitem(REGISTRY, "resnet18", entry)
    return entry.name


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith("absent"):
                self.send_error(404)
                return
            body = {"/whole": CONTENT, "/other": b"other", "/cut": CONTENT[:1000]}[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT) if self.path == "/cut" else len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_published_names_carry_the_beginning_of_the_checksum() -> None:
    for name, entry in REGISTRY.items():
        assert entry.name == name
        assert Path(entry.file_name).stem.rsplit("-", 1)[1] == entry.sha256[:8]
        assert entry.checksum_is_whole == (len(entry.sha256) == 64)
        assert entry.url.startswith("https://")


def test_places_are_searched_in_order(known: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError, match=r"fetch resnet18.*PAAD_WEIGHTS.*bricknet") as caught:
        find_weights(known)
    assert caught.value.exit_code == 4
    cached = put(cache_folder() / entry_of(known).file_name)
    assert find_weights(known) == cached
    told = put(tmp_path / "told" / "resnet18.safetensors")
    monkeypatch.setenv("PAAD_WEIGHTS", str(told.parent))
    assert find_weights(known) == told
    monkeypatch.setenv("PAAD_WEIGHTS", str(told))
    assert find_weights(known) == told
    given = put(tmp_path / "given" / "mine.pth")
    assert find_weights(known, given) == given
    monkeypatch.setenv("PAAD_WEIGHTS", str(given.parent))  # a folder of other networks' weights does not hide the cache
    assert find_weights(known) == cached


def test_a_path_that_leads_nowhere_is_no_reason_to_look_elsewhere(
    known: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(cache_folder() / entry_of(known).file_name)
    with pytest.raises(WeightsError, match="neither a file nor a folder"):
        find_weights(known, tmp_path / "absent.pth")
    with pytest.raises(WeightsError, match=r"holds none of resnet18-"):
        find_weights(known, tmp_path)
    monkeypatch.setenv("PAAD_WEIGHTS", str(tmp_path / "absent"))
    with pytest.raises(WeightsError, match="PAAD_WEIGHTS"):
        find_weights(known)


def test_an_altered_file_is_refused(known: str) -> None:
    file = put(cache_folder() / entry_of(known).file_name, CONTENT[:-1])
    with pytest.raises(WeightsError, match=r"is not that of resnet18.*fetch resnet18"):
        find_weights(known)
    assert find_weights(known, check=False) == file


def test_the_known_part_of_a_checksum_is_checked(tmp_path: Path) -> None:
    entry = replace(REGISTRY["tf_efficientnet_b4"], sha256=hashlib.sha256(CONTENT).hexdigest()[:8])
    assert check_file(put(tmp_path / "a"), entry) == hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(WeightsError):
        check_file(put(tmp_path / "a", b"x"), entry)


def test_fetching_brings_the_file_once(known: str, server: str) -> None:
    steps: list[int] = []
    file = fetch_weights(entry_of(known), url=f"{server}/whole", progress=lambda done, total, text: steps.append(done))
    assert file.read_bytes() == CONTENT
    assert steps[-1] == len(CONTENT)
    assert find_weights(known) == file
    assert fetch_weights(entry_of(known), url="http://127.0.0.1:9/nobody") == file


@pytest.mark.parametrize(
    ("path", "error", "text"),
    [
        ("/other", WeightsError, "is not that of resnet18"),
        ("/cut", PaadError, "ended after|not fetched"),
        ("/absent", PaadError, "Not Found"),
    ],
)
def test_what_is_not_the_file_leaves_nothing(
    known: str, server: str, path: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        fetch_weights(entry_of(known), url=server + path)
    assert not list(cache_folder().glob("*"))


def test_without_a_connection_the_address_is_given(known: str) -> None:
    with pytest.raises(PaadError, match=r"http://127.0.0.1:9/x: not fetched .*--weights"):
        fetch_weights(entry_of(known), url="http://127.0.0.1:9/x")
    with pytest.raises(PaadError, match="not fetched"):
        fetch_weights(entry_of(known), url="no address")


def test_unknown_weights_are_refused() -> None:
    with pytest.raises(UsageError, match="choose one of: resnet18"):
        entry_of("vgg")


def test_the_command(known: str, server: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["weights", "list"]) == 0
    assert "not here" in capsys.readouterr().out
    assert main(["weights", "verify", known]) == 4
    assert main(["weights", "fetch", known, "--url", f"{server}/whole"]) == 0
    capsys.readouterr()
    assert main(["weights", "verify"]) == 0
    assert hashlib.sha256(CONTENT).hexdigest() in capsys.readouterr().out
    assert main(["weights", "list", "--json"]) == 0
    assert str(cache_folder()) in capsys.readouterr().out
    put(cache_folder() / entry_of(known).file_name, b"altered")
    assert main(["weights", "verify"]) == 3
    assert main(["weights", "fetch", "vgg"]) == 2
    assert main(["weights", "fetch", known, "resnet18", "--url", "http://127.0.0.1:9/x"]) == 2
