"""The draws in `conf/` are those that the committed searches chose, by the rules of the protocols."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from sentiment_rnn.config.store import run_config
from sentiment_rnn.studies import steady_rate, textbook, variants
from sentiment_rnn.studies.kit.measurements import read_rows
from sentiment_rnn.studies.kit.random_search import Draw, best_draw, read_search
from sentiment_rnn.studies.textbook import claims

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
DECIDES = 53.0
"""Where no score at 100 tokens is above this [%], the draw chosen at 20 tokens is taken."""
WHOLE = "lstm_chrono"


def chosen(study: str, distance: int) -> dict[str, Draw]:
    """The draw of each arm that a study searched, by the rule."""
    near = read_search(EXPERIMENTS / study, "search_20.csv")
    best = {arm: best_draw(draws) for arm, draws in near.items()}
    if distance >= 100:
        far = read_search(EXPERIMENTS / study, "search_100.csv")
        best |= {arm: found for arm in near if (found := best_draw(far[arm])).score > DECIDES}
    return best


def assert_used(experiment: str, best: dict[str, Draw]) -> None:
    """The arms of an experiment run with these learning rates and norms to clip at."""
    found = {arm: run_config(f"experiment={experiment}", f"encoder={arm}").optimizer for arm in best}
    used = {arm: (optimizer.learning_rate, optimizer.gradient_clip_norm) for arm, optimizer in found.items()}
    assert used == {arm: (draw.learning_rate, draw.clip) for arm, draw in best.items()}


@pytest.mark.parametrize("distance", [20, 50, 100, 200, 400])
def test_an_arm_of_learnability_runs_with_the_draw_that_its_search_chose(distance: int) -> None:
    best = chosen("learnability", distance)
    assert len(best) == 12
    assert_used(f"learn_{distance}", best)
    if distance == 20:
        assert_used("learn_5", best)


@pytest.mark.parametrize(("distance", "truncated"), [(20, (10, 25)), (100, (50, 100, 110)), (400, (100, 200))])
def test_an_arm_of_causes_runs_with_the_draw_of_its_search_or_of_the_whole(
    distance: int, truncated: tuple[int, ...]
) -> None:
    best, learnability = chosen("causes", distance), chosen("learnability", distance)
    assert len(best) == 9
    best[WHOLE] = learnability[WHOLE]
    assert_used(f"causes_{distance}", {arm: found for arm, found in best.items() if arm.startswith("lstm")})
    assert_used(f"causes_{distance}", {f"lstm_truncated_{steps}": best[WHOLE] for steps in truncated})
    best["rnn"] = learnability["rnn"]
    assert_used(f"causes_ungated_{distance}", {arm: found for arm, found in best.items() if arm.startswith("rnn")})


def test_an_arm_of_own_rate_runs_with_the_best_draw_at_its_distance() -> None:
    best = {arm: best_draw(draws) for arm, draws in read_search(EXPERIMENTS / "own_rate", "search_50.csv").items()}
    assert len(best) == 12
    assert_used("own_rate_50", best)
    assert_used("bfloat16_50", {arm: best[arm] for arm in ("rnn", "rnn_relu", "gru", "lstm", "lstm_chrono")})


@pytest.mark.parametrize(("distance", "arms"), [(20, 3), (50, 3)])
def test_an_arm_of_budget_runs_with_the_best_draw_at_its_distance(distance: int, arms: int) -> None:
    draws = read_search(EXPERIMENTS / "budget", f"search_{distance}.csv")
    best = {arm: best_draw(found) for arm, found in draws.items()}
    assert len(best) == arms
    assert_used(f"budget_{distance}", best)


def test_an_arm_of_mid_range_runs_with_the_best_draw_of_its_search_or_of_the_whole() -> None:
    draws = read_search(EXPERIMENTS / "mid_range", "search_100.csv")
    best = {arm: best_draw(found) for arm, found in draws.items()}
    assert {arm: len(found) for arm, found in draws.items()} == {"rnn": 16, "lstm": 16, WHOLE: 16}
    assert_used("mid_range", best)
    assert_used("mid_range_apart", dict.fromkeys(("lstm_no_input", "lstm_detach_cell"), best[WHOLE]))


@pytest.mark.parametrize(
    ("sweep", "arms"),
    [("long_range", ("rnn_relu", "lstm_chrono", "lstm_chrono_2000")), ("long_range_usual", ("rnn", "gru", "lstm"))],
)
def test_an_arm_of_long_range_runs_with_the_best_draw_of_its_search(sweep: str, arms: tuple[str, ...]) -> None:
    draws = read_search(EXPERIMENTS / "long_range", "search_400.csv")
    assert {len(draws[arm]) for arm in arms} == {16}
    assert_used(sweep, {arm: best_draw(draws[arm]) for arm in arms})


def test_an_arm_of_real_text_runs_with_the_best_draw_of_its_search() -> None:
    searched = read_search(EXPERIMENTS / "real_text", "search.csv")
    best = {arm: best_draw(draws) for arm, draws in searched.items()}
    assert {len(draws) for draws in searched.values()} == {12}
    shuffled = {f"lstm_shuffled_{span}": f"real_text_shuffled_{span}" for span in (20, 400)}
    assert set(best) == {"rnn", "gru", "lstm", "bag", *shuffled}
    for arm, experiment in shuffled.items():
        assert_used(experiment, {"lstm": best.pop(arm)})
    assert_used("real_text", best)


@pytest.mark.parametrize("change", variants.CHANGES)
def test_an_arm_of_variants_runs_with_the_best_draw_of_its_search(change: str) -> None:
    ends = {"layers": "_layers_2", "pooling": "_mean_max", "directions": "_mean_max_two_way", "wide": ""}
    end = ends.get(change, f"_{change}")
    searched = read_search(EXPERIMENTS / "variants", "search.csv")
    encoders = [name for name in ("rnn", "lstm", "bag", "rnn_wide") if f"{name}{end}" in searched]
    assert {len(searched[f"{name}{end}"]) for name in encoders} == {12}
    assert_used(f"variants_{change}", {name: best_draw(searched[f"{name}{end}"]) for name in encoders})


@pytest.mark.parametrize("end", steady_rate.CHANGES)
def test_an_arm_of_steady_rate_runs_with_the_draw_that_three_seeds_chose_of_the_four_best(end: str) -> None:
    arm = "rnn_layers_2" if end == "_layers" else f"rnn{end}"
    earlier = read_search(EXPERIMENTS / ("variants" if end else "real_text"), "search.csv")[arm]
    best = sorted(earlier, key=lambda draw: (-draw.score, draw.learning_rate))[:4]
    numbers = sorted(earlier.index(draw) for draw in best)
    config = OmegaConf.load(EXPERIMENTS.parent / "conf" / "experiment" / f"steady_rate_search{end}.yaml")
    params = config.hydra.sweeper.params
    assert (params["optimizer.draw"], params["seed"]) == (",".join(map(str, numbers)), "104,105,106")
    tried = steady_rate.read_tried(EXPERIMENTS / "steady_rate")[arm]
    assert {draw[:2] for draw in tried} == {draw[:2] for draw in best}
    assert {len(scores) for scores in tried.values()} == {3}
    assert_used(f"steady_rate{end}", {"rnn_wide" if end == "_wide" else "rnn": best_draw(tried)})


def test_an_arm_of_unseen_runs_with_the_best_draw_of_its_search() -> None:
    best = {arm: best_draw(draws) for arm, draws in read_search(EXPERIMENTS / "unseen", "search_50.csv").items()}
    assert set(best) == {"rnn", "rnn_relu", "gru", "lstm", "lstm_chrono_50", "lstm_chrono"}
    assert_used("unseen", best)


@pytest.mark.parametrize(("case", "task"), zip(textbook.CASES, claims.TASKS, strict=True))
def test_an_arm_of_textbook_runs_with_the_best_draw_on_its_task(case: str, task: str) -> None:
    folder, file = EXPERIMENTS / "textbook", textbook.search_file(task)
    if not (folder / file).is_file():
        pytest.skip(f"{file}: not searched yet")
    draws = read_search(folder, file)
    assert [len(found) for found in draws.values()] == [8] * 5
    best = {arm: best_draw(found) for arm, found in draws.items()}
    assert_used(f"textbook_{case}", best)
    for row in read_rows(folder):
        if row["task"] == task:
            assert best[row["encoder"]][:2] == (float(row["peak_rate"]), float(row["clip_norm"]))
