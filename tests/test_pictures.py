"""Maps of regimes, Sankey diagrams and drawings of networks show the numbers of the library."""

import dataclasses

import equinox as eqx
import jax
import numpy as np
import pytest
from matplotlib.colors import to_hex
from scipy import ndimage

import coldspot as cs
from coldspot import figures, style
from coldspot.figures import states
from coldspot.style import image
from coldspot.trajectories import Trajectories

DOT = cs.machines.QuantumDot()


@pytest.fixture(scope="module")
def grid():
    # One column has equal temperatures, and points on borders, where nothing flows from one of the baths.
    return cs.sweep(DOT, {"level": np.linspace(-20.0, 20.0, 33), "left.temperature": np.linspace(3.0, 19.0, 33)})


def test_borders_lie_where_signs_change_and_have_no_specks(grid):
    axes = figures.regime_map(grid)
    mesh = axes.collections[0]
    y, x = mesh.get_coordinates()[..., 1], mesh.get_coordinates()[..., 0]
    codes = np.asarray(mesh.get_array())
    centres = np.stack([(part[1:, 1:] + part[:-1, :-1]) / 2 for part in (y, x)], axis=-1)
    random = np.random.default_rng(1).integers(0, codes.shape[0], (1024, 2))
    points = [{"level": float(a), "left.temperature": float(b)} for a, b in centres[tuple(random.T)]]
    exact = cs.sweep(DOT, points).regime.values
    assert np.mean(codes[tuple(random.T)] == exact) > 0.998
    shown = {cs.regimes.NAMES[code] for code in np.unique(codes)}
    assert shown == {"engine", "refrigerator", "heater", "accelerator"}
    assert {text.get_text() for text in axes.get_legend().get_texts()} == shown
    # The border of the engine: power changes its sign where the two affinities are equal.
    t = centres[0, :, 1]
    column = int(np.argmin(abs(t - 12.0)))
    above = codes[:, column] == cs.regimes.code("engine")
    border = centres[np.flatnonzero(above)[-1], column, 0]
    level = (2.5 * 5.0 + 2.5 * t[column]) / (5.0 - t[column])
    step = centres[1, 0, 0] - centres[0, 0, 0]
    assert border == pytest.approx(level, abs=2 * step)


def between(left, right, potential):
    """Dots by their level and the potential of the left lead, of leads at two temperatures."""

    def build(level, bias):
        return cs.machines.QuantumDot(
            level=level, left=cs.ElectronBath(left, bias), right=cs.ElectronBath(right, potential)
        )

    return build


def test_wedges_thinner_than_the_steps_of_the_grid_are_drawn_and_have_no_specks():
    # Nearly equal temperatures: regimes lie in thin wedges between the lines at which heats and power vanish.
    tilted = between(10.0, 9.0, -2.5)
    # Power vanishes where potentials meet and where particles turn: the two lines cross between points of the grid.
    found = cs.sweep(tilted, {"level": np.linspace(-20.0, 20.0, 17), "bias": np.linspace(-10.5, 5.5, 17)})
    mesh = figures.regime_map(found).collections[0]
    y, x = mesh.get_coordinates()[..., 1], mesh.get_coordinates()[..., 0]
    codes = np.asarray(mesh.get_array())
    centres = np.stack([(part[1:, 1:] + part[:-1, :-1]) / 2 for part in (y, x)], axis=-1)
    random = np.random.default_rng(2).integers(0, codes.shape[0], (4096, 2))
    points = [{"level": float(a), "bias": float(b)} for a, b in centres[tuple(random.T)]]
    exact = cs.sweep(tilted, points).regime.values
    # The corners of the cells alone, or products interpolated as such, give .990 and .988.
    assert np.mean(codes[tuple(random.T)] == exact) > 0.997
    for code in np.unique(codes):
        labels, count = ndimage.label(codes == code, np.ones((3, 3)))
        assert min(np.bincount(labels.ravel())[1:]) > 20, (cs.regimes.NAMES[code], count)


