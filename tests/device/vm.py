"""A virtual machine with a camera and a virtual camera, for tests on machines that have neither.

Debian's own kernel, the module `vivid` (a test-pattern camera, /dev/video0) and the module `v4l2loopback`
(the virtual camera, /dev/video10), started by QEMU in software emulation, so no /dev/kvm and no root is
needed. The guest's file system is this machine's, read-only with a scratch layer on top: the checkout and
its .venv work inside as they are. A second, writable folder carries the results out.

Kernel and modules are fetched with apt (never installed) and kept under ~/.cache/live-relight/vm.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import platform
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

CAMERA = "/dev/video0"
VIRTUAL_CAMERA = "/dev/video10"
VIRTUAL_CAMERA_NAME = "RelightCam"
GUEST_OUT = "/run/out"  # the guest's name of the writable folder

_RECIPE = 1  # raise it when the building code changes in a way that the constants below do not show
_BASE_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
_MEDIA_MODULES = ("vivid", "v4l2loopback")
_MODULE_OPTIONS = {
    # one webcam-like capture device; no_error_inj stays unset, it would hide the fault controls
    "vivid": "n_devs=1 node_types=0x1 vid_cap_nr=0 num_inputs=1 input_types=0 multiplanar=1",
    "v4l2loopback": f"video_nr=10 card_label={VIRTUAL_CAMERA_NAME} exclusive_caps=1 max_buffers=4",
}
_INIT = """\
#!/bin/busybox sh
B=/bin/busybox
die() {{ echo "VM: failed: $1"; $B poweroff -f; }}
$B mount -t proc p /proc; $B mount -t sysfs s /sys; $B mount -t devtmpfs d /dev
{load_base}
P=trans=virtio,version=9p2000.L,msize=1048576
$B mount -t 9p -o ro,cache=loose,$P root /lower || die "root share"
$B mount -t tmpfs t /rw; $B mkdir /rw/u /rw/w
$B mount -t overlay -o lowerdir=/lower,upperdir=/rw/u,workdir=/rw/w o /new || die "overlay"
for d in proc sys dev; do $B mount --move /$d /new/$d; done
$B mkdir -p /new/dev/shm; $B mount -t tmpfs t /new/dev/shm
$B mount -t tmpfs t /new/run
$B mkdir /new/run/out; $B mount -t 9p -o $P out /new/run/out || die "out share"
$B ifconfig lo 127.0.0.1 up
{load_media}
echo "VM: userspace after $($B cut -d' ' -f1 /new/proc/uptime) s"
$B chroot /new /bin/sh /run/out/run.sh
echo "VM: exit=$?"
$B sync; $B poweroff -f
"""


class VmUnavailable(Exception):
    """This machine cannot build or boot the virtual machine; the message says what is missing."""


@dataclass(frozen=True)
class Image:
    kernel: Path
    initramfs: Path


@dataclass(frozen=True)
class Finished:
    """How a boot ended: the guest command's exit status (None: it never got there) and the console's text."""

    status: int | None
    console: str


def image() -> Image:
    """The image, built when it is not in the cache."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise VmUnavailable("the virtual machine is for Linux on x86_64")
    for command, package in (("qemu-system-x86_64", "qemu-system-x86"), ("v4l2-ctl", "v4l-utils")):
        if not shutil.which(command):
            raise VmUnavailable(f"{command} is missing: apt-get install {package}")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "live-relight" / "vm"
    recipe = repr((_RECIPE, _INIT, _BASE_MODULES, _MEDIA_MODULES, _MODULE_OPTIONS))
    made = cache / hashlib.sha256(recipe.encode()).hexdigest()[:12]
    result = Image(made / "vmlinuz", made / "initramfs.gz")
    if not (result.kernel.exists() and result.initramfs.exists()):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="build-") as work:
            built = _build(Path(work))
            shutil.rmtree(made, ignore_errors=True)
            built.rename(made)
    return result


