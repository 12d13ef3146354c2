"""Training of the geometry network: one readable loop, resumable, with averaged weights.

    python -m training.train --data DIR --out RUN --steps 4000

RUN gets `last.pt` (to resume), `log.csv` (one line per report) and `config.json`. It runs on a card where
there is one, and on several under torchrun (device.py).
"""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from training.depthwise import quicken
from training.device import Place, join, leave, meet, same_progress, share_gradients, to_device
from training.hands import HandHead
from training.keep import average, log, resume
from training.losses import Weights, teacher_loss, total_loss
from training.model import GeometryNet, ModelConfig, parameters, read_widths
from training.reach import reach_loss
from training.schedule import average_at, rate_at
from training.supply import Progress, supply_of
from training.told import from_options, in_one_line
from training.weights import load_imagenet, load_matching, load_model, save_checkpoint


@dataclass(frozen=True)
class TrainConfig:
    """What a run is made of.

    `minutes` > 0 ends the schedule by the clock instead of by `steps`; `start` is a checkpoint to go on from
    with a fresh optimizer (of another form of the network: what fits is taken), `begin` the share of the
    schedule at which to enter it; `fast`, `relief`, `trim`, `joint`, `deep`, `fine`, `reach` and `widths` (as
    160,128,96,48,24; empty: ModelConfig's) are the network's form (ModelConfig; of one with `fine` only that
    learns, of another with `reach` only that, by losses of its own), the weights those of losses.Weights;
    `heads` is the share of a batch that shows a head only, `hands` of the rest a hand only, `empty` the share
    that is drawn from pictures of nobody, besides those that come by chance. `zoom`: crops are that many
    times as wide and high as schedule.PHASES says, and batches smaller, for larger pictures.
    `still` > 0: the encoder's stem and that many stages, less one, keep their weights and statistics, which
    saves a third of the time where they are good already. `device`: auto, cpu or cuda; on a card the data is
    kept and cut there, convolutions run in bfloat16 (as on processors that have it), and batches may be
    `times` as large as schedule.PHASES says. `teacher`: a checkpoint whose word is learned too, by
    `weight_teacher`, its matte by `weight_taught_matte` of that. `weight_hand` > 0: where hands are is
    learned too, by a head that is thrown away (hands.py). `settled`: norms keep their statistics, so that a
    network which is its own teacher begins with nothing to unlearn; `weight_elsewhere`: what a label of shape
    counts where no hand is near beside one near a hand, where the teacher has the word then. Means are over
    both, so a batch without hands teaches as it did.
    """

    data: str
    out: str
    steps: int = 4000
    minutes: float = 0.0
    seed: int = 0
    encoder_rate: float = 5e-4
    rate: float = 2e-3
    decay: float = 1e-3
    device: str = "auto"
    times: int = 1
    threads: int = 2
    report: int = 25
    save: int = 200
    imagenet: bool = True
    start: str = ""
    teacher: str = ""
    begin: float = 0.0
    fast: bool = False
    relief: int = 0
    trim: bool = False
    joint: bool = False
    deep: bool = False
    widths: str = ""
    fine: int = 0
    reach: int = 0
    heads: float = 0.0
    hands: float = 0.0
    empty: float = 0.0
    zoom: float = 1.0
    still: int = 0
    weight_normal: float = Weights.normal
    weight_angle: float = Weights.angle
    weight_relief: float = Weights.relief
    weight_shade: float = Weights.shade
    weight_pyramid: float = Weights.pyramid
    weight_depth: float = Weights.depth
    weight_gradient: float = Weights.gradient
    weight_agree: float = Weights.agree
    weight_alpha: float = Weights.alpha
    weight_teacher: float = 1.0
    weight_taught_matte: float = 1.0
    weight_hand: float = 0.0
    weight_step: float = Weights.step
    weight_elsewhere: float = Weights.elsewhere
    settled: bool = False