@pytest.mark.parametrize("low", [(0.0, 0.0), (-0.33, -0.17)])
def test_borders_that_cross_on_a_point_of_the_grid_or_between_points_stay_straight(low):
    # Particles turn at level = 2 bias, and the heat of the cold bath there and at level = bias: wedges meet at 0, 0.
    steps = np.arange(17)
    grid = {"level": low[0] + 0.2 * steps, "bias": low[1] + 0.1 * steps}
    mesh = figures.regime_map(cs.sweep(between(1.0, 2.0, 0.0), grid)).collections[0]
    y, x = (mesh.get_coordinates()[..., k] for k in (1, 0))
    level, bias = ((part[1:, 1:] + part[:-1, :-1]) / 2 for part in (y, x))
    flow = np.where(abs(level / 2 - bias) < 1e-9, np.nan, level / 2 - bias)  # of particles from the hot bath
    cases = {"engine": flow * bias > 0, "refrigerator": (bias - level) * flow > 0, "accelerator": level * flow > 0}
    exact = np.select(list(cases.values()), [cs.regimes.code(name) for name in cases], cs.regimes.code("heater"))
    inside = ~np.isnan(flow) & (abs(level - bias) > 1e-9)
    found = np.asarray(mesh.get_array())
    assert np.mean(found[inside] == exact[inside]) > 0.9998  # heats interpolated as such: 0.996 or less


