"""Packages by npm and apt-get: asked for by name and version, checked, and one clear line where that fails.

Most tests put programs of those names on PATH that do as told; the last two run the real ones, on packages
that lie on this machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training.place import serving
from tests.training.tiny_assets import deb_package, npm_package, write_world
from training.assets import __main__ as cli
from training.assets import install, packages

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the programs here are scripts with a #! line")

NPM, DEB = "pm-tiny-1.0.0.tgz", "bl-data_3-1_all.deb"
PROGRAM = """#!{python} -I
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
name = os.path.basename(__file__)
with open(here / "asked", "a") as log:
    print(name, *sys.argv[1:], os.path.relpath(os.getcwd(), {folder!r}), file=log)
told = json.loads((here / "replies").read_text()).get(name + " " + sys.argv[-1], {{}})
if "file" in told:
    pathlib.Path(told["as"]).write_bytes(pathlib.Path(told["file"]).read_bytes())
print(told.get("says", ""), file=sys.stderr)
sys.exit(told.get("status", 0))
"""


class Clients:
    """Programs of the clients' names, alone on PATH; `replies` by program and package."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.replies = home, {}
        home.mkdir()
        for name in ("npm", "apt-get"):
            (home / name).write_text(PROGRAM.format(python=sys.executable, folder=str(folder)))
            (home / name).chmod(0o755)
        self.reply()

    def reply(self, asked: str = "", data: bytes | None = None, name: str = "", **more: object) -> None:
        """What a program does when `asked` (its name and last word): leave a file, say something, fail."""
        if asked:
            self.replies[asked] = more
        if data is not None:
            file = self.home / f"file{len(self.replies)}"
            file.write_bytes(data)
            self.replies[asked] |= {"file": str(file), "as": name}
        (self.home / "replies").write_text(json.dumps(self.replies))

    def asked(self) -> list[str]:
        """Command and folder of every call, and forget them."""
        log = self.home / "asked"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def place(monkeypatch):
    with serving(monkeypatch) as place:
        yield place


@pytest.fixture
def world(place, tmp_path):
    """(folder, options): the two packages of a tiny manifest; nothing on the server is needed."""
    write_world(place, tmp_path / "manifest.toml")
    folder = tmp_path / "assets"
    return folder, ["--assets", str(folder), "--manifest", str(tmp_path / "manifest.toml"), "--only", "hdri"]


@pytest.fixture
def clients(world, place, tmp_path, monkeypatch):
    clients = Clients(tmp_path / "bin", world[0])
    clients.reply("npm @pm/tiny@1.0.0", place.files[f"npm/{NPM}"], NPM)
    clients.reply("apt-get bl-data=3-1", place.files[f"deb/{DEB}"], DEB)
    monkeypatch.setenv("PATH", str(clients.home))
    return clients


def night_of(place) -> bytes:
    """The environment in the .deb: what a right folder holds."""
    rng = np.random.default_rng(2)
    rng.integers(0, 256, 3000, np.uint8)
    night = rng.integers(0, 256, 3000, np.uint8).tobytes()
    assert deb_package(night) == place.files[f"deb/{DEB}"]
    return night


def test_each_client_is_asked_by_name_and_version_in_the_work_folder(world, clients, place, capsys):
    folder, options = world
    assert cli.main(options) == 0
    assert clients.asked() == [
        "npm pack --ignore-scripts --loglevel=error @pm/tiny@1.0.0 .download/pm/known",
        "apt-get -q download bl-data=3-1 .download/bl/known",
    ]
    assert place.asked == []
    assert (folder / "hdri/bl/night.exr").read_bytes() == night_of(place)
    assert not (folder / ".download").exists()
    assert cli.main([*options, "--check"]) == 0
    assert cli.main(options) == 0
    assert clients.asked() == []