def make_optimizer(
    model: GeometryNet, config: TrainConfig, head: HandHead | None = None
) -> torch.optim.Optimizer:
    """AdamW: a lower rate for the pretrained encoder, no decay on norms and biases."""
    groups = []
    modules = ((model.encoder, config.encoder_rate), (model, config.rate), (head, config.rate))
    for module, rate in modules[: 2 if head is None else 3]:
        assert module is not None
        own = [
            p
            for n, p in module.named_parameters()
            if p.requires_grad and (module is model.encoder or not n.startswith("encoder."))
        ]
        groups.append({"params": [p for p in own if p.ndim > 1], "base": rate, "weight_decay": config.decay})
        groups.append({"params": [p for p in own if p.ndim <= 1], "base": rate, "weight_decay": 0.0})
    fused = next(model.parameters()).is_cuda
    return torch.optim.AdamW(groups, lr=config.rate, betas=(0.9, 0.98), fused=fused)


def refuse(config: TrainConfig) -> None:
    """ValueError for options that do not go together, before anything is written."""
    if config.weight_hand > 0 and config.fine:
        raise ValueError("--weight-hand: got --fine too, of which only the fine part learns; leave one out")
    if config.reach < 0 or config.reach == 1:
        raise ValueError(f"--reach: got {config.reach}, expected 2 and more, or 0 for none")
    if config.reach and not config.fine:
        if config.teacher or config.settled or weights_of(config) != Weights():
            raise ValueError(
                "--reach: got --teacher, --settled or a weight that has no part in it; it learns alone, leave"
                " them out"
            )
        if not config.start:
            raise ValueError("--reach: got no --start, the network that it learns beside; give it")
    if config.settled and not config.start:
        raise ValueError("--settled: got no --start, whose statistics norms would keep; give it")
    if config.weight_elsewhere < 1 and not config.teacher:
        raise ValueError("--weight-elsewhere: got no --teacher, who has the word there; give it")


def train(config: TrainConfig) -> Path:
    """Run (or resume) a training; returns the checkpoint's path."""
    refuse(config)
    place = join(config.device)
    try:
        made = train_at(place, config)
        meet(place)  # nobody leaves while another may still ask
        return made
    finally:
        leave(place)


def start_model(config: TrainConfig, place: Place) -> GeometryNet:
    """A new network, with weights to go on from where the configuration names some."""
    model = GeometryNet(form_of(config))
    if config.start:
        print(
            f"{load_matching(model, config.start)} of {len(model.state_dict())} tensors from {config.start}"
        )
    elif config.imagenet:
        load_imagenet(model)
    return model.to(place.device)


def form_of(config: TrainConfig) -> ModelConfig:
    """The network's form."""
    same = ("fast", "relief", "trim", "joint", "deep", "fine", "reach")
    form = ModelConfig(**{name: getattr(config, name) for name in same})
    return replace(form, widths=read_widths(config.widths)) if config.widths else form


def hold_still(model: GeometryNet, count: int) -> None:
    """The encoder's stem and first `count` - 1 stages learn nothing more, of none for `count` = 0; of a
    network with a fine part, or one that reaches, nothing but that learns."""
    if not 0 <= count <= len(model.encoder.stages):
        raise ValueError(f"--still: got {count}, expected 0 to {len(model.encoder.stages)}")
    held = [model.encoder.stem, *model.encoder.stages][:count]
    alone = model.reach if model.fine is None else model.fine
    if alone is not None:
        held = [part for part in model.children() if part is not alone]
    for part in held:
        part.requires_grad_(False).eval()


def settle(model: torch.nn.Module) -> None:
    """Norms work with the statistics that they have, and gather none."""
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.eval()


