"""The light network: told in training what the application tells it; drawing, training, export."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from live_relight.core import reference, told
from live_relight.core.lamps import lamps
from live_relight.core.light import Light
from live_relight.core.look import Look
from live_relight.core.projection import half_tangents
from live_relight.geometry.light_net import LightNet as Runner
from tests.training.doll import make_doll, make_wardrobe  # noqa: F401
from tests.training.test_studio import studio  # noqa: F401
from training.light import train as loop
from training.light.__main__ import main
from training.light.batch import GUESS, TRUE, Batch, Sets, dyed, lit, prepare, read_set, relit, window
from training.light.draw import SETS, Application, LightStudio, draw
from training.light.export import write
from training.light.model import FEATURES, FORMS, MOST, Form, LightNet, read_net
from training.light.rigs import draw_sources, draw_use
from training.synth.shards import find_shards, read_shard
from training.synth.sources import Sources


@pytest.fixture(scope="module")
def shards(studio, tmp_path_factory):  # noqa: F811
    """Two shards of the doll."""
    made = object.__new__(LightStudio)
    made.__dict__ |= studio.__dict__
    made.samples = 3
    out = tmp_path_factory.mktemp("light")
    with studio.renderer.gl, pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.light.draw.GEOMETRIES", 2)
        made.sources = Sources(studio.renderer)
        made.application = Application(made, "analytic")
        draw(made, out, 5, (0, 2))
        made.application.close()
    return out


def test_views_hold_what_the_application_made_of_them(shards):
    records = [record for path in sorted(shards.glob("*.tar")) for record in read_shard(path)]
    assert records
    for record in records:
        shape = record["picture"].shape
        assert shape[0] == SETS == len(record.about["sets"])
        assert record["truth"].shape == record["factor_t"].shape == record["factor_n"].shape == shape
        person = record["alpha"] > 200
        assert person.any()
        assert np.median(record["depth"].astype(np.float32)[person]) == pytest.approx(1, abs=0.02)
        for k, used in enumerate(record.about["sets"]):
            alone = used["ambient"] == 0
            light = record["factor_t"][k].astype(np.float32)[person] ** 2.2 - used["ambient"]
            assert light.mean() > 0.02  # some light of ours arrives
            if alone:
                assert record["truth"][k][~(record["alpha"] > 0)].max(initial=0) == 0


def test_the_application_and_the_truth_are_alike(shards):
    found = loop.measure(LightNet(), Sets(shards), TRUE)
    assert found[0] == pytest.approx(found[1], abs=0.3)  # it has learnt nothing yet
    assert found[0] > 14


def test_batches_say_what_the_application_says(shards):
    for record in read_shard(next(shards.glob("*.tar"))):
        for k, which in ((0, TRUE), (SETS - 1, GUESS)):
            batch = prepare(default_collate([read_set(record, k, which)]))
            used, size = record.about["sets"][k], record["alpha"].shape[::-1]
            fov = record.about["fov"] if which == TRUE else Look().fov
            look = Look(tuple(Light(**v) for v in used["lights"]), ambient=used["ambient"], fov=fov)
            end = "" if which == TRUE else "_n"
            normal, depth, alpha = (
                record[n + end] if which == TRUE else record[n + end][k] for n in ("normal", "depth", "alpha")
            )
            depth = np.clip(np.nan_to_num(depth.astype(np.float32), posinf=5), 0.2, 5)
            factors = record[f"factor_{which}"][k].astype(np.float32)
            share = np.full((*alpha.shape, 1), used["ambient"], np.float32)
            whole = np.concatenate([factors, share], -1)
            found = lamps(look, tuple(used[f"head_{which}"]))
            unit = normal / np.float32(127)
            toward, free = told.arriving(depth, unit, found, half_tangents(size, fov))
            planes = told.features(
                record["picture"][k] / np.float32(255), unit, depth, alpha / np.float32(255),
                told.lamps_share(whole), share[..., 0], toward, free,
            )  # fmt: skip
            np.testing.assert_allclose(batch.features[0].numpy(), planes, atol=2e-3)
            stops = np.random.default_rng(k).normal(0, 1, alpha.shape).astype(np.float32)
            ours = lit(torch.from_numpy(stops)[None, None], batch)
            much = np.linalg.norm(toward, axis=-1)
            theirs = told.corrected(whole, stops, much)[..., :3] ** 2.2 - used["ambient"]
            np.testing.assert_allclose(np.moveaxis(ours[0].numpy(), 0, -1), theirs, atol=2e-3)


def test_the_picture_is_composed_as_the_application_does():
    rng = np.random.default_rng(1)
    picture, light = rng.random((6, 8, 3)), rng.random((6, 8, 3)) * 3
    factor = (0.4 + light) ** (1 / reference.GAMMA)
    theirs = picture * factor * reference.shoulder(picture, picture * factor)
    planes = (torch.from_numpy(np.moveaxis(v, -1, 0))[None].float() for v in (picture, light))
    ours = relit(*planes, torch.full((1, 1, 1, 1), 0.4))
    np.testing.assert_allclose(np.moveaxis(ours[0].numpy(), 0, -1), theirs, atol=1e-5)


def test_dyes_go_by_hue_and_not_by_brightness():
    picture = 0.2 + 0.8 * torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(3))
    size, turn = torch.full((2, 3), 0.6), 8 * torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(4))
    bright, dark = (dyed(value, size, turn) for value in (picture, picture * 0.7))
    torch.testing.assert_close(bright, dark, atol=0.02, rtol=0.02)
    assert bright.max() <= 1
    assert bright.min() < 0.8
    assert bright.min() >= float(np.exp(-1.2 / 2.2)) - 1e-6
    torch.testing.assert_close(dyed(picture, 0 * size, turn), torch.ones_like(picture))


def test_a_mirrored_window_is_the_window_of_the_mirrored(shards):
    raw = default_collate([read_set(next(iter(Sets(shards).items))[0], 0, TRUE)])
    width = raw["picture"].shape[-1]
    mirrored = dict(raw)
    for name in ("picture", "truth", "factor", "normal", "depth", "alpha", "person"):
        mirrored[name] = raw[name].flip(-1)
    mirrored["normal"] = mirrored["normal"] * torch.tensor([-1, 1, 1], dtype=torch.int8)[:, None, None]
    mirrored["lamps"] = raw["lamps"] * torch.tensor([-1.0, 1, 1, 1, 1, 1])
    one, other = window(prepare(raw), 0, width, True), prepare(mirrored)
    for name, value in vars(one).items():
        torch.testing.assert_close(value, getattr(other, name), atol=1e-4, rtol=1e-4)


def test_it_learns_resumes_and_is_exported(shards, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(loop, "LEAST", 10)
    run = loop.Run(shards, tmp_path, 0, kept=1, batch=4, steps=4)
    loop.train(run)
    first = torch.load(tmp_path / "last.pt", weights_only=True)
    assert first["step"] == 4
    loop.train(replace(run, steps=6))
    then = torch.load(tmp_path / "last.pt", weights_only=True)
    assert then["step"] == 6
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2
    with pytest.raises(ValueError, match="kept"):
        loop.train(replace(run, kept=0))
    with pytest.raises(ValueError, match="expected 99 and more"):
        loop.train(replace(run, batch=99))
    out = tmp_path / "light" / "light.onnx"
    write(tmp_path / "last.pt", out, {"data_sets": 1}, "none")
    card = out.with_suffix(".toml").read_text()
    assert "parameters = " in card
    assert "data_sets = 1" in card
    Runner(out)
    capsys.readouterr()
    wrong = [
        "export",
        "--checkpoint",
        str(tmp_path / "no.pt"),
        "--out",
        "x",
        "--data",
        str(shards),
        "--seed",
        "1",
    ]
    assert main(wrong) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_form_for_cameras_learns_from_smaller_shards_and_from_the_other(shards, tmp_path, monkeypatch):
    small = tmp_path / "small"
    assert main(["shrink", "--data", str(shards), "--out", str(small), "--size", "64x48"]) == 0
    for path in find_shards(small):
        whole = {record.key: record for record in read_shard(shards / path.name)}
        for record in read_shard(path):
            other = whole[record.key]
            assert record.about == other.about
            assert record.names == other.names
            assert all(record[name].dtype == other[name].dtype for name in record.names)
            assert record["truth"].shape == (*other["truth"].shape[:1], 48, 64, 3)
            assert abs(record["truth"].mean() - other["truth"].mean()) < 3
            long = np.linalg.norm(record["normal"].astype(float), axis=-1)[record["alpha"] > 250]
            assert np.abs(long - 127).max() < 2
    torch.save({"smooth": LightNet().state_dict(), "step": 1, "minutes": 1}, tmp_path / "teacher.pt")
    monkeypatch.setattr(loop, "LEAST", 10)
    run = loop.Run(small, tmp_path / "run", 1.0, 1, 2, steps=2, form="live", teacher=tmp_path / "teacher.pt")
    loop.train(run)
    net, trained = read_net(tmp_path / "run" / "last.pt")
    assert net.form == FORMS["live"]
    assert trained["steps"] == 2
    out, last = tmp_path / "light-live.onnx", tmp_path / "run" / "last.pt"
    words = ["export", "--checkpoint", str(last), "--out", str(out), "--data", str(small), "--seed", "1"]
    assert main([*words, "--commit", "none"]) == 0
    assert Runner(out).size((640, 480)) == (64, 48)


def test_what_a_teacher_says_counts():
    net, teacher = LightNet(FORMS["live"]), LightNet()
    with pytest.raises(ValueError, match="stride"):
        Form(4, (8, 8, 8, 8), (1, 1, 1, 1), (1, 1, 1))
    planes = torch.rand(2, FEATURES, 32, 48)
    one = torch.ones(2, 1, 32, 48)
    batch = Batch(planes, one.expand(2, 3, 32, 48) * 0.4, one.expand(2, 3, 32, 48) * 0.5,
                  one.expand(2, 3, 32, 48) * 0.3, one, one, torch.full((2, 1, 1, 1), 0.4))  # fmt: skip
    alone = loop.loss_of(net, batch)
    torch.testing.assert_close(loop.loss_of(net, batch, net), alone, atol=0.02, rtol=0)
    with torch.no_grad():
        teacher.head.bias += 2.0
    assert loop.loss_of(net, batch, teacher) > alone + 1.0


def test_a_new_network_says_next_to_nothing_and_no_more_than_its_limit():
    net = LightNet().eval()
    features = torch.randn(1, FEATURES, 32, 48)
    with torch.no_grad():
        assert net(features).abs().max() < 0.2
        net.head.bias += 100
        assert net(features).max() <= MOST


def test_the_averaged_weights_are_what_is_exported(tmp_path):
    net, smooth = LightNet(), LightNet()
    torch.save(
        {"net": net.state_dict(), "smooth": smooth.state_dict(), "step": 7, "minutes": 2.6}, tmp_path / "a.pt"
    )
    read, trained = read_net(tmp_path / "a.pt")
    assert trained == {"steps": 7, "minutes": 3}
    torch.testing.assert_close(read.state_dict()["head.weight"], smooth.state_dict()["head.weight"])


def test_rates_rise_stay_and_fall():
    assert loop.rate(0, 0.0) < loop.rate(100, 0.1) < loop.rate(1000, 0.2)
    assert loop.rate(1000, 0.3) > loop.rate(5000, 0.7) > loop.rate(9000, 1.0)


def test_rigs_use_what_was_drawn():
    kinds = set()
    for seed in range(80):
        rng = np.random.default_rng(seed)
        sources = draw_sources(rng)
        use = draw_use(rng, sources)
        assert [sources[k].kind for k in use.which] == [light.kind for light in use.lights]
        assert [sources[k].az for k in use.which] == [light.az for light in use.lights]
        assert 0 <= use.ambient <= 1
        kinds.add(tuple(sorted(light.kind for light in use.lights)))
    assert len(kinds) > 5
    assert ("rim",) not in kinds
