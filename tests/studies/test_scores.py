"""Scores by encoder and distance, read back from results."""

from pathlib import Path

from sentiment_rnn.studies.kit.scores import read_scores

RESULTS = """setting,encoder,distance,seed,test/accuracy
hold,lstm,2,0,0.99
hold,lstm,2,1,0.5
hold,lstm,400,1,0.75
learn,gru,20,3,0.75
learn,gru,20,4,0.75
"""


def test_scores_come_back_from_the_results_of_their_setting(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text(RESULTS)
    hold, learn = read_scores(tmp_path, "hold"), read_scores(tmp_path, "learn")
    assert {distance: score.seeds for distance, score in hold["lstm"].items()} == {2: (0, 1), 400: (1,)}
    assert hold["lstm"][2].accuracies.tolist() == [0.99, 0.5]
    assert {encoder: list(by_distance) for encoder, by_distance in learn.items()} == {"gru": [20]}
    assert read_scores(tmp_path, "hold", seeds=[1])["lstm"][2].seeds == (1,)
