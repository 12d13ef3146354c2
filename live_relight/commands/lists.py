"""`engines`, `presets` and `cameras`: what there is."""

from __future__ import annotations

import sys

from .. import presets as shelf
from ..core.errors import LiveRelightError, UsageError
from ..core.settings import Settings, dump_preset
from ..relighter import look_of


def engines(action: str, name: str | None) -> int:
    from ..core.settings import CARDS
    from ..geometry import light_net, network
    from .engines import backends

    if action == "info":
        wanted = name or network.DEFAULT
        own = wanted in (light_net.NAME, light_net.LIVE)
        found = network.find_network(str(light_net.shipped(wanted)) if own else wanted)
        network.verify(found)
        card = network.card_text(found).rstrip()
        print(f"file = {found.path}\n{card}")
        return 0
    for item in network.list_networks():
        size = item.path.stat().st_size / 1e6
        mark = "*" if item.name == network.DEFAULT else " "
        print(f"{mark} {item.name:16} {size:5.1f} MB  {item.card.get('description', '')}")
        _print_ways(backends(item), 18)
    for name, use in ((light_net.NAME, "photo, video"), (light_net.LIVE, "live, where there is room for it")):
        light = network.find_network(str(light_net.shipped(name)))
        size, about = light.path.stat().st_size / 1e6, light.card.get("description", "")
        print(f"  {light.name:16} {size:5.1f} MB  {about}: {use}")
    _imported()
    print(f"`--engine auto` takes the first of tensorrt, {', '.join(CARDS[1:])} that works, else onnx;")
    print("live, on a processor that computes in bfloat16, openvino before onnx")
    _plans()
    return 0


def _print_ways(ways: list[tuple[str, str]], indent: int) -> None:
    """What runs a network here, and why the rest does not."""
    print(f"{'':{indent}} runs here with: {', '.join(n for n, fault in ways if not fault) or 'nothing'}")
    for name, fault in ways:
        if fault:
            print(f"{'':{indent}} not with {name}: {fault}")


def _imported() -> None:
    """The user's own networks, and the cards that are ready for well-known ones."""
    from ..geometry import imported, network
    from .engines import backends

    for name in imported.find():
        try:
            item = network.find_network(name)
            card = imported.card_of(item)
        except LiveRelightError as error:
            print(f"  {name:24} broken: {error}")
            continue
        size = item.path.stat().st_size / 1e6
        about = card.texts.get("description", "your own")
        print(f"  {name:24} {size:5.1f} MB  {about}: --engine auto:{name}")
        _print_ways(backends(item), 26)
    print("your own networks: `engines import FILE.onnx --depth, --normal or --matte`; ready-made cards for:")
    for name, card in imported.known().items():
        print(f"  {name:24} {', '.join(card.outputs)}: {card.texts.get('title', '')}")


def _plans() -> None:
    from ..geometry.plans import list_plans

    found = list_plans()
    none = "" if found else " none (`engines build` compiles, with or without a GPU)"
    print(f"compiled for TensorRT:{none}")
    for plan in found:
        size = f"{plan.size / 1e6:5.1f} MB"
        if plan.key is None or plan.fault:
            print(f"  {plan.path.name} {size}  damaged: {plan.fault}")
        else:
            key = plan.key
            made = f"{key.shapes} {key.precision}, {key.library} {key.version}"
            print(f"  {key.network:16} {size}  for {key.target}, {made}: {plan.path}")


def presets(action: str, name: str | None, settings: Settings) -> int:
    if action == "list":
        for key, path in shelf.find().items():
            own = "" if path.parent == shelf.SHIPPED else " (your own)"
            try:
                text = shelf.load(key).description
            except LiveRelightError as error:
                text = f"broken: {error}"
            print(f"{key:12} {text}{own}")
        return 0
    if not name:
        raise UsageError(f"presets {action}", "no name", f"presets {action} NAME")
    if action == "show":
        preset = shelf.load(name)
        print(dump_preset(preset.look, preset.description), end="")
        return 0
    before = shelf.find().get(name)
    print(shelf.save(name, look_of(settings), f"Saved from {settings.preset}"))
    if before is not None:
        print(f"live-relight: preset '{name}' was there and is replaced", file=sys.stderr)
    return 0


def cameras() -> int:
    from ..capture import list_cameras

    found = list_cameras()
    for camera in found:
        note = "  (virtual camera: another program's output)" if camera.virtual else ""
        print(f"{camera.index}  {camera.path}  {camera.name}{note}")
        for item in camera.formats:
            print(f"     {item}")
    if not found and not sys.platform.startswith("linux"):
        print("cameras are not listed on this system; `live-relight run --source camera:0` opens the first")
    elif not found:
        print("no camera found; `live-relight run --source demo` plays a bundled clip")
    return 0
