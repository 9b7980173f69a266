// The vanilla RNN, the LSTM and the GRU over a whole sequence, forward and backward, on the CPU. See recurrence.py.
//
// At each step all read one row z_t = [h_{t-1}, x_t, 1, 1, 0 …] of K numbers and multiply it by one matrix W [G, K], the
// recurrent weights, the input weights and the two biases side by side (G = H for the RNN, 4 H for the LSTM, whose gates
// stand in PyTorch's order i, f, g, o). The zeros fill K up to whole cache lines: rows that start on one multiply faster.
//
//     RNN   h_t = tanh(W z_t), or max(0, W z_t)
//     LSTM  i, f, o = σ(W z_t)   g = tanh(W z_t)   c_t = f · c_{t-1} + i · g   h_t = o · tanh(c_t)
//     GRU   r, u = σ(W z_t)   p, q = W z_t   n = tanh(p + r · q)   c_t = u · c_{t-1} + (1 − u) · n   h_t = c_t
//
// The GRU's gate u is PyTorch's z. Its r multiplies only the part of the candidate n that comes from h_{t-1}, so the two
// parts have rows of their own: G = 4 H, in the order r, u, p (from x_t), q (from h_{t-1}), with zeros in W where a part
// does not look.
//
// With a_t for what the non-linearities of W z_t give and da_t for the gradient of W z_t, the backward pass takes one
// product a step, dz_t = Wᵀ da_t, which holds dh_{t-1} and dx_t; all weights' gradients are one product at the end,
// dW = Σ da_t z_tᵀ (in recurrence.py). Reviews do not depend on each other: each thread takes some rows of the batch
// through all T steps, and waits for no other before the end.
//
// Numbers are float or bfloat16 in memory and float in arithmetic; the cell state c goes from step to step in float.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/autograd/graph_task.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <tuple>

#include "product.h"

namespace {

// ---- functions -----------------------------------------------------------------------------------------------------

// Always inlined: g++ 12 leaves one call in the LSTM's forward loop in C++20, and a loop with a call is not vectorized, which
// takes three times as long (tests/model/test_recurrence.py asks the compiler).

// Behind ±21 a sigmoid is 0 or 1 to 1e-9, and the product of four (1 + e^x) is no infinity yet.
[[gnu::always_inline]] inline float limited(float x) {
  x = x < -21.0f ? -21.0f : x;
  return x > 21.0f ? 21.0f : x;
}

// e^x for limited x, to 2e-7 of it: 2^n · e^r with |r| ≤ ln 2 / 2, where e^r is the polynomial of degree 5 whose largest
// relative error is the least. Written out, it vectorizes with the loop around it, with any libm.
[[gnu::always_inline]] inline float exponential(float x) {
  const float shifted = x * 1.44269504f + 12582912.0f;  // 1.5 · 2^23: the last bits of the sum are n, to the nearest
  const float n = shifted - 12582912.0f;
  const float r = x - n * 0.693147182f;
  float p = 8.29022937e-3f;
  p = p * r + 4.18983884e-2f;
  p = p * r + 1.66676402e-1f;
  p = p * r + 4.99991447e-1f;
  p = p * r + 9.99999702e-1f;
  p = p * r + 1.0f;
  uint32_t bits, power;
  std::memcpy(&bits, &p, sizeof bits);
  std::memcpy(&power, &shifted, sizeof power);
  bits += power << 23;  // n more in the exponent
  std::memcpy(&p, &bits, sizeof p);
  return p;
}

// To 1e-7 absolutely, not relatively: near zero it has fewer digits than x.
[[gnu::always_inline]] inline float tanh(float x) { return 2.0f / (1.0f + exponential(limited(-2.0f * x))) - 1.0f; }

[[gnu::always_inline]] inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(limited(-x))); }

// i, f, g, o → σ(i), σ(f), tanh(g), σ(o). All are 1 / (1 + e^-x), and one division, the slowest operation here, gives the
// four: 1 / a = bcd / abcd.
[[gnu::always_inline]] inline void activate(float& i, float& f, float& g, float& o) {
  const float a = 1.0f + exponential(limited(-i)), b = 1.0f + exponential(limited(-f));
  const float c = 1.0f + exponential(limited(-2.0f * g)), d = 1.0f + exponential(limited(-o));
  const float ab = a * b, cd = c * d, inverse = 1.0f / (ab * cd);
  i = inverse * cd * b;
  f = inverse * cd * a;
  g = inverse * ab * d * 2.0f - 1.0f;
  o = inverse * ab * c;
}

