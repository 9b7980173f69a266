"""The compiled recurrence is used where it is faster, and one line says where it cannot be had."""

import functools
import logging
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.nn import functional

import layer_checks
from layer_checks import compiled_states, states_and_gradients
from sentiment_rnn.model import recurrence
from sentiment_rnn.model.cells import GradientStop
from sentiment_rnn.model.encoders.gru import Gru
from sentiment_rnn.model.encoders.lstm import Lstm
from sentiment_rnn.model.encoders.recurrent import Recurrent
from sentiment_rnn.model.encoders.rnn import ReluRnn, Rnn
from sentiment_rnn.model.recurrence import linear

ENCODERS: dict[str, type[Recurrent]] = {"rnn": Rnn, "relu_rnn": ReluRnn, "lstm": Lstm, "gru": Gru}
CELLS = pytest.mark.parametrize("cell", ENCODERS)
pytestmark = pytest.mark.skipif(recurrence.library() is None, reason="no compiler on this machine")


def layer_of(cell: str, E: int, H: int) -> nn.RNNBase:
    """A layer as an encoder has it: PyTorch's module, with its cell."""
    return ENCODERS[cell](E, hidden_size=H).new_layer(E)  # type: ignore[return-value]


def random_layer(cell: str, E: int, H: int, scale: float = 0.5) -> nn.RNNBase:
    """A layer whose every parameter is random and large enough to matter."""
    return layer_checks.random_layer(ENCODERS[cell], E, H, scale)  # type: ignore[return-value]


def of_module(layer: nn.RNNBase, inputs: Tensor) -> Tensor:
    """The states that PyTorch's module gives."""
    return layer(inputs)[0]


@CELLS
def test_without_gradients_the_states_are_the_same_and_nothing_is_kept(cell: str) -> None:
    layer, inputs = random_layer(cell, 5, 9), torch.randn(20, 30, 5)
    with torch.no_grad():
        states = compiled_states(layer, inputs)
    assert not states.requires_grad
    assert torch.equal(states, compiled_states(layer, inputs))
    weight = torch.randn(recurrence.joined_weight(layer).shape[0], 16)
    _, (gates,), (cells,) = getattr(torch.ops.sentiment_rnn, f"{cell}_forward")([inputs], [weight], False)
    assert len(gates) == len(cells) == 1, "those of one step"


@CELLS
def test_large_numbers_saturate_and_not_a_number_stays_so(cell: str) -> None:
    layer = random_layer(cell, 1, 4)
    inputs = torch.tensor([[[1e30]], [[-1e30]], [[float("nan")]], [[0.0]]])
    states, expected = compiled_states(layer, inputs), layer(inputs)[0]
    torch.testing.assert_close(states, expected, equal_nan=True, atol=1e-6, rtol=0)
    assert torch.isnan(states[2]).all()
    if cell != "relu_rnn":
        assert states[[0, 1, 3]].abs().max() <= 1


@CELLS
def test_changing_the_states_in_place_is_refused_and_never_a_wrong_gradient(cell: str) -> None:
    layer = random_layer(cell, 3, 4)
    states = compiled_states(layer, torch.randn(2, 5, 3).requires_grad_())
    with pytest.raises(RuntimeError, match=r"inplace|in-place"):
        (states.mul_(2) ** 2).sum().backward()


def test_it_reads_what_is_faster_with_it_and_leaves_the_rest_to_the_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    single, double = torch.zeros(1, 1, 1), torch.zeros(1, 1, 1, dtype=torch.float64)
    for cell in ENCODERS:
        layer, wide = layer_of(cell, 1, 1), layer_of(cell, 1, recurrence.NARROW + 1)
        assert recurrence.applies(layer, single)
        monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
        assert recurrence.applies(wide, single) == (cell != "lstm")
        monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
        assert recurrence.applies(wide, single)
        assert not recurrence.applies(layer, double)
        assert not recurrence.applies(layer, single.to("meta"))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert recurrence.applies(layer, single) == torch.ops.mkldnn._is_mkldnn_bf16_supported()


@pytest.mark.parametrize("shape", [(0, 3, 3), (2, 0, 3)])
def test_nothing_to_read_has_a_gradient_of_zero(shape: tuple[int, int, int]) -> None:
    encoder = Rnn(3, hidden_size=4)
    encoder(torch.randn(shape), torch.zeros(shape[0], dtype=torch.int64)).sum().backward()
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in encoder.parameters())


