"""What does a step cost that predicts the next word, and what part of it is the output over all words?

    python experiments/throughput/language.py

Run it alone on the machine. The project's embedding and encoder read random words; a linear layer over 30,000 words and
a cross-entropy follow at every word. Steps of the whole model and of the output layer alone, on fixed states, are taken
in turn. Each clips its gradient and has its optimizer. In bfloat16 a step needs 8 GiB of memory, and less with a
smaller --batch-size. Writes the table of README.md beside this file. A quick try, on a copy of that README:

    python experiments/throughput/language.py --output FOLDER --encoders rnn --batch-size 2 --length 10 --seconds 0.1 \
        --products 64
"""

import statistics
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

import device
from benchmark import add_step_options, new_parser, parsed, publish, some_of
from floor import operations, peak, product
from models import LEARNING_RATE, MODULES, USUAL, VOCABULARY_SIZE, configuration, random_words
from sentiment_rnn import runtime
from sentiment_rnn.cli.errors import run
from sentiment_rnn.model.backbone import Backbone
from sentiment_rnn.model.optimizer import RowAdamW
from sentiment_rnn.report.tables import Table, markdown
from step import timed_step


def main() -> None:
    """Measure, write, print."""
    parser = new_parser(__doc__)
    parser.add_argument(
        "--encoders", type=some_of(*MODULES), default=",".join(MODULES), help="some of %(default)s"
    )  # fmt: skip
    add_step_options(parser, batch_size=64, length=250)
    arguments = parsed(parser, "language")
    B, T = arguments.batch_size, arguments.length
    runtime.prepare(runtime.cores())
    precision = device.precisions()[-1]
    rate = peak(precision, arguments.products)
    rows = []
    for encoder in tqdm(arguments.encoders, desc="Encoders", disable=None):
        whole, output, part = seconds(encoder, B, T, precision, arguments.seconds)
        floors = [B * T * count / rate for count in (operations(encoder), product(USUAL.H, VOCABULARY_SIZE))]
        times = (f"{1e3 * value:,.1f} ms" for value in (whole, sum(floors), output, floors[1]))
        ratios = (f"{whole / sum(floors):.2f}", f"{output / floors[1]:.2f}", f"{part:.0%}")
        rows.append((encoder, *times, *ratios))
    columns = (
        *("encoder", "a step", "its products alone", "the output layer", "its products alone"),
        *("step / products", "output / products", "output / step"),
    )
    title = (
        f"A step of {B} texts of {T} words, E {USUAL.E}, H {USUAL.H}, an output over {VOCABULARY_SIZE:,} words, in "
        f"{device.in_words(precision)}, on {device.name()}; products at {rate / 1e9:,.0f} GFLOP/s."
    )
    publish(arguments.output, language=markdown([Table(title, columns, rows)]))


class LanguageModel(nn.Module):
    """Embedding, encoder, and a linear layer over all words at every step."""

    def __init__(self, encoder: str) -> None:
        super().__init__()
        config = configuration(encoder)
        settings = config.settings()
        self.backbone = Backbone(VOCABULARY_SIZE, settings["embedding"], config.encoder.settings)
        self.backbone.embedding.sparse = device.place().type == "cpu"
        self.output = nn.Linear(self.backbone.output_size, VOCABULARY_SIZE)

    def forward(self, tokens: Tensor, lengths: Tensor, following: Tensor) -> Tensor:
        """`tokens [B, T]`, `lengths [B]` and the words that follow, int64 [B, T] → mean cross-entropy []."""
        return self.loss(self.backbone(tokens, lengths), following)

    def loss(self, states: Tensor, following: Tensor) -> Tensor:
        """`states [B, T, H]`, `following [B, T]` → mean cross-entropy []."""
        return cross_entropy(self.output(states).flatten(0, 1).float(), following.flatten())

    def optimizer(self) -> RowAdamW:
        """The project's: no first moment and no decay of the embedding."""
        table = self.backbone.embedding.weight
        rest = [parameter for parameter in self.parameters() if parameter is not table]
        groups: list[dict[str, Any]] = [{"params": [table], "betas": (0.0, 0.999), "weight_decay": 0.0}]
        return RowAdamW([*groups, {"params": rest}], lr=LEARNING_RATE)


def seconds(encoder: str, B: int, T: int, precision: torch.dtype, least: float) -> tuple[float, float, float]:
    """Of a step of the whole model and of one of its output layer alone, and the part of the second in the first.

    They are taken in turn for `least` seconds; medians over the pairs.
    """
    torch.manual_seed(0)
    half = precision == torch.bfloat16
    model = LanguageModel(encoder).to(device.place())
    words = random_words(B, T + 1)
    following = words[:, 1:].contiguous()
    states = torch.rand(B, T, model.backbone.output_size, dtype=precision, device=device.place(), requires_grad=True)
    step = timed_step(model, model.optimizer(), half)
    output_step = timed_step(
        lambda following: model.loss(states, following), RowAdamW(model.output.parameters(), lr=LEARNING_RATE), half
    )

    def both() -> tuple[float, float]:
        return step((words[:, :-1], torch.full((B,), T), following)), output_step((following,))

    both()  # the optimizers' states, the library, the threads
    times = [both()]
    while len(times) < 3 or sum(map(sum, times)) < least:
        times.append(both())
    whole, output = zip(*times, strict=True)
    part = statistics.median(alone / step for step, alone in times)
    return statistics.median(whole), statistics.median(output), part


if __name__ == "__main__":
    run(main)
