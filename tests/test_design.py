"""Designs that somebody else stops: where they are looked at, and that every look is a prefix."""

from __future__ import annotations

import numpy as np
import pytest

from spex_api.decoding import SPEX, Lasso
from spex_api.decoding.auto import takes_uniform_masks
from spex_api.design import draw_design
from spex_api.finding import find
from spex_api.querying.evaluation import Evaluation

STOPS = (50, 80, 130)


def test_there_is_a_look_at_each_stop_and_one_at_the_end():
    """Stops beyond the last mask are none."""
    design = draw_design("lasso", num_features=12, num_masks=100, seed=0, stops=STOPS)
    assert [look.num_masks for look in design.looks] == [50, 80, 100]
    assert design.target is None


def test_a_whole_cube_is_looked_at_on_the_way_and_then_exact():
    """Of 64 masks the last look is at all of them, which are fitted exactly."""
    design = draw_design("auto", num_features=6, num_masks=100, seed=0, stops=(30, 45))
    assert [look.num_masks for look in design.looks] == [30, 45, 64]
    assert len(np.unique(design.survey.plan.masks, axis=0)) == 64
    values = design.survey.plan.masks @ np.arange(6.0)
    answers = Evaluation.of_values(values, 64)
    assert find(design, design.looks[-1], answers=answers, ordered=False).faithfulness.exhaustive


def test_what_chooses_its_decoder_asks_no_code_where_it_may_be_stopped():
    """So few masks a feature would be coded ones, if nobody stopped."""
    design = draw_design("auto", num_features=127, num_masks=400, seed=0, stops=STOPS)
    assert len(design.looks) == 4
    assert all(takes_uniform_masks(look.decoder) for look in design.looks)


def test_a_code_that_is_asked_for_has_one_look():
    """It is whole or nothing."""
    design = draw_design(SPEX(), num_features=24, num_masks=700, seed=0, stops=STOPS)
    assert [look.num_masks for look in design.looks] == [700]


def test_the_interval_of_a_look_that_may_be_the_last_is_wider():
    """Who may stop at a good look has looked more than once: the interval bears it."""
    noise = np.random.default_rng(0).normal(0, 5, 100)
    designs = [
        draw_design(Lasso(), num_features=12, num_masks=300, seed=0, stops=stops)
        for stops in ((100,), (100, 140, 180, 240))
    ]
    widths = []
    for design in designs:
        masks = design.survey.plan.masks[:100]
        values = masks @ np.arange(12.0) + noise
        found = find(
            design, design.looks[0], answers=Evaluation.of_values(values, 100), ordered=False
        )
        assert found.faithfulness.low < found.faithfulness.value < found.faithfulness.high
        widths.append(found.faithfulness.high - found.faithfulness.low)
    assert widths[1] > 1.1 * widths[0]


def test_stops_change_no_mask_of_those_that_chose_none():
    """A design without stops is what it was."""
    plain = draw_design("lasso", num_features=12, num_masks=100, seed=0)
    assert [look.num_masks for look in plain.looks] == [100]
    with pytest.raises(ValueError, match="too small"):
        draw_design("lasso", num_features=12, num_masks=10, seed=0, stops=STOPS)