@pytest.mark.parametrize(
    ("z", "weight"),
    [
        ([torch.zeros(9, 4, 3).transpose(0, 2)], [torch.zeros(5, 9)]),
        ([torch.zeros(3, 4, 9)], [torch.zeros(5, 8)]),
        ([torch.zeros(3, 4, 9).double()], [torch.zeros(5, 9).double()]),
        ([], []),
        ([torch.zeros(3, 4, 2)], [torch.zeros(5, 9), torch.zeros(5, 9)]),
        ([torch.zeros(3, 4, 2), torch.zeros(2, 4, 2)], [torch.zeros(5, 9), torch.zeros(5, 9)]),
        ([torch.zeros(3, 4, 2), torch.zeros(3, 4, 2).bfloat16()], [torch.zeros(5, 9), torch.zeros(5, 9).bfloat16()]),
    ],
    ids=[
        "not contiguous", "another width", "an unknown type", "no layer", "a layer too many",
        "another number of reviews", "two types",
    ],
)  # fmt: skip
def test_what_the_compiled_code_cannot_read_is_refused(z: list[Tensor], weight: list[Tensor]) -> None:
    with pytest.raises(RuntimeError, match="expected"):
        torch.ops.sentiment_rnn.rnn_forward(z, weight, True)


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
"""Nothing of this process's but where its modules are found."""


def in_a_fresh_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of Python that has the module and the encoders, its log on standard error."""
    prelude = """
import logging, torch
from sentiment_rnn.model import recurrence
from sentiment_rnn.model.encoders.gru import Gru
from sentiment_rnn.model.encoders.lstm import Lstm
from sentiment_rnn.model.encoders.rnn import ReluRnn, Rnn
logging.basicConfig(format="%(message)s", level="INFO")
"""
    return subprocess.run(
        [sys.executable, "-c", prelude + code],
        env={**ENVIRONMENT, **environment}, capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip


@pytest.fixture
def not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """As in a process that has not asked for the library, on a machine that has not compiled it."""
    monkeypatch.setattr(recurrence, "library", functools.cache(recurrence.library.__wrapped__))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    caplog.set_level(logging.WARNING, logger="sentiment_rnn")


@pytest.mark.usefixtures("not_loaded")
@pytest.mark.parametrize(
    ("compiler", "source", "said"),
    [
        ("no-such-compiler", "int main() {}", "install g\\+\\+ 10 or newer, or set CXX.*no-such-compiler"),
        ("c++", "int main() { return missing; }", "error.*missing"),
    ],
)
def test_what_does_not_compile_is_one_line_and_the_modules_read(
    compiler: str, source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    (tmp_path / "source.cpp").write_text(source)
    monkeypatch.setenv("CXX", compiler)
    monkeypatch.setattr(recurrence, "SOURCE", tmp_path / "source.cpp")
    layer, inputs = layer_of("rnn", 1, 1), torch.zeros(1, 1, 1)
    assert (recurrence.library(), recurrence.library(), recurrence.applies(layer, inputs)) == (None, None, False)
    (line,) = caplog.messages
    assert re.search(said, line)
    assert not list(tmp_path.rglob("*.so"))


def test_a_single_step_without_gradients_writes_nothing_behind_its_memory() -> None:
    code = """
assert recurrence.library()
from sentiment_rnn.model.cells import Cell, Layer
parts = {"lstm_no_forget": "igo", "lstm_no_input": "fgo", "lstm_no_output": "ifg", "lstm_coupled": "fgo"}
others = [Layer(100, 256, Cell(gates, None, compiled=name)) for name, gates in parts.items()]
others.append(Layer(100, 256, Cell("h", None, compiled="leaky_rnn", alpha=0.5)))
for layer in (*(encoder(100, hidden_size=256).new_layer(100) for encoder in (Lstm, Rnn, ReluRnn, Gru)), *others):
    for half in (True, False)[not torch.ops.mkldnn._is_mkldnn_bf16_supported():]:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            for batch in (1, 2, 7, 15, 16, 17, 31, 33, 49):
                recurrence.states_side_by_side([layer], [torch.randn(batch, 1, 100)])
    kept = [bytes(size) for size in range(3000)]  # the process ends at once where their memory was written over