def boot(vm: Image, command: list[str], cwd: Path, out: Path, timeout_s: float) -> Finished:
    """Runs `command` in `cwd` inside a fresh machine; what it writes under GUEST_OUT lands in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    run = f"cd {shlex.quote(str(cwd))} && exec {shlex.join(command)}\n"
    (out / "run.sh").write_text(run)
    share = "security_model=none,multidevs=remap"
    qemu = [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi,tb-size=512", "-cpu", "Nehalem", "-smp", "2",
        "-m", "2048", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
        "-kernel", str(vm.kernel), "-initrd", str(vm.initramfs),
        "-append", "console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check",
        "-fsdev", f"local,id=root,path=/,readonly=on,{share}",
        "-device", "virtio-9p-pci,fsdev=root,mount_tag=root",
        "-fsdev", f"local,id=out,path={out},{share}",
        "-device", "virtio-9p-pci,fsdev=out,mount_tag=out",
    ]  # fmt: skip
    log = out / "console.log"
    with log.open("wb") as console:
        try:
            subprocess.run(
                qemu, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, timeout=timeout_s
            )
        except subprocess.TimeoutExpired:
            console.write(f"\nVM: no end after {timeout_s} s\n".encode())
    text = log.read_text(errors="replace")
    ended = re.search(r"VM: exit=(\d+)", text)
    return Finished(int(ended[1]) if ended else None, text)


# ---------------------------------------------------------------- building


def _build(work: Path) -> Path:
    """Fetches and builds everything under `work`; returns the folder with vmlinuz and initramfs.gz."""
    root = work / "root"
    version = _fetch(work, root)
    modules = root / "lib/modules" / version
    shutil.copy(_build_v4l2loopback(work, root, version), modules / "kernel/v4l2loopback.ko")
    done = work / "done"
    done.mkdir()
    shutil.copy(root / "boot" / f"vmlinuz-{version}", done / "vmlinuz")
    (done / "initramfs.gz").write_bytes(gzip.compress(_initramfs(modules, root / "bin/busybox"), 1))
    return done


def _fetch(work: Path, root: Path) -> str:
    """Downloads and unpacks Debian's kernel, its headers, v4l2loopback's source and busybox: the version."""
    depends = _output("apt-cache", "depends", "linux-image-amd64")
    if "linux-image-" not in depends.partition("\n")[2] and os.geteuid() == 0:
        _output("apt-get", "-qq", "update")
        depends = _output("apt-cache", "depends", "linux-image-amd64")
    found = re.search(r"Depends: linux-image-(\d\S+-amd64)", depends)
    if not found:
        raise VmUnavailable("apt knows no linux-image-amd64: run apt-get update (Debian only)")
    version = found[1]
    short = ".".join(version.split(".")[:2])
    packages = [
        f"linux-image-{version}",
        f"linux-headers-{version}",
        f"linux-headers-{version.removesuffix('-amd64')}-common",
        f"linux-kbuild-{short}",
        "v4l2loopback-dkms",
        "busybox-static",
    ]
    debs = work / "debs"
    debs.mkdir()
    _output("apt-get", "-qq", "download", *packages, cwd=debs)
    for deb in sorted(debs.glob("*.deb")):
        _output("dpkg-deb", "-x", str(deb), str(root))
    return version


def _build_v4l2loopback(work: Path, root: Path, version: str) -> Path:
    headers = root / "usr/src" / f"linux-headers-{version}"
    makefile = headers / "Makefile"
    makefile.write_text(re.sub(r"^include /", f"include {root}/", makefile.read_text(), flags=re.MULTILINE))
    source = work / "v4l2loopback"
    shutil.copytree(next((root / "usr/src").glob("v4l2loopback-*")), source)
    _output("make", "-s", "-C", str(headers), f"M={source}", "modules")
    return source / "v4l2loopback.ko"


def _initramfs(modules: Path, busybox: Path) -> bytes:
    """A cpio archive with busybox, the modules in loading order and /init."""
    known = {_module_name(path.stem): path for path in (modules / "kernel").rglob("*.ko")}
    builtin = {_module_name(Path(line).stem) for line in (modules / "modules.builtin").read_text().split()}
    order: list[str] = []

    def need(name: str) -> None:
        if name in order or name in builtin:
            return
        depends = re.search(rb"\0depends=([^\0]*)\0", known[name].read_bytes())
        for other in depends[1].decode().split(",") if depends and depends[1] else []:
            need(_module_name(other))
        order.append(name)

    for name in _BASE_MODULES:
        need(name)
    base = list(order)
    for name in _MEDIA_MODULES:
        need(name)

    def load(names: list[str]) -> str:
        return "\n".join(f"$B insmod /m/{name}.ko {_MODULE_OPTIONS.get(name, '')}" for name in names)

    archive = _Cpio()
    for folder in ("bin", "dev", "proc", "sys", "m", "lower", "rw", "new"):
        archive.add(folder, mode=stat.S_IFDIR | 0o755)
    archive.add("dev/console", mode=stat.S_IFCHR | 0o600, device=(5, 1))
    archive.add("bin/busybox", busybox.read_bytes())
    for name in order:
        subprocess.run(["strip", "-g", str(known[name])], check=True)
        archive.add(f"m/{name}.ko", known[name].read_bytes())
    init = _INIT.format(load_base=load(base), load_media=load(order[len(base) :]))
    archive.add("init", init.encode())
    return archive.close()


class _Cpio:
    """The 'newc' archive format that the kernel unpacks."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._inode = 0

    def add(
        self,
        name: str,
        data: bytes = b"",
        mode: int = stat.S_IFREG | 0o755,
        device: tuple[int, int] = (0, 0),
    ) -> None:
        self._inode += 1
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        header = "070701" + "".join(f"{field:08X}" for field in fields)
        for part in (header.encode() + name.encode() + b"\0", data):
            self._out.write(part)
            self._out.write(b"\0" * (-self._out.tell() % 4))

    def close(self) -> bytes:
        self.add("TRAILER!!!", mode=0)
        return self._out.getvalue()


def _module_name(stem: str) -> str:
    return stem.replace("-", "_")


def _output(*command: str, cwd: Path | None = None) -> str:
    """Standard output of a build step; a failure says which and why."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise VmUnavailable(f"{command[0]} is missing") from error
    if done.returncode:
        raise VmUnavailable(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