// Asks for numbers that are needed a step later. The backward pass reads what the forward pass left in memory, from its end
// to its start, in pieces too small for the processor to see that coming.
template <typename Number>
void prefetch(const Number* numbers, int64_t count) {
  constexpr int64_t line = 64 / sizeof(Number);
  for (int64_t i = 0; i < count; i += line) __builtin_prefetch(numbers + i, 1);
}

// ---- rows -----------------------------------------------------------------------------------------------------------

// Raises unless `sequences` is [batch, steps, numbers] of a type that the cells are compiled for.
void check(const Tensor& sequences, const char* name) {
  const auto type = sequences.scalar_type();
  TORCH_CHECK(type == at::kFloat || type == at::kBFloat16, name, ": expected float32 or bfloat16, not ", type);
  TORCH_CHECK(sequences.dim() == 3, name, ": expected three dimensions, not ", sequences.dim());
  TORCH_CHECK(sequences.size(2) == 1 || sequences.stride(2) == 1, name, ": expected rows in one piece");
}

// Calls task(first, last) for ranges of rows, one a thread.
template <typename Task>
void divide_rows(int64_t rows, const Task& task) {
  const int64_t parts = std::clamp<int64_t>(rows / 16, 1, at::get_num_threads());  // the matrix unit takes 16 rows
  at::parallel_for(0, rows, (rows + parts - 1) / parts, [&](int64_t first, int64_t last) {
    at::AutoDispatchBelowADInplaceOrView no_autograd;
    task(first, last);
  });
}

// ---- cells ---------------------------------------------------------------------------------------------------------

// The RNN's non-linearities: h of W z_t, and the gradient of W z_t from h and dh.
struct Tanh {
  [[gnu::always_inline]] static float state(float x) { return tanh(x); }
  [[gnu::always_inline]] static float gradient(float h, float dh) { return dh * (1.0f - h * h); }
};

struct Relu {  // where x is not a number, neither is h, and the gradient goes through: as in PyTorch
  [[gnu::always_inline]] static float state(float x) { return x < 0.0f ? 0.0f : x; }
  [[gnu::always_inline]] static float gradient(float h, float dh) { return h <= 0.0f ? 0.0f : dh; }
};

template <typename Activation>
struct Rnn {
  static constexpr int64_t gates = 1;
  static constexpr bool has_cell_state = false;

  // One row: product [G] → a [G], h [H].
  template <typename Number>
  static void forward(const Number* product, Number* a, Number* h, float*, Number*, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float state = Activation::state(read(product[j]));
      write(a[j], state);
      write(h[j], state);
    }
  }

  // One row; dh is what comes from the loss and what comes from the next step.
  template <typename Number>
  static void backward(const Number* a, const Number* from_loss, const Number* from_next, const Number*, const Number*,
                       float*, Number* da, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      write(da[j], Activation::gradient(read(a[j]), read(from_loss[j]) + read(from_next[j])));
    }
  }
};

struct Lstm {
  static constexpr int64_t gates = 4;
  static constexpr bool has_cell_state = true;

  // One row: product [G], and the cell state [H] in float, which goes from step to step → a [G], h [H], c_t [H].
  template <typename Number>
  static void forward(const Number* product, Number* a, Number* h, float* cell, Number* c, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      float i = read(product[j]), f = read(product[H + j]), g = read(product[2 * H + j]), o = read(product[3 * H + j]);
      activate(i, f, g, o);
      cell[j] = f * cell[j] + i * g;
      write(c[j], cell[j]);
      write(h[j], o * tanh(cell[j]));
      write(a[j], i);
      write(a[H + j], f);
      write(a[2 * H + j], g);
      write(a[3 * H + j], o);
    }
  }

  // One row; dc [H] holds the gradient of the cell state, from the next step and then for the step before.
  template <typename Number>
  static void backward(const Number* a, const Number* from_loss, const Number* from_next, const Number* c_before,
                       const Number* c, float* dc, Number* da, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float i = read(a[j]), f = read(a[H + j]), g = read(a[2 * H + j]), o = read(a[3 * H + j]);
      const float dh = read(from_loss[j]) + read(from_next[j]);
      const float squashed = tanh(read(c[j]));
      const float dcell = dc[j] + dh * o * (1.0f - squashed * squashed);
      write(da[j], dcell * g * i * (1.0f - i));
      write(da[H + j], dcell * read(c_before[j]) * f * (1.0f - f));
      write(da[2 * H + j], dcell * i * (1.0f - g * g));
      write(da[3 * H + j], dh * squashed * o * (1.0f - o));
      dc[j] = dcell * f;
    }
  }
};