print("whole")
"""
    done = in_a_fresh_process(code)
    assert done.stdout == "whole\n", done.stderr


@pytest.mark.usefixtures("not_loaded")
def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("SENTIMENT_RNN_COMPILED", "0")
    assert recurrence.library() is None
    assert caplog.messages == []


@CELLS
def test_without_a_unit_for_bfloat16_the_modules_still_read(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, inputs = random_layer(cell, 4, 8), torch.randn(3, 5, 4)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = recurrence.states_of_layer(layer, inputs)
    expected = layer(inputs)[0]
    if cell == "lstm":
        assert torch.equal(states, expected)  # float32
    torch.testing.assert_close(states.float(), expected, atol=0.05, rtol=0.05)


@CELLS
@pytest.mark.parametrize("width", [3, 5])
def test_vectors_of_another_width_are_refused(cell: str, width: int) -> None:
    layer = random_layer(cell, 4, 8)
    with pytest.raises((RuntimeError, ValueError)):
        recurrence.states_of_layer(layer, torch.randn(2, 6, width))
    assert not recurrence.applies(layer, torch.randn(2, 6, width))


@pytest.mark.parametrize("stop", [None, GradientStop(torch.tensor([2, 0, 1]))])
def test_on_a_gpu_layers_read_in_float32(stop: GradientStop | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Autocast would make PyTorch's float16. Fake tensors stand in for a GPU's."""
    layer, seen = random_layer("lstm", 4, 8), []

    def read(inputs: Tensor) -> tuple[Tensor]:
        seen.append((inputs.dtype, torch.is_autocast_enabled("cuda")))
        return (inputs,)

    monkeypatch.setattr(layer, "forward", read)
    monkeypatch.setattr(recurrence.cells, "states", lambda module, inputs, stop: read(inputs)[0])
    torch.set_autocast_enabled("cuda", True)
    try:
        with FakeTensorMode():
            recurrence.states_of_layer(layer, torch.empty(3, 5, 4, dtype=torch.bfloat16, device="cuda"), stop)
    finally:
        torch.set_autocast_enabled("cuda", False)
    assert seen == [(torch.float32, False)]


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="asks for the code of an x86 processor")
def test_every_loop_of_the_cells_is_vectorized(tmp_path: Path) -> None:
    compiler = os.environ.get("CXX", "c++")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout
    if "Free Software Foundation" not in version:
        pytest.skip("only g++ reports what it vectorized")
    compile_, _ = recurrence.commands(tmp_path / "recurrence.so", tmp_path / "recurrence.o")
    # The same code whatever processor the test runs on: one with AVX-512 and a matrix unit.
    processor = ["-march=sapphirerapids" if option == "-march=native" else option for option in compile_]
    report = subprocess.run([*processor, "-fopt-info-vec-optimized"], capture_output=True, text=True, check=True).stderr
    vectorized = set(re.findall(r"(\w+\.\w+:\d+):\d+: optimized: loop vectorized using 64 byte vectors", report))
    for source in (recurrence.SOURCE, recurrence.SOURCE.with_name("scan.h")):
        for number, line in enumerate(source.read_text().splitlines(), 1):
            # The compiler names the line of the loop, or of its first statement.
            behind = {f"{source.name}:{number + below}" for below in (1, 2, 3)}
            assert not line.startswith("#pragma omp simd") or behind & vectorized, f"{source.name}:{number}"


CPUINFO = Path("/proc/cpuinfo")
WITH_VECTORS = pytest.mark.skipif(
    not CPUINFO.exists() or "avx512_bf16" not in CPUINFO.read_text(), reason="no AVX-512 BF16 on this processor"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("without", "half", "most"),
    [
        pytest.param("avx512f", False, 1e-3),
        pytest.param("amx-bf16", True, 1e-2, marks=WITH_VECTORS),
    ],
)
@pytest.mark.skipif(not CPUINFO.exists() or "avx512f" not in CPUINFO.read_text(), reason="no AVX-512 on this processor")
def test_without_a_processors_larger_units_states_and_gradients_are_those_of_the_modules(
    without: str, half: bool, most: float, tmp_path: Path
) -> None:
    done = in_a_fresh_process(
        f"recurrence.OPTIONS += ('-mno-{without}',)\n"
        f"half = {half}\n"
        "for encoder in (Rnn, Lstm, Gru):\n"
        "    for rows in (1, 6, 50, 93):\n"
        "        torch.manual_seed(0)\n"
        "        layer, inputs = encoder(20, hidden_size=32).new_layer(20), torch.randn(rows, 9, 20)\n"
        "        assert recurrence.library()\n"
        "        found = []\n"
        "        ours = lambda: recurrence.states_side_by_side([layer], [inputs])[0]\n"
        "        theirs = lambda: layer(inputs)[0]\n"
        "        for read, product in ((ours, recurrence.linear), (theirs, torch.nn.functional.linear)):\n"
        "            with torch.autocast('cpu', dtype=torch.bfloat16, enabled=half and not found):\n"
        "                states = read().float()\n"
        "                products = product(inputs, layer.weight_ih_l0).float()\n"
        "            loss = states.square().mean() + products.square().mean()\n"
        "            gradients = torch.autograd.grad(loss, list(layer.parameters()))\n"
        "            found.append([states, *gradients])\n"
        "        print(max(float((one - other).abs().max()) for one, other in zip(*found)))",
        XDG_CACHE_HOME=str(tmp_path),
    )
    differences = [float(line) for line in done.stdout.split()]
    assert len(differences) == 12
    assert max(differences) < most