def test_another_version_does_where_its_files_are_the_same(world, clients, place, capsys):
    folder, options = world
    gone = {"status": 100, "says": "W: odd\nE: Version '3-1' for 'bl-data' was not found"}
    clients.reply("apt-get bl-data=3-1", **gone)
    clients.reply("apt-get bl-data", deb_package(night_of(place), "4-1"), "bl-data_4-1_all.deb")
    assert cli.main(options) == 0
    assert clients.asked()[1:] == [
        "apt-get -q download bl-data=3-1 .download/bl/known",
        "apt-get -q download bl-data .download/bl/any",
    ]
    (folder / "hdri/bl/night.exr").unlink()
    clients.reply("apt-get bl-data", deb_package(b"?" * 3000, "4-1"), "bl-data_4-1_all.deb")
    capsys.readouterr()
    assert cli.main(options) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "Version '3-1' for 'bl-data' was not found" in line
    assert "bl-data_4-1_all.deb: night.exr sha256 differs" in line
    assert not (folder / "hdri/bl/night.exr").exists()


def test_a_foreign_package_is_refused(world, clients, capsys):
    folder, options = world
    clients.reply("npm @pm/tiny@1.0.0", npm_package(b"?" * 3000), NPM)
    clients.reply("apt-get bl-data=3-1", b"<html>Please log in</html>", DEB)
    clients.reply("apt-get bl-data", b"!<arch>\nrubbish" + b" " * 90, DEB)
    assert cli.main(options) == 1
    npm, deb = capsys.readouterr().err.strip().splitlines()
    assert "npm pack --ignore-scripts --loglevel=error @pm/tiny@1.0.0: sha256 is" in npm
    assert "download bl-data=3-1: sha256 is" in deb
    assert f"{DEB}: no whole archive" in deb
    assert not list(folder.rglob("*.exr"))


def test_one_line_says_what_is_missing_or_failed(world, clients, capsys):
    _, options = world
    (clients.home / "npm").unlink()
    clients.reply("apt-get bl-data=3-1", says="E: Unable to locate package bl-data", status=100)
    clients.reply("apt-get bl-data", status=7)
    assert cli.main(options) == 1
    npm, deb = capsys.readouterr().err.strip().splitlines()
    assert npm.startswith("assets: pm: npm is not installed (install Node.js, which has it); or download")
    assert f"npm package @pm/tiny 1.0.0 ({NPM}) by hand" in npm
    assert "--from DIR" in npm
    assert "Unable to locate package bl-data (`apt-get update` may help); apt-get" in deb
    assert "download bl-data: exit status 7" in deb
    assert f"or download deb package bl-data 3-1 ({DEB}) by hand" in deb
    clients.reply("apt-get bl-data=3-1")
    clients.reply("apt-get bl-data")
    assert cli.main(options) == 1
    assert f"brought no {DEB}" in capsys.readouterr().err


def test_the_line_of_a_client_that_says_most():
    text = "npm warn x\nnpm error code E404\nnpm error 404 Not Found - GET it\nnpm error A complete log is at"
    assert packages.complaint(text) == "404 Not Found - GET it"
    assert packages.complaint("E: Broken\n") == "Broken"
    assert packages.complaint("some\nthing odd\n") == "thing odd"
    assert packages.complaint("") == ""


def test_packages_and_files_at_hand_need_no_client(world, clients, place, tmp_path):
    folder, options = world
    shelf = tmp_path / "shelf/deep"
    shelf.mkdir(parents=True)
    (shelf / "tiny-1.0.0.tgz").write_bytes(place.files[f"npm/{NPM}"])  # as a browser names it
    (shelf / "bl-data_4-1_all.deb").write_bytes(deb_package(night_of(place), "4-1"))
    assert cli.main([*options, "--from", str(tmp_path / "shelf")]) == 0
    assert cli.main([*options, "--check"]) == 0
    shutil.move(folder, tmp_path / "old")
    assert cli.main([*options, "--from", str(tmp_path / "old")]) == 0
    assert cli.main([*options, "--check"]) == 0
    assert clients.asked() == []
    shutil.rmtree(folder)
    (shelf / "tiny-1.0.0.tgz").write_bytes(npm_package(b"?"))
    (shelf / "bl-data_4-1_all.deb").write_bytes(b"broken")
    assert cli.main([*options, "--from", str(tmp_path / "shelf")]) == 0  # then the clients'
    assert len(clients.asked()) == 2