struct Gru {
  static constexpr int64_t gates = 4;
  static constexpr bool has_cell_state = true;  // h itself: where u is near 1, bfloat16 would lose small changes of it

  // One row: product [G], and the state [H] in float → a [G] with r, u, n and q, h [H], c_t [H].
  template <typename Number>
  static void forward(const Number* product, Number* a, Number* h, float* cell, Number* c, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float r = sigmoid(read(product[j])), u = sigmoid(read(product[H + j])), q = read(product[3 * H + j]);
      const float n = tanh(read(product[2 * H + j]) + r * q);
      cell[j] = u * cell[j] + (1.0f - u) * n;
      write(c[j], cell[j]);
      write(h[j], cell[j]);
      write(a[j], r);
      write(a[H + j], u);
      write(a[2 * H + j], n);
      write(a[3 * H + j], q);
    }
  }

  // One row; dc [H] holds the part of dh that does not come through W: u · dh of the next step.
  template <typename Number>
  static void backward(const Number* a, const Number* from_loss, const Number* from_next, const Number* c_before,
                       const Number*, float* dc, Number* da, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float r = read(a[j]), u = read(a[H + j]), n = read(a[2 * H + j]), q = read(a[3 * H + j]);
      const float dh = dc[j] + read(from_loss[j]) + read(from_next[j]);
      const float dp = dh * (1.0f - u) * (1.0f - n * n);
      write(da[j], dp * q * r * (1.0f - r));
      write(da[H + j], dh * (read(c_before[j]) - n) * u * (1.0f - u));
      write(da[2 * H + j], dp);
      write(da[3 * H + j], dp * r);
      dc[j] = dh * u;
    }
  }
};

// ---- sequences -----------------------------------------------------------------------------------------------------

// A row of a sequence, the numbers of one review at one step: tensor[i, j] where that is contiguous. By review and step in
// x, dx and dh, by step and review in the others.
template <typename Number>
Number* row_of(const Tensor& tensor, int64_t i, int64_t j) {
  return data<Number>(tensor) + i * tensor.stride(0) + j * tensor.stride(1);
}

// Rows first..last of x [B, T, E] → z [T + 1, B, K], a [T, B, G] and c [T + 1, B, C], or one step of a and c where nothing
// is kept. C is H, or 0 for the RNN, which has no cell state.
template <typename Cell, typename Number>
void forward_rows(const Product& product, const Tensor& x, const Tensor& z, const Tensor& a, const Tensor& c,
                  int64_t first, int64_t last) {
  const int64_t T = x.size(1), E = x.size(2), K = z.size(2), G = a.size(2), H = G / Cell::gates, C = c.size(2);
  const bool keep = c.size(0) == T + 1;  // a has one step in either case where T is 1
  const Tensor mine = z.narrow(1, first, last - first), cell = at::zeros({last - first, C}, at::kFloat);
  for (int64_t row = first; row < last; ++row) {
    std::fill_n(row_of<Number>(z, 0, row), H, Number{});
    std::fill_n(row_of<Number>(c, 0, row), C, Number{});
  }
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t row = first; row < last; ++row) {
      Number* const rest = std::copy_n(row_of<Number>(x, row, t), E, row_of<Number>(z, t, row) + H);
      write(rest[0], 1.0f);
      write(rest[1], 1.0f);
      std::fill_n(rest + 2, K - H - E - 2, Number{});
    }
    const Tensor preactivation = product(mine[t]);
    for (int64_t row = first; row < last; ++row) {
      Cell::forward(data<Number>(preactivation) + (row - first) * G, row_of<Number>(a, keep ? t : 0, row),
                    row_of<Number>(z, t + 1, row), data<float>(cell) + (row - first) * C,
                    row_of<Number>(c, keep ? t + 1 : 0, row), H);
    }
  }
}

// x [B, T, E], weight [G, K] → z [T + 1, B, K], with h_t in z_{t+1} and no inputs in the last; a [T, B, G] and
// c [T + 1, B, C], which only a backward pass needs: without `keep` they hold one step.
template <typename Cell>
std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& x, const Tensor& weight, bool keep) {
  check(x, "x");
  TORCH_CHECK(weight.dim() == 2 && weight.scalar_type() == x.scalar_type(), "weight: expected [G, K] of x's type");
  const int64_t B = x.size(0), T = x.size(1), G = weight.size(0), K = weight.size(1), H = G / Cell::gates;
  TORCH_CHECK(G % Cell::gates == 0 && K >= H + x.size(2) + 2, "weight [G, K], x [B, T, E]: expected K ≥ H + E + 2");
  const Tensor z = at::empty({T + 1, B, K}, x.options()), a = at::empty({keep ? T : 1, B, G}, x.options());
  const Tensor c = at::empty({keep ? T + 1 : 1, B, Cell::has_cell_state ? H : 0}, x.options());
  const Product product(weight, B);
  const auto rows = x.scalar_type() == at::kBFloat16 ? forward_rows<Cell, Bfloat16> : forward_rows<Cell, float>;
  divide_rows(B, [&](int64_t first, int64_t last) { rows(product, x, z, a, c, first, last); });
  return {z, a, c};
}

