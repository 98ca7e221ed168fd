"""Masks that tell suspicions apart."""

from __future__ import annotations

import numpy as np

from spex_api.causes.choosing import first_masks, next_masks
from spex_api.causes.evidence import Evidence, Suspicion, weigh


def suspicion(feature, weight, holds=(0.95, 0.05)):
    return Suspicion((feature,), weight, np.round(holds), np.array(holds))


def test_of_two_suspects_one_is_removed_and_the_other_kept():
    """In every mask of a batch: what removes both or neither tells nothing."""
    evidence = Evidence((suspicion(2, 0.5), suspicion(5, 0.5)), 8)
    masks = next_masks(evidence, 4, np.random.default_rng(0))
    assert masks.shape == (4, 8)
    assert (masks[:, 2] != masks[:, 5]).all()


def test_of_many_suspects_about_half_are_removed():
    """As one asks in a guessing game; and no two masks of a batch ask the same."""
    suspects = tuple(suspicion(feature, 1 / 16) for feature in range(16))
    masks = next_masks(Evidence(suspects, 16), 4, np.random.default_rng(0))
    assert (abs(masks.sum(axis=1) - 8.0) <= 2).all()
    told_apart = {tuple(column) for column in masks.T}
    assert len(told_apart) >= 12


def test_a_batch_finds_the_one_of_many_sooner_than_random_masks_do():
    """Of 40 features the planted one, from the answers to so few masks."""
    rng = np.random.default_rng(0)
    masks = first_masks(40, 8, rng)
    for _ in range(2):
        evidence = weigh(masks, masks[:, 7])
        masks = np.concatenate([masks, next_masks(evidence, 4, rng)])
    random = np.concatenate([first_masks(40, 8, rng), first_masks(40, 10, rng)[2:]])
    assert weigh(masks, masks[:, 7]).lead.features == (7,)
    chosen, drawn = (
        next((each.weight for each in weigh(m, m[:, 7]).suspicions if each.features == (7,)), 0)
        for m in (masks, random)
    )
    assert chosen > drawn


def test_the_first_masks_are_full_twice_and_then_of_all_rates():
    """Where nothing is known, also how the full prompt is answered."""
    masks = first_masks(200, 10, np.random.default_rng(0))
    assert masks[:2].all()
    rates = masks[2:].mean(axis=1)
    assert np.abs(rates - [0.5, 0.7, 0.85, 0.95] * 2).max() < 0.12
    assert first_masks(5, 1, np.random.default_rng(0)).shape == (1, 5)
