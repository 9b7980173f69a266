"""Short texts of our own, read by an RNN and an LSTM: the data of the page's explorer."""

import json
from collections.abc import Mapping
from typing import Any

import torch

from sentiment_rnn.data.tokenizer import UNKNOWN_ID, Tokenizer
from sentiment_rnn.model.classifier import SentimentClassifier
from sentiment_rnn.report.pages.render import rounded
from sentiment_rnn.studies.gates.readers import GATES, read_text

TEXTS = (
    "the weather is hot today",
    "i really liked the movie but i was disappointed in the service and cleanliness of the cinema",
    "i was disappointed in the service and cleanliness of the cinema but i really liked the movie",
    "a wonderful film , warm and funny from the first scene to the last",
    "a dull film , slow and empty from the first scene to the last",
    "not good",
    "not bad at all",
    "i did not like this film",
    "i did not expect to like this film , but i did",
    "the first hour is brilliant . then the story falls apart and nothing saves it",
    "the first hour is boring . then the story comes alive and nothing stops it",
    "everyone told me it was a masterpiece . everyone was wrong",
    "everyone told me it was terrible . everyone was wrong",
    "the acting is excellent , the music is excellent , the script is awful",
    "if you have two hours to waste , waste them elsewhere",
    "i laughed , i cried , and i called my mother afterwards",
    "it could have been great",
    "great ! we sat in row seven . it was a monday . the doors opened at eight . it rained . we took the bus home",
    "awful ! we sat in row seven . it was a monday . the doors opened at eight . it rained . we took the bus home",
    "the plot has holes , the effects are cheap , the jokes are old , and i loved every minute",
)


def explore(models: Mapping[str, SentimentClassifier], tokenizer: Tokenizer, units: int) -> str:
    """JSON, one entry per text: the probability of a positive review after each token, and an LSTM's gates.

    Args:
        models: classifiers that `unroll` takes, by name; one of them is `lstm`.
        units: how many of the LSTM's units are kept, those with the largest weights in the output layer.
    """
    weight = models["lstm"].output.weight.detach()[0].abs()
    chosen = weight.argsort(descending=True)[:units]
    entries = []
    for text in TEXTS:
        tokens = tokenizer.split(text)
        unknown = [int(token) == UNKNOWN_ID for token in tokenizer.ids(tokens)]
        entry: dict[str, Any] = {"tokens": tokens, "unknown": unknown}
        for name, model in models.items():
            unrolled = read_text(model, tokenizer, text).unrolled
            entry[name] = rounded(unrolled.running[0].sigmoid().numpy(), 3)
            if unrolled.cells:
                entry["gates"] = {gate: rounded(unrolled.gates[gate][0][:, chosen].numpy(), 2) for gate in GATES}
                entry["gates"]["cell"] = rounded(torch.stack(unrolled.cells, 1)[0].detach()[:, chosen].numpy(), 2)
        entries.append(entry)
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":")) + "\n"