template <typename Cell, typename Number>
void backward_rows(const Product& product, const Tensor& dh, const Tensor& a, const Tensor& c, const Tensor& da,
                   const Tensor& dx, int64_t first, int64_t last) {
  const int64_t T = a.size(0), G = a.size(2), H = dh.size(2), E = dx.size(2), C = c.size(2), K = product.size();
  const Tensor mine = da.narrow(1, first, last - first), dc = at::zeros({last - first, C}, at::kFloat);
  Tensor dz = at::zeros({last - first, K}, a.options());  // nothing comes from behind the last step
  for (int64_t t = T - 1; t >= 0; --t) {
    for (int64_t row = first; row < last; ++row) {
      if (t > 0) {
        prefetch(row_of<Number>(a, t - 1, row), G);
        prefetch(row_of<Number>(c, t - 1, row), C);
        prefetch(row_of<Number>(dh, row, t - 1), H);
      }
      Cell::backward(row_of<Number>(a, t, row), row_of<Number>(dh, row, t), data<Number>(dz) + (row - first) * K,
                     row_of<Number>(c, t, row), row_of<Number>(c, t + 1, row), data<float>(dc) + (row - first) * C,
                     row_of<Number>(da, t, row), H);
    }
    dz = product(mine[t]);
    for (int64_t row = first; row < last; ++row) {
      std::copy_n(data<Number>(dz) + (row - first) * K + H, E, row_of<Number>(dx, row, t));
    }
  }
}

// dh [B, T, H], the loss's gradient by the states; a and c of the forward pass. → da [T, B, G], which takes the place of a
// unless the graph is kept for another pass, and dx [B, T, E].
template <typename Cell>
std::tuple<Tensor, Tensor> backward(const Tensor& dh, const Tensor& a, const Tensor& c, const Tensor& weight,
                                    int64_t input_size) {
  check(dh, "dh");
  TORCH_CHECK(a.is_contiguous() && c.is_contiguous(), "a, c: expected contiguous tensors");
  TORCH_CHECK(dh.scalar_type() == a.scalar_type() && c.scalar_type() == a.scalar_type() &&
                  weight.scalar_type() == a.scalar_type(),
              "dh, a, c and weight: expected one type");
  const int64_t B = dh.size(0), T = dh.size(1), H = dh.size(2), G = Cell::gates * H;
  TORCH_CHECK(a.sizes() == at::IntArrayRef({T, B, G}) && c.size(0) == T + 1 && weight.size(0) == G &&
                  weight.size(1) >= H + input_size,
              "dh [B, T, H], a [T, B, G], c [T + 1, B, C], weight [G, K]: sizes that fit each other expected");
  const Tensor da = torch::autograd::get_current_graph_task_keep_graph() ? at::empty_like(a) : a;
  const Tensor dx = at::empty({B, T, input_size}, a.options());
  const Product product(weight.t(), B);
  const auto rows = a.scalar_type() == at::kBFloat16 ? backward_rows<Cell, Bfloat16> : backward_rows<Cell, float>;
  divide_rows(B, [&](int64_t first, int64_t last) { rows(product, dh, a, c, da, dx, first, last); });
  return {da, dx};
}

// The operators <name>_forward and <name>_backward.
template <typename Cell>
void define(torch::Library& library, const std::string& name) {
  const std::string forward_schema = "_forward(Tensor x, Tensor weight, bool keep) -> (Tensor, Tensor, Tensor)";
  const std::string backward_schema =
      "_backward(Tensor dh, Tensor(a!) a, Tensor c, Tensor weight, int input_size) -> (Tensor(a!), Tensor)";
  library.def((name + forward_schema).c_str(), &forward<Cell>);
  library.def((name + backward_schema).c_str(), &backward<Cell>);
}

}  // namespace

TORCH_LIBRARY(sentiment_rnn, library) {
  define<Rnn<Tanh>>(library, "rnn");
  define<Rnn<Relu>>(library, "relu_rnn");
  define<Lstm>(library, "lstm");
  define<Gru>(library, "gru");
}
