"""Learning: known signal is found, none is made up, and what is served is what was learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.train.worlds import apgr, encode, extract, question_world, world

from pointsman.errors import DataError
from pointsman.learned import VIEW_NAMES, Predicted, Serving, Skill
from pointsman.train import (
    Inputs,
    RouterLearner,
    decision_flip_share,
    group_folds,
    learning_curve,
    out_of_fold,
    place_new_model,
    place_new_pair,
    strata_of,
)
from pointsman.train.basis import build_basis
from pointsman.train.calibrate import calibration_line
from pointsman.train.learner import targets_of
from pointsman.train.perturb import PERTURBATIONS
from pointsman.vocabulary import Outcomes
from pointsman.word_hashes import plain_text


def learner(seed: int = 0) -> RouterLearner:
    return RouterLearner(extract=extract, encode=encode, seed=seed)


def read(texts: tuple[str, ...]) -> Inputs:
    return Inputs.read(texts, extract=extract, encode=encode)


@pytest.fixture(scope="module")
def fitted() -> RouterLearner:
    return learner().fit(world(400, seed=1))


def test_known_signal_is_found(fitted: RouterLearner) -> None:
    fresh = world(2_000, seed=2)
    part = read(fresh.prompts)
    predicted = fitted.skill_.predict(part.features, part.embeddings, part.texts)
    hard = np.array(["tensor" in p or "proof" in p or "lemma" in p or "axiom" in p for p in fresh.prompts])
    # The truth: cheap 0.9 or 0.2, gain 0 or 0.7; perfect ranking recovers 0.75 of the gap on average.
    assert predicted.p_good[hard, 0].mean() == pytest.approx(0.2, abs=0.08)
    assert predicted.p_good[~hard, 0].mean() == pytest.approx(0.9, abs=0.08)
    assert predicted.gain[hard, 0].mean() - predicted.gain[~hard, 0].mean() == pytest.approx(0.7, abs=0.12)
    assert apgr(predicted.gain[:, 0], fresh) > 0.72


def test_learning_tells_how_far_it_is_many_times_and_learns_the_same(fitted: RouterLearner) -> None:
    told: list[float] = []
    again = learner().fit(world(400, seed=1), advance=told.append)
    assert told == sorted(told)
    assert told[0] > 0
    assert told[-1] == 1
    assert len(told) >= 10
    assert np.diff(told).max() < 0.25
    for name, array in again.skill_.arrays().items():
        np.testing.assert_array_equal(array, fitted.skill_.arrays()[name])


def test_prompts_read_in_parts_are_those_read_at_once() -> None:
    texts = ("one two", "", "Which?\nA. one\nB. two", "three tensor proofs")
    whole, joined = read(texts), Inputs.joined([read(texts[:1]), read(texts[1:3]), read(texts[3:])])
    assert joined.texts == whole.texts
    for some, same in (
        (joined.features, whole.features),
        (joined.embeddings, whole.embeddings),
        (joined.questions, whole.questions),
        (joined.grams.words.toarray(), whole.grams.words.toarray()),
        (joined.grams.runs.toarray(), whole.grams.runs.toarray()),
    ):
        np.testing.assert_array_equal(some, same)


def test_without_signal_there_is_no_skill() -> None:
    found = []
    for seed in range(4):
        outcomes = world(400, seed=seed, signal=False)
        found.append(apgr(out_of_fold(learner(seed), outcomes, n_folds=4).gain[:, 0], outcomes))
    # One has a standard error of √(0.59 / 12 / 400) / 0.35 = 0.032.
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def test_outcomes_shuffled_across_prompts_give_the_chord() -> None:
    outcomes = world(600, seed=5)
    shuffled = replace(outcomes, score=outcomes.score[np.random.default_rng(0).permutation(outcomes.n)])
    assert apgr(out_of_fold(learner(), shuffled, n_folds=3).gain[:, 0], shuffled) == pytest.approx(0.5, abs=0.1)


def test_held_out_probabilities_are_calibrated() -> None:
    outcomes = world(700, seed=3)
    held_out = out_of_fold(learner(), outcomes, n_folds=3)
    for p, met in (
        (held_out.p_good[:, 0], outcomes.score[:, 0]),
        (held_out.p_cheap[:, 0], outcomes.score[:, 0] >= outcomes.score[:, 1]),
    ):
        bins = np.minimum((p * 5).astype(int), 4)
        error = sum(abs(float((p[bins == b] - met[bins == b]).sum())) for b in range(5)) / len(p)
        assert error < 0.06


def test_serving_equals_training(fitted: RouterLearner) -> None:
    outcomes = world(400, seed=1)
    inputs = read(outcomes.prompts)
    basis, columns = build_basis(
        inputs.features, inputs.questions, inputs.embeddings, inputs.grams, generator=np.random.default_rng(7)
    )
    beta = np.random.default_rng(8).normal(size=(columns.shape[1], 2)) / 30
    dense, words, runs = basis.unfold(beta)
    skill = replace(
        fitted.skill_.for_pair(("cheap", "strong")), views=basis.views, dense_weights=dense, word_weights=words,
        run_weights=runs, offsets=np.zeros(2, np.float32), view_means=np.zeros((len(VIEW_NAMES), 2), np.float32),
    )  # fmt: skip
    served = skill.values(inputs.features, inputs.embeddings, inputs.texts)
    assert served == pytest.approx(columns @ beta, abs=1e-4)


def test_what_views_add_sums_to_the_value(fitted: RouterLearner) -> None:
    skill = fitted.skill_
    part = read(world(50, seed=4).prompts)
    added = skill.view_values(part.features, part.embeddings, part.texts)
    assert added.shape == (50, len(skill.view_names), skill.n_targets)
    values = skill.values(part.features, part.embeddings, part.texts)
    assert added.sum(axis=1) + skill.offsets == pytest.approx(values, abs=1e-5)


def test_views_add_nothing_to_the_average_training_prompt(fitted: RouterLearner) -> None:
    outcomes = world(400, seed=1)
    part = read(outcomes.prompts)
    added = fitted.skill_.view_values(part.features, part.embeddings, part.texts)
    assert added.mean(axis=0) == pytest.approx(0, abs=1e-4)
    assert fitted.skill_.offsets[:2] == pytest.approx(outcomes.score.mean(axis=0), abs=0.02)


def test_one_prompt_is_explained_in_the_same_numbers(fitted: RouterLearner) -> None:
    part, skill = read((*world(50, seed=4).prompts, "", "?")), fitted.skill_
    serving = Serving(skill)
    views = skill.view_values(part.features, part.embeddings, part.texts)
    values = skill.values(part.features, part.embeddings, part.texts)
    p = skill.probabilities(values)
    for row, text in enumerate(part.texts):
        added = serving.added(part.features[row], part.embeddings[row], text)
        known = serving.added(part.features[row], part.embeddings[row], text, plain_text(text))
        assert known.views == added.views
        for target, of_views in enumerate(added.views):
            assert of_views == pytest.approx(views[row, :, target], abs=2e-5)
            effects = serving.effects(added, target)
            assert effects.sum() == pytest.approx(of_views[VIEW_NAMES.index("features")], abs=1e-5)
        assert serving.values(added) == pytest.approx(values[row].tolist(), abs=1e-4)
        assert serving.probabilities(added) == pytest.approx(p[row].tolist(), abs=1e-4)


def test_words_that_make_it_hard_show_in_the_views_that_read_words(fitted: RouterLearner) -> None:
    texts = ("tensor lemma proof axiom tensor number 3", "cat dog sun milk tree number 3")
    part = read(texts)
    gain = fitted.skill_.view_values(part.features, part.embeddings, part.texts)[..., -1]
    for name in ("embedding", "n-grams"):
        hard, easy = gain[:, VIEW_NAMES.index(name)]
        assert hard > 0.02 > -0.02 > easy


def test_what_only_the_build_of_a_question_tells_is_found() -> None:
    skill = learner().fit(question_world(400, seed=1)).skill_
    fresh = question_world(600, seed=2)
    part = read(fresh.prompts)
    # As in the other world, perfect ranking recovers 0.75 of the gap on average.
    assert apgr(skill.predict(part.features, part.embeddings, part.texts).gain[:, 0], fresh) > 0.68
    added = skill.view_values(part.features, part.embeddings, part.texts)[..., -1].std(axis=0)
    assert VIEW_NAMES[int(added.argmax())] == "question"


def test_one_prompt_is_served_as_many_are(fitted: RouterLearner) -> None:
    part = read(world(20, seed=4).prompts)
    many = fitted.skill_.values(part.features, part.embeddings, part.texts)
    for i in range(20):
        one = fitted.skill_.values(part.features[i : i + 1], part.embeddings[i : i + 1], part.texts[i : i + 1])
        assert one[0] == pytest.approx(many[i], abs=1e-5)


def test_the_same_seed_gives_the_same_numbers(fitted: RouterLearner) -> None:
    again = learner().fit(world(400, seed=1)).skill_.arrays()
    for name, array in fitted.skill_.arrays().items():
        assert np.array_equal(array, again[name]), name


def test_arrays_bring_back_the_same_skill(fitted: RouterLearner) -> None:
    skill = fitted.skill_
    back = Skill.from_arrays(skill.arrays(), models=skill.models, pairs=skill.pairs)
    part = read(world(10, seed=6).prompts)
    assert np.array_equal(
        back.values(part.features, part.embeddings, part.texts),
        skill.values(part.features, part.embeddings, part.texts),
    )


@pytest.mark.parametrize("change", ["missing", "unknown", "shape", "nan", "type", "width", "version", "order", "share"])
def test_arrays_that_do_not_fit_are_refused(fitted: RouterLearner, change: str) -> None:
    skill = fitted.skill_
    arrays = {name: array.copy() for name, array in skill.arrays().items()}
    if change == "missing":
        del arrays["knots"]
    elif change == "unknown":
        arrays["extra"] = arrays["knots"]
    elif change == "shape":
        arrays["offsets"] = arrays["offsets"][:-1]
    elif change == "nan":
        arrays["dense_weights"][0, 0] = np.nan
    elif change == "type":
        arrays["offsets"] = arrays["offsets"].astype(np.float64)
    elif change == "width":
        arrays["widths"][0] = 0
    elif change == "order":
        arrays["knots"] = arrays["knots"][::-1]
    elif change == "share":
        arrays["p_at_knots"][0] = 1.5
    else:
        arrays["text_versions"][0] += 1
    with pytest.raises(ValueError, match=r".+"):
        Skill.from_arrays(arrays, models=skill.models, pairs=skill.pairs)


def test_a_pair_alone_gives_the_same(fitted: RouterLearner) -> None:
    part = read(world(10, seed=6).prompts)
    whole = fitted.skill_.predict(part.features, part.embeddings, part.texts)
    alone = fitted.skill_.for_pair(("cheap", "strong")).predict(part.features, part.embeddings, part.texts)
    assert alone.gain == pytest.approx(whole.gain, abs=1e-6)
    assert alone.p_cheap == pytest.approx(whole.p_cheap, abs=1e-6)
    with pytest.raises(KeyError):
        fitted.skill_.for_pair(("strong", "cheap"))


def test_p_cheap_falls_as_the_gain_rises(fitted: RouterLearner) -> None:
    part = read(world(200, seed=6).prompts)
    predicted = fitted.skill_.predict(part.features, part.embeddings, part.texts)
    order = np.argsort(predicted.gain[:, 0])
    assert (np.diff(predicted.p_cheap[order, 0]) <= 1e-7).all()


def test_equal_prompts_are_never_split() -> None:
    groups = np.random.default_rng(0).integers(0, 40, size=300)
    fold = group_folds(groups, 5, generator=np.random.default_rng(1))
    assert all(len(set(fold[groups == group].tolist())) == 1 for group in range(40))
    assert set(fold.tolist()) == {0, 1, 2, 3, 4}
    outcomes = replace(world(300, seed=0), groups=groups)
    with pytest.raises(DataError, match="split"):
        out_of_fold(learner(), outcomes, fold=np.arange(300) % 5)


def test_folds_hold_alike_shares_of_what_gains() -> None:
    outcomes = world(1_003, seed=5)
    strata = strata_of(outcomes)
    assert set(strata.tolist()) <= {-1, 0, 1}
    fold = group_folds(outcomes.groups, 5, generator=np.random.default_rng(2), strata=strata)
    for stratum in np.unique(strata):
        counts = np.bincount(fold[strata == stratum], minlength=5)
        assert counts.max() - counts.min() <= 1
    unknown = outcomes.score.copy()
    unknown[0, 0] = np.nan
    assert strata_of(replace(outcomes, score=unknown))[0] == 2


def test_prompts_rewritten_in_training_stay_with_their_prompt() -> None:
    outcomes = world(300, seed=8)
    plain, twice = (
        RouterLearner(extract=extract, encode=encode, seed=1, perturbed_share=share).fit(outcomes)
        for share in (0.0, 1.0)
    )
    assert plain.held_out_.shape == twice.held_out_.shape == (300, 3)
    # A held-out prompt's rewriting is held out with it: were it not, these would be predicted nearly perfectly.
    noise = replace(outcomes, score=np.random.default_rng(3).integers(0, 2, outcomes.score.shape).astype(np.float32))
    learned = RouterLearner(extract=extract, encode=encode, seed=1, perturbed_share=1.0).fit(noise)
    assert abs(np.corrcoef(learned.held_out_[:, 0], noise.score[:, 0])[0, 1]) < 0.2


def test_unknown_scores_are_left_out() -> None:
    outcomes = world(600, seed=9, models=("cheap", "middle", "strong"))
    score = outcomes.score.copy()
    score[::3, 1] = np.nan
    gaps = replace(outcomes, score=score)
    assert np.isnan(targets_of(gaps, (("cheap", "middle"),))[0, 3])
    skill = learner().fit(gaps).skill_
    part = read(outcomes.prompts)
    p_good = skill.predict(part.features, part.embeddings, part.texts).p_good
    assert np.isfinite(p_good).all()
    assert p_good[:, 1].mean() == pytest.approx(float(np.nanmean(score[:, 1])), abs=0.03)


def test_a_constant_model_is_constant() -> None:
    outcomes = world(200, seed=1)
    never = replace(outcomes, score=np.column_stack((np.zeros(200), outcomes.score[:, 1])).astype(np.float32))
    part = read(outcomes.prompts)
    predicted = learner().fit(never).skill_.predict(part.features, part.embeddings, part.texts)
    assert predicted.p_good[:, 0].max() < 0.02


@pytest.mark.parametrize("n", [3, 49])
def test_too_few_prompts_are_refused(n: int) -> None:
    with pytest.raises(DataError, match="at least"):
        learner().fit(world(n, seed=0))


def test_an_unknown_pair_is_refused() -> None:
    asking = RouterLearner(extract=extract, encode=encode, pairs=[("cheap", "other")])
    with pytest.raises(DataError, match="other"):
        asking.fit(world(100, seed=0))


def test_prompts_of_different_gain_seldom_share_a_probability(fitted: RouterLearner) -> None:
    part = read(world(1_000, seed=21).prompts)
    found = fitted.skill_.predict(part.features, part.embeddings, part.texts)
    gain, p_cheap = found.gain[:, 0], found.p_cheap[:, 0]
    assert (np.diff(p_cheap[np.argsort(gain)]) <= 0).all()
    assert len(np.unique(p_cheap)) > 0.97 * len(np.unique(gain))


@pytest.mark.parametrize("met", [0.0, 0.3, 1.0])
def test_a_line_never_turns_back_whatever_it_is_fitted_to(met: float) -> None:
    generator = np.random.default_rng(4)
    values = generator.normal(0.1, 0.1, 400)
    for is_pair in (False, True):
        knots, p = calibration_line(values, (generator.random(400) < met).astype(np.float64), is_pair=is_pair)
        assert (np.diff(knots) > 0).all()
        assert (np.diff(p) * (-1 if is_pair else 1) > 0).all()
        assert ((p >= 0) & (p <= 1)).all()
        assert np.interp(0.1, knots, p) == pytest.approx(met, abs=0.08)


def test_a_new_model_is_placed_and_the_others_stay(fitted: RouterLearner) -> None:
    few, fresh = world(100, seed=11), world(1_000, seed=12)
    placed = place_new_model(fitted.skill_, "twin of cheap", read(few.prompts), few.score[:, 0])
    part = read(fresh.prompts)
    before = fitted.skill_.predict(part.features, part.embeddings, part.texts)
    after = placed.predict(part.features, part.embeddings, part.texts)
    assert placed.models == ("cheap", "strong", "twin of cheap")
    assert after.p_good[:, :2] == pytest.approx(before.p_good, abs=1e-5)
    assert after.gain == pytest.approx(before.gain, abs=1e-5)
    assert np.corrcoef(after.p_good[:, 2], before.p_good[:, 0])[0, 1] > 0.9
    with pytest.raises(DataError, match="50"):
        place_new_model(fitted.skill_, "x", read(few.prompts[:49]), few.score[:49, 0])
    with pytest.raises(DataError, match="already known"):
        place_new_model(fitted.skill_, "cheap", read(few.prompts), few.score[:, 0])


def test_a_new_model_gets_its_place_and_its_pair(fitted: RouterLearner) -> None:
    few, fresh = world(150, seed=11), world(1_000, seed=12)
    placed = place_new_model(fitted.skill_, "twin", read(few.prompts), few.score[:, 0], at=0)
    assert placed.models == ("twin", "cheap", "strong")
    as_good = (few.score[:, 0] >= few.score[:, 1]).astype(np.float64)
    paired = place_new_pair(placed, ("twin", "strong"), read(few.prompts), as_good)
    assert paired.pairs == (("cheap", "strong"), ("twin", "strong"))
    part = read(fresh.prompts)
    before = fitted.skill_.predict(part.features, part.embeddings, part.texts)
    after = paired.predict(part.features, part.embeddings, part.texts)
    assert after.p_good[:, 1:] == pytest.approx(before.p_good, abs=1e-5)
    assert after.p_cheap[:, 0] == pytest.approx(before.p_cheap[:, 0], abs=1e-5)
    assert np.corrcoef(after.p_cheap[:, 1], before.p_cheap[:, 0])[0, 1] > 0.9
    assert after.p_cheap[:, 1].mean() == pytest.approx((fresh.score[:, 0] >= fresh.score[:, 1]).mean(), abs=0.06)
    with pytest.raises(DataError, match="already known"):
        place_new_pair(paired, ("twin", "strong"), read(few.prompts), as_good)


def test_a_learning_curve_measures_on_what_was_not_trained_on() -> None:
    outcomes = world(300, seed=13)

    def measure(rest: Outcomes, predicted: Predicted) -> float:
        assert len(predicted.gain) == rest.n
        return float(rest.n)

    points = learning_curve(learner(), outcomes, measure, sizes=(60, 120, 5_000), seeds=(0, 1))
    assert [(point.n_prompts, point.values) for point in points] == [(60, (240.0, 240.0)), (120, (180.0, 180.0))]
    with pytest.raises(DataError, match="learning curve"):
        learning_curve(learner(), outcomes, measure, sizes=(5_000,))


def test_case_and_white_space_change_few_decisions(fitted: RouterLearner) -> None:
    shares = decision_flip_share(
        fitted.skill_, read(world(200, seed=14).prompts), extract=extract, encode=encode,
        generator=np.random.default_rng(0),
    )  # fmt: skip
    assert {share.perturbation for share in shares} == set(PERTURBATIONS)
    assert all(0 <= share.low <= share.share <= share.high <= 1 for share in shares)
    by_name = {share.perturbation: share.share for share in shares}
    assert by_name["white space"] <= 0.2


@pytest.mark.parametrize("name", sorted(PERTURBATIONS))
def test_a_perturbation_keeps_what_is_asked(name: str) -> None:
    text = "Which of the following numbers is large? Find 1234 and explain Pythagoras to the teacher." * 9
    changed = PERTURBATIONS[name](text, np.random.default_rng(2))
    assert changed != text
    assert "1234" in changed
    assert PERTURBATIONS[name](text, np.random.default_rng(2)) == changed


def test_selected_keeps_rows_together() -> None:
    outcomes = world(60, seed=0)
    some = outcomes.at(np.array([5, 3]))
    assert some.prompts == (outcomes.prompts[5], outcomes.prompts[3])
    assert np.array_equal(some.score, outcomes.score[[5, 3]])