def test_points_that_cannot_be_trusted_are_white():
    found = cs.sweep(DOT, {"level": [-15.0, -14.0, -13.0], "left.temperature": [-1.0, 9.0, 10.0, 11.0]})
    codes = np.asarray(figures.regime_map(found).collections[0].get_array())
    third = codes.shape[1] // 3
    unknown = codes == cs.regimes.code("unknown")
    assert unknown[:, : third // 2].all()
    assert not unknown[:, third:].any()
    assert not figures.regime_map(found).texts
    bad = found.isel({"left.temperature": slice(0, 1)}).squeeze()
    for axes in (
        figures.curves(bad, "heat"),
        figures.regime_map(cs.sweep(DOT, {"level": [0.0, 1.0], "left.temperature": [-2.0, -1.0]})),
    ):
        assert "no point of this sweep can be trusted" in axes.texts[0].get_text()
    assert "positive and finite" in axes.texts[0].get_text()


def test_a_bath_has_one_colour_in_all_pictures(grid):
    s = cs.steady_state(DOT)
    bars = [to_hex(patch.get_facecolor()) for patch in figures.ledger(s).patches[:2]]
    bands = {to_hex(patch.get_facecolor(), keep_alpha=False) for patch in figures.sankey(s).patches}
    lines = [line.get_color() for line in figures.curves(grid.isel({"left.temperature": 20}), ["heat"]).get_lines()]
    states = [line.get_color() for line in figures.network(DOT).get_legend().get_lines()]
    hot_left_cold_right = [style.ORANGE, style.BLUE]
    assert [name.upper() for name in bars] == lines == states == hot_left_cold_right
    assert set(hot_left_cold_right) <= {name.upper() for name in bands}


def test_a_map_needs_two_parameters(grid):
    with pytest.raises(cs.InputError, match="two swept parameters, but has `level` \\(33\\)"):
        figures.regime_map(grid.isel({"left.temperature": 0}))
    with pytest.raises(cs.InputError, match="must be the Dataset of a sweep"):
        figures.regime_map(grid.drop_vars("regime"))
    assert image(figures.regime_map(grid.isel(level=slice(0, 4))).figure, "png").startswith(b"\x89PNG")


def test_bands_are_as_wide_as_the_flows():
    s = cs.steady_state(DOT)
    axes = figures.sankey(s)
    bands = [patch for patch in axes.patches if hasattr(patch, "get_path") and len(patch.get_path()) == 8]
    width = {}
    for band in bands:
        x, y = band.get_path().vertices[[0, -1]].T
        width.setdefault(np.sign(x[0]), []).append(y[0] - y[1])
    assert [sum(side) for side in width.values()] == pytest.approx([1.0, 1.0], rel=1e-12)
    flows = [float(s.heat["right"]), *(float(w) for w in s.chemical_work.array)]
    assert sorted(width[-1.0]) == pytest.approx(sorted(np.array(flows) / sum(flows)), rel=1e-9)
    words = " ".join(text.get_text() for text in axes.texts)
    assert f"{-float(s.heat['left']):.4g}" in words
    assert "chemical work left" in words
    assert words.count("particles") == 2
    doubtful = eqx.tree_at(lambda one: one.error.particle_numbers, s, jax.numpy.array([1.0, 0.0]))
    assert " ".join(text.get_text() for text in figures.sankey(doubtful).texts).count("particles") == 1


def test_arrows_of_a_network_point_the_way_of_the_heat():
    net = cs.JumpNetwork(
        energies=[0.0, 1.0],
        baths={"hot": cs.HeatBath(2.0), "cold": cs.HeatBath(1.0)},
        channels=[cs.Channel("hot", 0, 1, cs.Glauber(0.1)), cs.Channel("cold", 1, 0, cs.Glauber(0.2))],
    )
    axes = figures.network(net)
    up, down = [text for text in axes.texts if text.arrow_patch is not None]
    assert (up.xyann[1], up.xy[1]) == (0.0, 1.0)
    assert (down.xyann[1], down.xy[1]) == (1.0, 0.0)
    assert up.arrow_patch.get_linewidth() == pytest.approx(down.arrow_patch.get_linewidth(), rel=1e-9)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["hot", "cold"]
    assert figures.network(DOT).get_title() == "net currents"


JUMPING = [m for m in cs.machines.ALL if isinstance(m().dynamics(), cs.JumpNetwork)]


@pytest.mark.parametrize("machine", JUMPING, ids=lambda m: m.name)
def test_arrows_have_the_colour_of_their_bath_or_reservoir_of_work(machine):
    net = machine().dynamics()
    axes = figures.network(net)
    colours = {
        text.get_text(): line.get_color()
        for text, line in zip(axes.get_legend().get_texts(), axes.get_legend().get_lines(), strict=True)
    }
    assert list(colours) == list(net.baths)
    causes = [channel.baths[0] for channel in net.channels for _ in range(channel.size)]
    arrows = [text.arrow_patch for text in axes.texts if text.arrow_patch is not None]
    for cause, arrow in zip(causes, arrows, strict=True):
        assert to_hex(arrow.get_edgecolor()) == to_hex(colours[cause]), cause


def test_what_is_no_network_is_not_drawn():
    with pytest.raises(cs.InputError, match="must be a jump network, but its dynamics is OscillatorNetwork"):
        figures.network(cs.machines.OscillatorPair())


def test_dots_are_drawn_with_the_transitions_of_each_bath():
    leads = {name: cs.Lead(cs.ElectronBath(0.2, mu), 0.01) for name, mu in (("left", 0.2), ("right", -0.2))}
    dots = cs.Dots([[0.1]], leads)
    axes = figures.network(dots)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["left", "right"]
    assert len([text for text in axes.texts if text.arrow_patch is not None]) == sum(dots.sizes())


def test_many_states_stand_in_columns_by_their_particles_and_apart():
    occupations, energies = np.array([0, 1, 1, 1, 2]), np.array([0.0, 1.0, 1.01, 1.5, 2.0])
    x = states._stacks(occupations, energies)
    assert x[1] == x[3] != x[2]
    assert x[0] < x[1] < x[2] < x[4]


@pytest.fixture(scope="module")
def line():
    return cs.sweep(DOT, {"level": np.linspace(-15.0, 5.0, 5)}, also=[cs.Counting("heat", "left")])


def test_curves_show_the_numbers_of_the_sweep(line):
    axes = figures.curves(line, ["heat", "power"])
    drawn = {one.get_label(): one.get_ydata() for one in axes.get_lines()}
    assert list(drawn) == ["heat left", "heat right", "power"]
    np.testing.assert_array_equal(drawn["heat right"], line.heat.sel(bath="right").values)
    assert axes.get_xlabel() == "level ($E$)"
    assert axes.get_ylabel() == r"$E^{2}/\hbar$"
    # Heat and its square have different units, and so a panel each.
    panels = figures.cumulants(line).figure.axes
    assert [panel.get_ylabel() for panel in panels] == [
        rf"cumulant {m} heat left ($E^{{{m + 1}}}/\hbar$)" for m in (1, 2)
    ]
    counted = {one.get_label(): one.get_ydata() for panel in panels for one in panel.get_lines()}
    np.testing.assert_array_equal(counted["cumulant 2 heat left"], line.cumulant_2_heat_left.values)
    with pytest.raises(cs.InputError, match=r"no variable `heats`\. Did you mean `heat`"):
        figures.curves(line, "heats")
    with pytest.raises(cs.InputError, match="one swept parameter"):
        figures.curves(line.isel(level=0), "heat")
    with pytest.raises(cs.InputError, match="has counted"):
        figures.cumulants(line.drop_vars([name for name in line.data_vars if name.startswith("cumulant_")]))


def test_fronts_and_trajectories_show_each_machine_and_each_path(line):
    front = line.rename({"level": "point"})
    points = figures.pareto(front, "power", "efficiency").get_lines()[1]
    assert sorted(points.get_xdata()) == sorted(front.power.values)
    with pytest.raises(cs.InputError, match="one number for each machine"):
        figures.pareto(front, "power", "heat")
    heats = np.repeat([[1.0, -1.0], [2.0, 0.0]], [30, 10], axis=0)
    solution = cs.steady_state(DOT)
    kept = Trajectories(
        solution,
        *(jax.numpy.asarray(part) for part in (heats, np.zeros((40, 0)), np.zeros(40), [0.0, 1.0], np.ones((2, 2, 1)))),
        velocities=jax.numpy.ones((2, 2, 1)),
        time=jax.numpy.asarray(1.0),
    )
    assert len(figures.trajectories(kept).get_lines()) == 2
    left, _ = figures.trajectories(dataclasses.replace(kept, positions=jax.numpy.ones((0, 2, 1)))).get_lines()
    assert dict(zip(*left.get_data(), strict=True)) == {1.0: 0.75, 2.0: 0.25}
    with pytest.raises(cs.InputError, match="what `trajectories` returns"):
        figures.trajectories(line)


def test_transmission_and_density_are_those_of_the_library():
    leads = {name: cs.WideBandLead(k, 0.3, cs.ElectronBath(0.1)) for k, name in enumerate(("left", "right"))}
    conductor = cs.Conductor([[0.3, 0.2], [0.2, -0.3]], leads)
    energies = np.linspace(-1.0, 1.0, 11)
    (drawn,) = figures.transmission(conductor, energies).get_lines()
    green = np.linalg.inv([np.diag([e + 0.15j, e + 0.15j]) - [[0.3, 0.2], [0.2, -0.3]] for e in energies])
    np.testing.assert_allclose(drawn.get_ydata(), 0.09 * abs(green[:, 0, 1]) ** 2, rtol=1e-12)
    assert drawn.get_label() == "left ↔ right"
    trap = cs.KleinKramers(lambda x: x * x / 2, friction=1.0, temperature=0.5, boundary=cs.Closed())
    x, v = np.linspace(-1.0, 1.0, 5), np.linspace(-2.0, 2.0, 7)
    shares = np.asarray(figures.density(trap, x, v).collections[0].get_array()).reshape(7, 5)
    np.testing.assert_allclose(shares, np.exp(-(v[:, None] ** 2 + x**2)) / np.pi, rtol=1e-6)
    with pytest.raises(cs.InputError, match="`problem` must be a KleinKramers"):
        figures.density(conductor, x, v)


def test_dark_pictures_have_light_ink_and_keep_their_colours():
    axes = figures.ledger(cs.steady_state(DOT))
    before = [to_hex(patch.get_facecolor()) for patch in axes.patches]
    assert figures.dark(axes) is axes
    assert [to_hex(patch.get_facecolor()) for patch in axes.patches] == before
    ground = to_hex(axes.figure.get_facecolor())
    assert ground == to_hex(axes.get_facecolor()) == "#15171c"
    inks = {to_hex(text.get_color()) for text in [*axes.texts, axes.title, axes.yaxis.label, *axes.get_xticklabels()]}
    assert inks == {"#e4e6eb"}
    assert image(axes.figure, "svg").startswith(b"<?xml")
