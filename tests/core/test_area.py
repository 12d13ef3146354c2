"""Area lights against sums over many small pieces of them, and what must hold for any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_relight.core import area, brdf
from training import ltc

HEAD = np.array([0.0, 0.0, -1.0])
UP = np.array([0.0, 0.0, 1.0])


@pytest.fixture(scope="module")
def table(root):
    return np.load(root / "shaders" / "ltc.npy")


def unit(v):
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def pieces(polygon, count):
    """n x 3 middles and n areas of small pieces of a convex polygon, and the unit normal of its lit side."""
    side = int(np.sqrt(count / (len(polygon) - 2)))
    g = (np.arange(side) + 0.5) / side
    u, v = (x.reshape(-1, 1) for x in np.meshgrid(np.sqrt(g), g))
    a, b, c = polygon[0], polygon[1:-1, None], polygon[2:, None]
    spots = (1.0 - u) * a + u * (1.0 - v) * b + u * v * c
    normal = np.cross(polygon[1:-1] - a, polygon[2:] - a)
    share = np.repeat(np.linalg.norm(normal, axis=-1) / 2.0 / side**2, side**2)
    return spots.reshape(-1, 3), share, unit(normal[0])


def directions(point, polygon, count=10_000):
    """n x 3 unit vectors to the pieces and the solid angle of each."""
    spots, share, normal = pieces(polygon, count)
    way = spots - point
    far = np.linalg.norm(way, axis=-1)
    light = way / far[:, None]
    return light, share * np.maximum(-(light @ normal), 0.0) / far**2


def summed_diffuse(point, normal, polygon):
    light, angle = directions(point, polygon)
    return float(np.maximum(light @ normal, 0.0) @ angle / np.pi)


def summed_specular(light, angle, normal, view, roughness, f0):
    """The same with brdf.ggx, which is pi times the BRDF, over `directions`."""
    half = unit(light + view)
    nl, nv = np.maximum(light @ normal, 0.0), max(float(normal @ view), 0.0)
    shine = brdf.ggx(nl, np.full_like(nl, nv), half @ normal, half @ view, roughness**2, 0.0, f0)
    return float(shine @ angle / np.pi)


def configuration(rng, width=(0.1, 2.0), least=0.0):
    """point, normal, view, polygon: on a head, turned anyhow toward the camera, a light anywhere."""
    point = HEAD + rng.normal(0.0, 0.15, 3)
    view = unit(-point)
    normal = unit(rng.normal(0.0, 1.0, 3))
    normal = normal if normal @ view > 0.0 else -normal
    if normal @ view < least:
        normal = unit(normal + view)
    centre = HEAD + unit(rng.normal(0.0, 1.0, 3)) * rng.uniform(0.5, 2.0)
    shape = ("rect", "disk")[rng.integers(2)]
    return point, normal, view, area.corners(shape, *rng.uniform(*width, 2), centre, HEAD)


def test_diffuse_is_the_sum_over_the_light():
    rng = np.random.default_rng(0)
    got, expected, cut = [], [], 0
    for _ in range(150):
        point, normal, _, polygon = configuration(rng)
        got.append(float(area.polygon_irradiance(point, normal, polygon)))
        expected.append(summed_diffuse(point, normal, polygon))
        above = (polygon - point) @ normal > 0.0
        cut += bool(above.any() and not above.all())
    assert cut > 20  # across the horizon
    assert max(expected) > 0.3
    assert np.abs(np.subtract(got, expected)).max() < 0.002 * max(expected)


@pytest.fixture(scope="module")
def scenes():
    """100 configurations, each with the directions to its light's pieces."""
    rng = np.random.default_rng(1)
    found = [configuration(rng, least=0.15) for _ in range(100)]
    return [(*f, *directions(f[0], f[3], 10_000)) for f in found]


