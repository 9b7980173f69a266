"""The compiled recurrence for CPUs: computes a layer's states, and their gradient, in one call instead of several per
step.

On a CPU PyTorch runs the vanilla RNN (tanh or ReLU) and the GRU step by step, and starting the operations takes longer
than their arithmetic. oneDNN's fused LSTM spends much of its time outside its matrix products. `recurrence.cpp` avoids
both, and with AVX-512 its products use the whole width of the processor. It is compiled once for this processor, by
`make setup` or at the first use, and kept in the user's cache. Without a compiler, or with SENTIMENT_RNN_COMPILED=0,
PyTorch's modules do the same work, as they always do on a GPU. Cells and truncated gradients that PyTorch does not have
are then computed step by step by `cells`.
"""

import functools
import hashlib
import logging
import os
import platform
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from platformdirs import user_cache_path
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from sentiment_rnn import runtime
from sentiment_rnn.files import FileLock, replacement_of
from sentiment_rnn.model import cells
from sentiment_rnn.model.cells import AnyLayer, GradientStop, cell_of

log = logging.getLogger("sentiment_rnn")

SOURCE = Path(__file__).with_suffix(".cpp")
HEADERS = (SOURCE.with_name("product.h"), SOURCE.with_name("scan.h"))
STANDARD = "-std=c++20"
"""C++ standard that PyTorch's headers need from version 2.15 on."""
OPTIONS = (
    *(STANDARD, "-O3", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-fPIC"),
    *(("-march=native", "-mprefer-vector-width=512") if platform.machine() == "x86_64" else ("-mcpu=native",)),
)
"""Options of the compiler."""
TILE = 32
"""Numbers of bfloat16 in a row of the processor's tiles, and in a cache line."""
SMALL = 128
"""Number of columns up to which products in float32 are summed in one piece, so that no digit depends on the width of
the padding. With AVX-512 they always are."""
NARROW = 128
"""Width of the state up to which an LSTM in float32 is compiled on a processor without AVX-512."""


def applies(module: AnyLayer, inputs: Tensor, stop: GradientStop | None = None) -> bool:
    """Whether to read these inputs with `states_side_by_side`: it needs a CPU and the compiled library, and must be the
    faster way."""
    cell = cell_of(module)
    if cell.compiled is None or cell.coefficients or type(inputs) is not Tensor or inputs.device.type != "cpu":
        return False
    if inputs.shape[-1] != cast(Tensor, module.weight_ih_l0).shape[1]:  # PyTorch then raises its own error
        return False
    if number_type(inputs, module) == torch.float32:
        # Without AVX-512, oneDNN's LSTM is faster for a wide net.
        wide = module.hidden_size > NARROW and torch.backends.cpu.get_cpu_capability() != "AVX512"
        theirs = isinstance(module, nn.LSTM) and stop is None and wide
        return not theirs and library() is not None
    if number_type(inputs, module) == torch.bfloat16:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported() and library() is not None
    return False


def states_of_layer(module: AnyLayer, inputs: Tensor, stop: GradientStop | None = None) -> Tensor:
    """`module(inputs)[0]`, states `[B, T, H]` for `inputs [B, T, E]`; step by step if the module cannot compute them.

    Three cases use float32 instead of bfloat16: an sLSTM; an LSTM on a processor without AVX-512, where oneDNN has no
    bfloat16 and raises a RuntimeError; and every layer on a GPU. There autocast would make PyTorch's modules float16
    (aten/src/ATen/cudnn/AutocastRNN.cpp), in which small gradients are zero. For one number type, all ways to read a
    layer on a GPU use float32.
    """
    device, by_step = inputs.device.type, stop is not None or not isinstance(module, nn.RNNBase)
    needs_float32 = cell_of(module).memory > 1 or device == "cuda"
    exact = needs_float32 and device != "meta" and torch.is_autocast_enabled(device)
    if isinstance(module, nn.LSTM) and device == "cpu" and not by_step:
        half = number_type(inputs, module) == torch.bfloat16
        exact = half and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    if exact:
        with torch.autocast(device, enabled=False):
            return states_of_layer(module, inputs.float(), stop)
    return cells.states(module, inputs, stop) if by_step else cast(Tensor, module(inputs)[0])


def states_side_by_side(
    modules: Sequence[AnyLayer], inputs: Sequence[Tensor], stop: GradientStop | None = None
) -> tuple[Tensor, ...]:
    """States of several layers for their inputs, in parallel, `batch_first`. They equal those of `cells.states` and
    `module(inputs)[0]`. The two directions of a bidirectional net are read this way.

    Args:
        modules: layers of one kind and one size.
        inputs: for each layer, `[B, T, E]` float32. Under autocast, inputs, weights and states are kept in bfloat16,
            except for an sLSTM.
        stop: where the gradient ends, in all layers.

    Returns:
        states `[B, T, H]` of each layer, as views (time is the first axis in memory).
    """
    if torch.is_autocast_enabled("cpu") and cell_of(modules[0]).memory > 1:
        with torch.autocast("cpu", enabled=False):
            return states_side_by_side(modules, [x.float() for x in inputs], stop)
    numbers = number_type(inputs[0], modules[0])
    weights = [joined_weight(module, numbers) for module in modules]
    return cast(
        tuple[Tensor, ...],
        _States.apply(modules[0], stop or GradientStop(), torch.is_grad_enabled(), *inputs, *weights),
    )


def joined_weight(module: AnyLayer, numbers: torch.dtype = torch.bfloat16) -> Tensor:
    """All parameters side by side, `[G, K]`: `[W_hh, W_ih, b_ih, b_hh, 0 …]`; the rows are in recurrence.cpp.

    Args:
        numbers: the number type of the products; K depends on it.
    """
    parameters = (cells.recurrent_weight(module), module.weight_ih_l0, module.bias_ih_l0, module.bias_hh_l0)
    columns = [p if p.ndim == 2 else p[:, None] for p in cast(tuple[Tensor, ...], parameters)]
    if cell_of(module).compiled == "gru":  # rows r, z, n → r, z, the inputs' part of n, the state's part of n
        n = 2 * module.hidden_size
        w_hh, w_ih, b_ih, b_hh = columns
        w_ih, b_ih = (torch.cat([p, torch.zeros_like(p[n:])]) for p in (w_ih, b_ih))
        w_hh, b_hh = (torch.cat([p[:n], torch.zeros_like(p[n:]), p[n:]]) for p in (w_hh, b_hh))
        columns = [w_hh, w_ih, b_ih, b_hh]
    width = sum(column.shape[1] for column in columns)
    small = numbers == torch.float32 and width <= SMALL  # products this small include the padding
    padding = columns[0].new_zeros(len(columns[0]), -width % (TILE // 2 if small else TILE))
    return torch.cat([*columns, padding], dim=1)


class _States(torch.autograd.Function):
    """States of one or more layers: `inputs [B, T, E]` and `weight [G, K]` of each → states `[B, T, H]` of each. The
    equations are in recurrence.cpp."""

    @staticmethod
    def forward(
        ctx: Any, module: AnyLayer, stop: GradientStop, differentiable: bool, *inputs_and_weights: Tensor
    ) -> tuple[Tensor, ...]:
        layers = len(inputs_and_weights) // 2
        inputs, weights = inputs_and_weights[:layers], inputs_and_weights[layers:]
        numbers = [weight.to(number_type(inputs[0], module)) for weight in weights]
        x = [in_rows(each.to(numbers[0].dtype)) for each in inputs]
        cell = cell_of(module)
        constants = () if cell.alpha is None else (cell.alpha,)
        z, a, c = getattr(torch.ops.sentiment_rnn, f"{cell.compiled}_forward")(x, numbers, differentiable, *constants)
        if differentiable:
            ctx.save_for_backward(*z, *a, *c, *numbers)
            ctx.cell, ctx.constants, ctx.stop, ctx.input_size = cell.compiled, constants, stop, inputs[0].shape[2]
            ctx.input_dtype, ctx.weight_dtype = inputs[0].dtype, weights[0].dtype
        return tuple(each[1:, :, : module.hidden_size].transpose(0, 1) for each in z)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        saved, layers = ctx.saved_tensors, len(gradients)
        z, a, c, numbers = (saved[kind * layers : (kind + 1) * layers] for kind in range(4))
        dh = [in_rows(gradient.to(z[0].dtype)) for gradient in gradients]
        stop = ctx.stop
        da, dx = getattr(torch.ops.sentiment_rnn, f"{ctx.cell}_backward")(
            dh, a, c, numbers, ctx.input_size, stop.starts, stop.along_cell, stop.through_state, *ctx.constants
        )
        first = 0 if stop.starts is None else int(stop.starts.min())  # da is 0 before this step
        H = dh[0].shape[2]
        columns, gru_size = H + ctx.input_size + 2, H if ctx.cell == "gru" else None
        dw = [
            weight_gradient(of_steps[first:].flatten(0, 1), rows[first:-1].flatten(0, 1), columns, gru_size)
            for of_steps, rows in zip(da, z, strict=True)
        ]
        by_input, by_weight = (each.to(ctx.input_dtype) for each in dx), (each.to(ctx.weight_dtype) for each in dw)
        return None, None, None, *by_input, *by_weight


def weight_gradient(da: Tensor, z: Tensor, columns: int, gru_size: int | None = None) -> Tensor:
    """Σ da zᵀ `[G, K]` for `da [T · B, G]` and `z [T · B, K]`. Columns of z from `columns` on are padding.

    Args:
        gru_size: H of a GRU. Its rows p, the part of the candidate that comes from the inputs, do not depend on the
            state: nobody reads their gradient for the H columns of the state, and it is left 0. Rows q do not depend on
            the inputs, but those columns are too few to be worth a product of their own.
    """
    parts = [(slice(None), 0)]
    if gru_size is not None:
        p, q = 2 * gru_size, 3 * gru_size
        parts = [(slice(p), 0), (slice(p, q), gru_size), (slice(q, None), 0)]
    dw = z.new_zeros(da.shape[1], z.shape[1])
    for rows, start in parts:
        torch.ops.sentiment_rnn.outer_product(da[:, rows], z[:, start:columns], dw[rows, start:columns])
    return dw


def in_rows(sequences: Tensor) -> Tensor:
    """`[B, T, N]` with the N numbers of each row next to each other in memory; copied only if they are not yet."""
    return sequences if sequences.stride(2) == 1 else sequences.contiguous()


def number_type(inputs: Tensor, module: AnyLayer) -> torch.dtype:
    """The type in which numbers are kept: autocast's if it is on. An sLSTM always has float32, since three digits are
    too few for a difference of two stabilizers."""
    lower = torch.is_autocast_enabled("cpu") and cell_of(module).memory == 1
    return torch.get_autocast_dtype("cpu") if lower else inputs.dtype


@functools.cache
def library() -> Path | None:
    """Load the compiled recurrence. Returns its path, or None, with a warning, if it cannot be compiled or loaded."""
    if os.environ.get("SENTIMENT_RNN_COMPILED", "1") == "0":
        return None
    try:
        path = compiled()
        torch.ops.load_library(path)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:  # ValueError: open quotes in CXX
        lines = (getattr(error, "stderr", "") or str(error)).splitlines()
        log.warning(
            "no compiled recurrence, so PyTorch's modules train, more slowly; install g++ 10 or newer, or set CXX (%s)",
            next((line for line in lines if "error" in line), lines[0]),
        )
        return None
    return path


def compiled() -> Path:
    """Path of the library for this source, PyTorch and processor; compiled if it is missing.

    Raises:
        OSError: there is no compiler, or the cache cannot be written.
        subprocess.CalledProcessError: it does not compile.
    """
    target = user_cache_path("sentiment_rnn") / f"recurrence-{fingerprint()}.so"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):  # of jobs that start together, one compiles and the others wait
        if not target.exists():
            log.info("compiling the recurrence for this processor (once, some ten seconds)")
            with replacement_of(target) as made, tempfile.TemporaryDirectory() as folder:
                for step in commands(made, Path(folder, "recurrence.o")):
                    subprocess.run(step, check=True, capture_output=True, text=True)
    return target


def commands(output: Path, between: Path) -> tuple[list[str], list[str]]:
    """The compiler's two command lines: from the source to the object file `between`, and from there to `output`."""
    from torch.utils import cpp_extension  # here, since it takes a third of a second, and only compiling needs it

    abi = f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"
    includes = [f"-I{path}" for path in cpp_extension.include_paths()]
    libraries = [f"-L{path}" for path in cpp_extension.library_paths()]
    return (
        [*compiler(), *OPTIONS, abi, *includes, "-c", str(SOURCE), "-o", str(between)],
        # Linked without -fopenmp, so that calls go to PyTorch's own OpenMP, whose threads already exist. The system's
        # OpenMP would start as many again.
        [*compiler(), "-shared", str(between), *libraries, "-ltorch_cpu", "-lc10", "-o", str(output)],
    )


def compiler() -> list[str]:
    """The compiler as a list of words: `CXX` may have arguments (`ccache g++`)."""
    return shlex.split(os.environ.get("CXX", "")) or ["c++"]


def fingerprint() -> str:
    """Digest of all that the compiled code depends on."""
    features = runtime.cpuinfo("flags") or runtime.cpuinfo("Features")  # on x86, on ARM
    parts = [
        SOURCE.read_text(),
        *(header.read_text() for header in HEADERS),
        torch.__version__,
        platform.machine(),
        features,
        *compiler(),
        *OPTIONS,
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`: `inputs [B, T, E]`, `weight [N, E]` and `bias [N]` → `[B, T, N]`."""
    plain = type(inputs) is Tensor and inputs.device.type == "cpu" and inputs.dtype == weight.dtype == torch.float32
    if plain and not torch.is_autocast_enabled("cpu") and library() is not None:
        return cast(Tensor, _Linear.apply(inputs, weight, bias))
    return functional.linear(inputs, weight, bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        rows = inputs.reshape(-1, inputs.shape[-1]).contiguous()
        ctx.save_for_backward(rows, weight)
        ctx.shape = inputs.shape
        outputs: Tensor = torch.ops.sentiment_rnn.linear(rows, weight, bias)
        return outputs.view(*inputs.shape[:-1], len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight = ctx.saved_tensors
        gradient = gradients[0].reshape(-1, len(weight)).contiguous()
        by_inputs, by_weight, by_bias = ctx.needs_input_grad
        dx = torch.ops.sentiment_rnn.linear(gradient, weight.t(), None).view(ctx.shape) if by_inputs else None
        dw = torch.empty_like(weight) if by_weight else None
        if dw is not None:
            torch.ops.sentiment_rnn.outer_product(gradient, rows, dw)
        return dx, dw, gradient.sum(0) if by_bias else None


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    library()