@pytest.mark.slow
def test_processes_that_start_together_compile_once(tmp_path: Path) -> None:
    code = "import sys; from sentiment_rnn.model import recurrence; sys.exit(recurrence.library() is None)"
    log = "import logging; logging.basicConfig(format='%(message)s', level='INFO')\n"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", log + code], stderr=subprocess.PIPE, text=True,
            env={**ENVIRONMENT, "XDG_CACHE_HOME": str(tmp_path)},
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=240)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert "".join(said).count("compiling") == 1
    assert len(list(tmp_path.rglob("*.so"))) == 1


@pytest.mark.parametrize(
    ("cell", "gates", "gate"),
    [
        (cell, len(gates), gate)
        for cell, gates in (("lstm", "ifgo"), ("gru", "run"), ("rnn", "h"))
        for gate in range(len(gates))
    ],
)
def test_in_bfloat16_every_gate_near_0_or_1_has_its_gradient(cell: str, gates: int, gate: int) -> None:
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("no bfloat16 on this processor")
    # One gate of each hidden unit stands at a pre-activation from -9 to 9, by its bias; all others at 0.5.
    H = 37
    layer = layer_of(cell, 1, H)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        bias = layer.bias_ih_l0.view(gates, H)
        bias.fill_(0.5)
        bias[gate] = torch.linspace(-9, 9, H).bfloat16()
        if cell == "gru":
            layer.bias_hh_l0.view(gates, H)[2] = 0.5
    # The LSTM's forget gate needs a cell state, so its loss reads the second state. The GRU's reads the first: at the
    # second, the gradient of its update gate is a difference of two states that are nearly alike.
    inputs, weights = torch.zeros(1, 2, 1), torch.zeros(1, 2, H)
    weights[:, int(cell == "lstm")] = 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = states_and_gradients(compiled_states, layer, inputs, weights)
    exact = states_and_gradients(of_module, layer.double(), inputs.double(), weights.double())
    bias_gradient = 2 + [name for name, _ in layer.named_parameters()].index("bias_ih_l0")
    mine, expected = (found[bias_gradient].view(gates, H)[gate].double() for found in (ours, exact))
    assert ((mine - expected).abs() / expected.abs()).max() < 0.01


@pytest.mark.parametrize(
    ("rows", "columns", "outputs"), [(1, 1, 1), (3, 7, 31), (65, 20, 33), (200, 48, 64), (300, 5, 100)]
)
@pytest.mark.parametrize("biased", [True, False])
def test_the_linear_layer_gives_pytorchs_products_and_gradients(
    rows: int, columns: int, outputs: int, biased: bool
) -> None:
    torch.manual_seed(0)
    found = []
    inputs, weight, bias = torch.randn(2, rows, columns), torch.randn(outputs, columns), torch.randn(outputs)
    for product in (linear, functional.linear):
        given = [each.clone().requires_grad_() for each in (inputs, weight, bias)[: 3 if biased else 2]]
        said = product(*given)
        assert (product is linear) == (type(said.grad_fn).__name__ == "_LinearBackward")
        said.sin().sum().backward()
        found.append([said.detach(), *(each.grad for each in given)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize(("shape", "outputs"), [((10, 4, 6), 3), ((1, 3, 4), 3), ((3, 4, 1), 1)])
def test_the_linear_layer_reads_numbers_that_do_not_lie_in_one_piece(shape: tuple[int, int, int], outputs: int) -> None:
    inputs = torch.randn(shape).permute(1, 2, 0).requires_grad_()
    weight = torch.randn(outputs, inputs.shape[2], requires_grad=True)
    ours, theirs = (product(inputs, weight) for product in (linear, functional.linear))
    torch.testing.assert_close(ours, theirs)
    back = torch.randn(ours.transpose(1, 2).shape).transpose(1, 2)
    found, expected = (torch.autograd.grad(said, [inputs, weight], back) for said in (ours, theirs))
    torch.testing.assert_close(found, expected)