@pytest.mark.parametrize("f0", [0.02, 0.03, 0.12])
@pytest.mark.parametrize("roughness", [0.3, 0.47, 0.7, 1.0])
def test_specular_is_near_the_sum_over_the_light(roughness, f0, table, scenes):
    """In shares of the brightest highlight: mostly within 5 %, within 10 % where the surface is seen at 30
    degrees or more, within 25 % near the silhouette; all places together within 5 %. A cosine in another
    space is not quite GGX."""
    got = np.array([float(area.polygon_specular(*s[:4], roughness, f0, table)) for s in scenes])
    expected = np.array([summed_specular(*s[4:], s[1], s[2], roughness, f0) for s in scenes])
    steep = np.array([s[1] @ s[2] for s in scenes]) > 0.5
    off = np.abs(got - expected) / expected.max()
    assert off.max() < 0.25
    assert off[steep].max() < 0.1
    assert np.quantile(off, 0.95) < 0.05
    assert abs(got.sum() / expected.sum() - 1.0) < 0.05


@pytest.mark.parametrize("roughness", [0.1, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("tilt", [0.0, 30.0, 60.0])
def test_a_sky_of_light_gives_the_lobe_s_albedo(roughness, tilt, table):
    """In a white furnace the diffuse sum is 1, and the specular one the albedo."""
    sky = area.corners("rect", 4e3, 4e3, [0.0, 0.0, 0.1], [0.0, 0.0, 0.0])
    view = np.array([np.sin(np.radians(tilt)), 0.0, np.cos(np.radians(tilt))])
    light, weight = ltc.directions(view, roughness**2)
    albedo = float(weight @ ltc.lobe(light, view, roughness**2, 0.04))
    origin = np.zeros(3)
    assert float(area.polygon_irradiance(origin, UP, sky)) == pytest.approx(1.0, abs=1e-3)
    shine = float(area.polygon_specular(origin, UP, view, sky, roughness, 0.04, table))
    assert shine == pytest.approx(albedo, rel=0.01)


@pytest.mark.parametrize("roughness", [0.2, 0.4, 0.6, 0.9])
def test_a_small_far_light_is_a_point_light(roughness, table):
    """In the mirrored direction, seen at 60 degrees to the surface: ggx of brdf.py, within 12 % of it."""
    view = unit(np.array([0.5, 0.0, 0.9]))
    light = view * [-1.0, 1.0, 1.0]
    small = area.corners("disk", 0.1, 0.1, light * 10.0, np.zeros(3))
    got = float(area.polygon_specular(np.zeros(3), UP, view, small, roughness, 0.04, table))
    got /= area.facing(small, np.zeros(3))
    one = np.array(1.0)
    cosine = view[2] * one
    expected = float(brdf.ggx(cosine, cosine, one, cosine, roughness**2, 0.0, 0.04))
    assert got == pytest.approx(expected, rel=0.12)
    matt = float(area.polygon_irradiance(np.zeros(3), UP, small)) / area.facing(small, np.zeros(3))
    assert matt == pytest.approx(view[2], rel=1e-3)


@given(seed=st.integers(0, 2**32 - 1), roughness=st.floats(0.1, 1.0))
def test_light_sets_without_a_step_and_stays_set(table, seed, roughness):
    """Turning the surface little by little changes the light little by little, and none comes from below."""
    rng = np.random.default_rng(seed)
    point, normal, _, polygon = configuration(rng)
    middle = unit(polygon.mean(axis=0) - point)
    other = unit(np.cross(normal, middle) + 1e-9)
    turn = np.linspace(0.0, np.pi, 721)[:, None]
    normals = np.cos(turn) * middle + np.sin(turn) * other
    points = np.broadcast_to(point, normals.shape)
    view = np.broadcast_to(unit(middle + 0.7 * other), normals.shape)
    diffuse = area.polygon_irradiance(points, normals, polygon)
    shine = area.polygon_specular(points, normals, view, polygon, roughness, 0.04, table)
    assert np.isfinite(shine).all()
    assert np.abs(np.diff(diffuse)).max() < 1.1 * np.pi / 720
    assert diffuse.min() >= 0.0
    assert diffuse.max() <= 1.0 + 1e-9
    below = ((polygon[None] - point) @ normals.T < 0.0).all(axis=1)[0]
    assert np.abs(diffuse[below]).max(initial=0.0) < 1e-9
    assert np.abs(shine[below]).max(initial=0.0) < 1e-9


@given(
    st.floats(-180, 180),
    st.one_of(st.sampled_from([-90.0, 90.0]), st.floats(-90, 90)),
    st.sampled_from(["rect", "disk"]),
)
def test_corners_face_the_head(az, el, shape):
    az, el = np.radians(az), np.radians(el)
    way = np.array([np.sin(az) * np.cos(el), np.sin(el), np.cos(az) * np.cos(el)])
    polygon = area.corners(shape, 0.8, 0.5, HEAD + 1.2 * way, HEAD)
    normal = np.cross(polygon[1] - polygon[0], polygon[2] - polygon[1])
    assert polygon.shape == ({"rect": 4, "disk": 8}[shape], 3)
    assert unit(normal) == pytest.approx(-way, abs=1e-9)
    assert polygon.mean(axis=0) == pytest.approx(HEAD + 1.2 * way, abs=1e-9)
    _, share, _ = pieces(polygon, 100)
    assert share.sum() == pytest.approx(0.8 * 0.5 * {"rect": 1.0, "disk": np.pi / 4}[shape])
    if shape == "rect":
        assert abs(polygon[1, 1] - polygon[0, 1]) < 1e-9  # its lower side is level
        assert polygon[2, 1] >= polygon[1, 1] - 1e-4
    assert area.facing(polygon, HEAD) > 0.0
    assert float(area.polygon_irradiance(HEAD, -way, polygon)) == 0.0


def test_a_light_of_no_size_still_shines():
    assert area.facing(area.corners("rect", 0.0, 0.0, HEAD + UP, HEAD), HEAD) > 0.0


def test_nothing_comes_from_the_back_of_a_light():
    polygon = area.corners("rect", 1.0, 1.0, HEAD + UP, HEAD)
    assert float(area.polygon_irradiance(HEAD + 2.0 * UP, -UP, polygon)) == 0.0


@pytest.mark.parametrize(("near", "far", "limit"), [(1.5, 2.0, 0.01), (2.0, 6.0, 0.002)])
def test_an_octagon_is_nearly_a_disk(near, far, limit):
    """In shares of what a surface gets that faces it, by distance in radii; against 64 corners, some of them
    below the horizon."""
    turn = (np.arange(64) + 0.5) * np.pi / 32.0
    radius = np.sqrt(2.0 * np.pi / (64.0 * np.sin(np.pi / 32.0)))
    disk = np.stack([np.cos(turn), np.sin(turn), 0.0 * turn], axis=-1) * radius
    octagon = area.corners("disk", 2.0, 2.0, np.zeros(3), UP)
    rng = np.random.default_rng(2)
    points = rng.normal(0.0, 1.0, (500, 3))
    points[:, 2] = np.abs(points[:, 2]) + 0.3
    points = unit(points) * rng.uniform(near, far, (500, 1))
    normals = unit(rng.normal(0.0, 1.0, points.shape) - unit(points))
    got, expected = (area.polygon_irradiance(points, normals, c) for c in (octagon, disk))
    assert (np.abs(got - expected) < limit * area.polygon_irradiance(points, unit(-points), disk)).all()


def test_the_table_is_smooth(table):
    assert table.shape == (len(area.LAYERS), 24, 32, 4)
    assert table.dtype == np.float32
    assert np.isfinite(table).all()
    assert (table[..., [0, 2, 3]] > 0.0).all()
    assert table[..., 3].max() <= 1.001  # no more light than there was
    inner = table[:, :, 2:]  # at grazing view the polished rows do bend
    assert np.abs(np.diff(inner, 2, axis=1)).max() < 0.05
    assert np.abs(np.diff(inner, 2, axis=2)).max() < 0.05


def test_fitting_a_tiny_table(tmp_path, table):
    out = tmp_path / "tiny.npy"
    assert ltc.main(["--out", str(out), "--size", "4"]) == 0
    tiny = np.load(out)
    assert tiny.shape == (len(area.LAYERS), 3, 4, 4)
    assert ltc.F0S == area.LAYERS
    assert ltc.ROUGHNESS == area.ROUGHNESS
    # its corners are places of the whole table too, reached in other steps
    assert tiny[:, ::2, -1] == pytest.approx(table[:, ::23, -1], rel=0.02, abs=0.01)
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.npy"]


def test_a_table_of_one_is_refused(tmp_path, capsys):
    assert ltc.main(["--out", str(tmp_path / "no.npy"), "--size", "1"]) == 1
    assert "at least 2, got 1" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