def test_a_stop_while_unpacking_asks_no_client_again(world, clients, monkeypatch):
    _, options = world
    real = install.members

    def stop(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "members", stop)
    assert cli.main([*options, "--only", "bl"]) == 130
    monkeypatch.setattr(install, "members", real)
    assert len(clients.asked()) == 1
    assert cli.main([*options, "--only", "bl"]) == 0
    assert clients.asked() == []


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg-deb here")
def test_a_package_compressed_as_ubuntu_does(world, place, tmp_path):
    _, options = world
    tree = tmp_path / "tree"
    shelf = tmp_path / "shelf"
    for below in (tree / "usr", tree / "DEBIAN", shelf):
        below.mkdir(parents=True)
    (tree / "usr/night.exr").write_bytes(night_of(place))
    (tree / "DEBIAN/control").write_text(
        "Package: bl-data\nVersion: 5\nArchitecture: all\nMaintainer: N <n@localhost>\nDescription: e\n"
    )
    archive = shelf / "bl-data_5_all.deb"
    build = ["dpkg-deb", "-Zzstd", "--root-owner-group", "--build", str(tree), str(archive)]
    if subprocess.run(build, capture_output=True).returncode:
        pytest.skip("this dpkg-deb knows no zstd")
    assert b"data.tar.zst" in archive.read_bytes()
    assert cli.main([*options, "--only", "bl", "--from", str(shelf)]) == 0


@pytest.mark.skipif(not shutil.which("npm"), reason="no npm here")
def test_the_real_npm(world, place, tmp_path, monkeypatch):
    _, options = world
    data = place.files[f"npm/{NPM}"]
    dist = {"tarball": f"{place.url}npm/{NPM}", "shasum": hashlib.sha1(data).hexdigest()}
    version = {"name": "@pm/tiny", "version": "1.0.0", "dist": dist}
    about = {"name": "@pm/tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    place.files["@pm%2ftiny"] = json.dumps(about).encode()
    for name, value in (("registry", place.url), ("cache", tmp_path / "cache"), ("userconfig", os.devnull)):
        monkeypatch.setenv(f"npm_config_{name}", str(value))
    assert cli.main([*options, "--only", "pm"]) == 0
    assert {path for path, _ in place.asked} == {"@pm%2ftiny", f"npm/{NPM}"}


@pytest.mark.skipif(not shutil.which("apt-get"), reason="no apt-get here")
def test_the_real_apt_get(world, place, tmp_path, monkeypatch):
    folder, options = world
    data, home = place.files[f"deb/{DEB}"], tmp_path / "apt"
    for below in ("state/lists/partial", "cache/archives/partial", "etc", "packages"):
        (home / below).mkdir(parents=True)
    (home / "packages" / DEB).write_bytes(data)
    (home / "packages/Packages").write_text(
        "Package: bl-data\nVersion: 3-1\nArchitecture: all\nMaintainer: N <n@localhost>\nDescription: e\n"
        f"Filename: ./{DEB}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
    )
    (home / "etc/list").write_text(f"deb [trusted=yes] file:{home}/packages ./\n")
    (home / "etc/status").write_text("")
    settings = {
        "Dir::State": home / "state",
        "Dir::State::status": home / "etc/status",
        "Dir::Cache": home / "cache",
        "Dir::Etc::sourcelist": home / "etc/list",
        "Dir::Etc::sourceparts": "-",
        "APT::Sandbox::User": "",
    }
    (home / "etc/conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    monkeypatch.setenv("APT_CONFIG", str(home / "etc/conf"))
    subprocess.run(["apt-get", "update"], check=True, capture_output=True, timeout=60)
    assert cli.main([*options, "--only", "bl"]) == 0
    assert (folder / "hdri/bl/night.exr").read_bytes() == night_of(place)
