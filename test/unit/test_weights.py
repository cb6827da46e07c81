"""Fetching and verifying weights: nothing but the expected bytes is ever accepted, and only `fetch` uses the network."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pose_attention_ros.cli.main import main
from pose_attention_ros.core.errors import ModelError
from pose_attention_ros.inference import weights
from pose_attention_ros.inference.package_paths import package_share

CONTENT = b"the weights" * 1000


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def table(tmp_path, monkeypatch):
    """An empty cache, and one entry `small` with three sources over real http: a dead one, wrong bytes, the right ones."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "wrong").write_bytes(CONTENT + b"!")
    (served / "right").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(served))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        entry = weights.WeightFile(
            "small",
            "small.bin",
            hashlib.sha256(CONTENT).hexdigest(),
            len(CONTENT),
            "a test",
            tuple(weights.Url(f"{base}/{path}") for path in ("absent", "wrong", "right")),
        )
        monkeypatch.setattr(weights, "WEIGHTS", {"small": entry})
        monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "cache"))
        yield entry
        server.shutdown()


def test_fetch_tries_the_sources_in_order_and_keeps_only_the_expected_bytes(table):
    tried: list[str] = []
    path = weights.fetch("small", on_source=tried.append)
    assert path.read_bytes() == CONTENT and [line[-6:] for line in tried] == ["absent", "/wrong", "/right"]
    assert [entry.name for entry in path.parent.iterdir()] == ["small.bin"], "no part files are left"
    assert weights.load("small") == CONTENT


def test_a_fetched_file_is_used_without_network(table, monkeypatch):
    weights.fetch("small")
    offline = dataclasses.replace(table, sources=())
    monkeypatch.setattr(weights, "WEIGHTS", {"small": offline})
    assert weights.fetch("small") == offline.path


def test_one_changed_byte_is_noticed_and_mended_by_fetch(table):
    path = weights.fetch("small")
    path.write_bytes(b"T" + CONTENT[1:])
    with pytest.raises(ModelError, match=r"small\.bin is damaged .*; run: pose-attention models fetch small") as caught:
        weights.load("small")
    assert "\n" not in str(caught.value)
    weights.fetch("small")
    assert weights.load("small") == CONTENT


def test_absent_weights_name_the_command(table):
    with pytest.raises(ModelError, match=r"not on this machine .*; run: pose-attention models fetch"):
        weights.load("small")


def test_every_failed_source_is_named(table, monkeypatch):
    monkeypatch.setattr(weights, "WEIGHTS", {"small": dataclasses.replace(table, sources=table.sources[:2])})
    with pytest.raises(ModelError, match=r"absent: HTTP Error 404.*wrong: 11001 bytes with another sha256, refused"):
        weights.fetch("small")
    assert not table.path.exists()


def test_unwritable_cache_names_the_variable(table, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(ModelError, match=weights.CACHE_VARIABLE):
        weights.fetch("small")


@pytest.mark.parametrize(
    "variables,expected",
    [
        ({"POSE_ATTENTION_CACHE": "/a"}, "/a"),
        ({"POSE_ATTENTION_CACHE": "", "XDG_CACHE_HOME": "/b"}, "/b/pose_attention_ros"),
        ({"POSE_ATTENTION_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/pose_attention_ros"),
    ],
)
def test_cache_folder(monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(weights.cache_dir()) == expected


def test_the_models_folder_tells_the_same_as_the_table():
    entry = weights.WEIGHTS["movenet_multipose"]
    text = (package_share() / "models" / entry.name / "README.md").read_text()
    assert entry.sha256 in text and f"{entry.size_bytes:,} bytes" in text and entry.file_name in text
    assert all(source.requirement in text for source in entry.sources if isinstance(source, weights.WheelMember))


def test_models_verb(table, tmp_path, capsys):
    result = tmp_path / "result.json"
    assert main(["models", "verify", "small"]) == 1
    assert "run: pose-attention models fetch" in capsys.readouterr().out
    assert main(["models", "fetch", "small", "--json", str(result)]) == 0
    (row,) = json.loads(result.read_text())
    assert (row["name"], row["state"], row["sha256"], row["path"]) == ("small", "ready", table.sha256, str(table.path))
    assert main(["models", "list"]) == 0
    table.path.write_bytes(b"changed")
    assert main(["models", "verify", "small"]) == 1
    assert "damaged" in capsys.readouterr().out


def test_models_verb_names_what_there_is(table, capsys):
    assert main(["models", "fetch", "nope"]) == 1
    assert capsys.readouterr().err == "pose-attention: no downloadable weights 'nope'; known: small\n"


def test_movenet_comes_out_of_its_wheel(movenet_weights):
    assert movenet_weights.stat().st_size == weights.WEIGHTS["movenet_multipose"].size_bytes