def train_at(place: Place, config: TrainConfig) -> Path:
    """`train`, once it is known where."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)  # alike in all processes: they start from the same weights
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    if place.first:
        (out / "config.json").write_text(json.dumps(asdict(config), indent=1))
    model = start_model(config, place).train()
    hold_still(model, config.still)
    if config.settled:
        settle(model)
    head = HandHead(model).to(place.device) if config.weight_hand > 0 else None
    optimizer = make_optimizer(model, config, head)
    mean = {k: v.clone() for k, v in model.state_dict().items()}
    step, spent = resume(out / "last.pt", model, optimizer, mean, head)
    model = model.to(memory_format=torch.channels_last)
    if place.half and not place.card:
        quicken(model)
    progress, stop = Progress(config, spent), threading.Event()
    teacher = load_model(config.teacher).to(place.device).eval() if config.teacher else None
    supply, have = supply_of(config, progress, step, stop, place)

    def keep() -> None:
        seconds = progress.seconds()
        told = {"optimizer": optimizer.state_dict(), "ema": mean, "step": step, "seconds": seconds}
        told |= {} if head is None else {"head": head.state_dict()}
        save_checkpoint(out / "last.pt", model, **told)

    if place.first:
        print(
            f"{parameters(model)} parameters, {have} pictures, {place.device}, from step {step}", flush=True
        )
    weights, said = weights_of(config), heard(model)
    bar = share_bar(place)
    torch.manual_seed(config.seed + 1000 * place.rank + step)
    try:
        for batch in supply:
            share = same_progress(progress(step), place)
            if share >= 1.0:
                break
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * rate_at(share)
            taught = config.weight_teacher, config.weight_taught_matte
            more = Extra(teacher, taught, head, config.weight_hand, said)
            terms = train_step(model, optimizer, batch, weights, place, more)
            average(mean, model, average_at(step))
            step += 1
            bar.update(max(share - bar.n, 0.0))
            if place.first and step % config.report == 0:
                shape, told = batch["image"].shape, {k: float(v) for k, v in terms.items()}
                log(out / "log.csv", step, share, progress.seconds(), shape, told, have)
            if place.first and step % config.save == 0:
                keep()
    finally:
        stop.set()
        supply.close()
        bar.close()
    if place.first:
        keep()
    return out / "last.pt"


def heard(model: GeometryNet) -> list[Tensor] | None:
    """A list that gets what the part that reaches says of each batch; None where it does not learn."""
    if model.reach is None or model.fine is not None:
        return None
    said: list[Tensor] = []
    model.reach.register_forward_hook(lambda _, __, made: said.append(made))
    return said


def share_bar(place: Place) -> tqdm:
    """How much of the schedule is done and when it ends, on a terminal."""
    form = "{l_bar}{bar}| {elapsed}<{remaining}"
    return tqdm(total=1.0, desc="training", bar_format=form, disable=None if place.first else True)


def weights_of(config: TrainConfig) -> Weights:
    """How much each term of the loss counts."""
    given = {field.name: f"weight_{field.name}" for field in fields(Weights)}
    return Weights(**{name: getattr(config, key) for name, key in given.items() if hasattr(config, key)})


@dataclass(frozen=True)
class Extra:
    """What else a step learns from. `taught`: weight of what the `teacher` says, and of its matte in that;
    `weight_hand` that of what `head` says; `said`: where a network leaves what its part that reaches says."""

    teacher: GeometryNet | None = None
    taught: tuple[float, float] = (1.0, 1.0)
    head: HandHead | None = None
    weight_hand: float = 0.0
    said: list[Tensor] | None = None


NOTHING = Extra()


def train_step(
    model: GeometryNet,
    optimizer: torch.optim.Optimizer,
    batch: dict[str, Tensor],
    weights: Weights,
    place: Place,
    extra: Extra = NOTHING,
) -> dict[str, Tensor]:
    """One update; returns the terms of the loss."""
    batch = to_device(batch, place)
    image = batch["image"].contiguous(memory_format=torch.channels_last)
    with torch.autocast(place.device.type, torch.bfloat16, enabled=place.half):
        raw = model.raw(image)
    if extra.said is None:
        loss, terms = total_loss(raw.float(), batch, weights)
    else:
        loss, terms = reach_loss(raw.float(), extra.said.pop().float(), batch)
    if extra.teacher is not None:
        with torch.no_grad(), torch.autocast(place.device.type, torch.bfloat16, enabled=place.half):
            told = extra.teacher.raw(image)
        more = extra.taught[0] * teacher_loss(raw.float(), told.float(), batch, extra.taught[1])
        loss, terms = loss + more, terms | {"teacher": more.detach()}
    if extra.head is not None:
        more = extra.weight_hand * extra.head.loss(batch["hand"])
        loss, terms = loss + more, terms | {"hand": more.detach()}
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    all_of_it = model if extra.head is None else torch.nn.ModuleList([model, extra.head])
    share_gradients(all_of_it, place)
    norm = torch.nn.utils.clip_grad_norm_(all_of_it.parameters(), 3.0)
    if torch.isfinite(norm):  # after sharing: all processes agree
        optimizer.step()
    return terms


@in_one_line
def main(argv: list[str] | None = None) -> None:
    """Command line: every field of TrainConfig is an option."""
    print(train(from_options(TrainConfig, "training.train", __doc__, argv)))


if __name__ == "__main__":
    sys.exit(main())
