// The vanilla RNN, the LSTM and the GRU over a whole sequence, forward and backward, on the CPU. See recurrence.py.
//
// At each step all read one row z_t = [h_{t-1}, x_t, 1, 1, 0 …] of K numbers and multiply it by one matrix W [G, K], the
// recurrent weights, the input weights and the two biases side by side (G = H for the RNN, 4 H for the LSTM, whose gates
// stand in PyTorch's order i, f, g, o). The zeros fill K up to whole cache lines: rows that start on one multiply faster.
//
//     RNN   h_t = tanh(W z_t), or max(0, W z_t)
//     LSTM  i, f, o = σ(W z_t)   g = tanh(W z_t)   c_t = f · c_{t-1} + i · g   h_t = o · tanh(c_t)
//     GRU   r, u = σ(W z_t)   p, q = W z_t   n = tanh(p + r · q)   c_t = u · c_{t-1} + (1 − u) · n   h_t = c_t
//     leaky RNN   c_t = α · c_{t-1} + (1 − α) · tanh(W z_t)   h_t = c_t
//
// Some LSTMs lack a gate: it is 1, or i = 1 − f, and it has no rows in W.
//
// The GRU's gate u is PyTorch's z. Its r multiplies only the part of the candidate n that comes from h_{t-1}, so the two
// parts have rows of their own: G = 4 H, in the order r, u, p (from x_t), q (from h_{t-1}), with zeros in W where a part
// does not look, which the products skip.
//
// With a_t for what the non-linearities of W z_t give and da_t for the gradient of W z_t, the backward pass takes one
// product a step, dz_t = Wᵀ da_t, which holds dh_{t-1} and dx_t; all weights' gradients are one product at the end,
// dW = Σ da_t z_tᵀ (in recurrence.py). Reviews do not depend on each other, nor do the directions of a bidirectional
// net: each thread takes some rows of the batch, or one direction, through all T steps, and waits for no other before the end.
//
// A gradient can be stopped (cells.GradientStop): nothing of it reaches the steps before a review's `start`, nothing goes along the cell
// state, or nothing goes through h_{t-1}. The forward pass is the same.
//
// Numbers are float or bfloat16 in memory and float in arithmetic; the cell state c goes from step to step in float.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/csrc/autograd/graph_task.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <numeric>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

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

// σ(x), of e = e^-x.
[[gnu::always_inline]] inline float sigma(float e) { return 1.0f / (1.0f + e); }

// The same for each of four. One division, the slowest operation here, gives them all: 1 / a = bcd / abcd.
[[gnu::always_inline]] inline void sigmas(float& i, float& f, float& g, float& o) {
  const float a = 1.0f + i, b = 1.0f + f, c = 1.0f + g, d = 1.0f + o;
  const float ab = a * b, cd = c * d, inverse = 1.0f / (ab * cd);
  i = inverse * cd * b;
  f = inverse * cd * a;
  g = inverse * ab * d;
  o = inverse * ab * c;
}

// Asks for numbers that are needed a step later. The backward pass reads what the forward pass left in memory, from its end
// to its start, in pieces too small for the processor to see that coming.
template <typename Number>
void prefetch(const Number* numbers, int64_t count) {
  constexpr int64_t line = 64 / sizeof(Number);
  for (int64_t i = 0; i < count; i += line) __builtin_prefetch(numbers + i, 1);
}

// ---- gates in memory -------------------------------------------------------------------------------------------------

// What the backward pass needs of a gate f = σ(x) is f (1 - f), which a gate of 0.998 has lost in bfloat16: it rounds to 1. So
// of a value above one half the distance from 1 is kept, computed as e^-x f: 1 - f has no digits left where f is near 1.
// Gates are positive, and a minus marks distances; those of a tanh, which has two signs, are scaled to lie behind all
// values. float32 keeps the values. No struct of two floats here: a loop with one is not vectorized by g++ 12.

constexpr float mark = 4294967296.0f;  // 2^32: the least distance, 2 e^-21, is above 1 with it

// σ(x) = value, of e = e^-x.
[[gnu::always_inline]] inline void write_sigmoid(float& place, float value, float) { place = value; }
[[gnu::always_inline]] inline void write_sigmoid(Bfloat16& place, float value, float e) {
  write(place, value > 0.5f ? -e * value : value);
}

// tanh(x) = 2 σ(2x) - 1, of e = e^-2x and sigma = σ(2x).
[[gnu::always_inline]] inline void write_tanh(float& place, float, float sigma) { place = 2.0f * sigma - 1.0f; }
[[gnu::always_inline]] inline void write_tanh(Bfloat16& place, float e, float sigma) {
  const float value = 2.0f * sigma - 1.0f, distance = 2.0f * sigma * (e < 1.0f ? e : 1.0f);
  write(place, distance < 0.5f ? distance * (e < 1.0f ? mark : -mark) : value);
}

// Of what is kept as a Number: σ(x) and 1 - σ(x); 1 - |tanh(x)|, tanh(x) and its derivative, 1 - tanh²(x).
template <typename Number>
constexpr bool keeps_values = std::is_same_v<Number, float>;

template <typename Number>
[[gnu::always_inline]] inline float sigmoid_of(float kept) {
  return keeps_values<Number> || kept > 0.0f ? kept : 1.0f + kept;
}
template <typename Number>
[[gnu::always_inline]] inline float complement_of(float kept) {
  return keeps_values<Number> || kept > 0.0f ? 1.0f - kept : -kept;
}
[[gnu::always_inline]] inline float distance_of(float kept) {
  const float size = kept < 0.0f ? -kept : kept;
  return size > 1.0f ? size * (1.0f / mark) : 1.0f - size;
}
template <typename Number>
[[gnu::always_inline]] inline float tanh_of(float kept) {
  if constexpr (keeps_values<Number>) return kept;
  const float value = 1.0f - distance_of(kept);
  return kept < 0.0f ? -value : value;
}
template <typename Number>
[[gnu::always_inline]] inline float slope_of(float kept) {
  if constexpr (keeps_values<Number>) return 1.0f - kept * kept;
  return distance_of(kept) * (2.0f - distance_of(kept));
}

// ---- rows -----------------------------------------------------------------------------------------------------------

// Raises unless `sequences` is [batch, steps, numbers] of a type that the cells are compiled for.
void check(const Tensor& sequences, const char* name) {
  const auto type = sequences.scalar_type();
  TORCH_CHECK(type == at::kFloat || type == at::kBFloat16, name, ": expected float32 or bfloat16, not ", type);
  TORCH_CHECK(sequences.dim() == 3, name, ": expected three dimensions, not ", sequences.dim());
  TORCH_CHECK(sequences.size(2) == 1 || sequences.stride(2) == 1 || sequences.numel() == 0, name,
              ": expected rows in one piece");
}

// Raises unless there are as many of all as there are layers, at least one, and all layers read the same number of rows.
void check_layers(at::TensorList first, std::initializer_list<at::TensorList> others) {
  TORCH_CHECK(!first.empty(), "expected at least one layer");
  for (const auto& other : others) TORCH_CHECK(other.size() == first.size(), "expected as many tensors as layers");
  for (const Tensor& tensor : first) {
    TORCH_CHECK(tensor.size(0) == first[0].size(0) && tensor.scalar_type() == first[0].scalar_type(),
                "layers: expected one number of reviews and one type");
  }
}

// Calls task(layer, first, last) for ranges of the rows of each layer, in parallel: equally many for each thread, and as few as
// that takes, since products are the faster the more rows they have. Of two layers, two threads take one each.
template <typename Task>
void divide_rows(int64_t layers, int64_t rows, const Task& task) {
  const int64_t threads = at::get_num_threads();
  const int64_t even = threads / std::gcd(threads, layers);
  const int64_t parts = std::clamp<int64_t>(rows / 16, 1, even);  // the matrix unit takes 16 rows
  const int64_t size = (rows + parts - 1) / parts;
  at::parallel_for(0, layers * parts, 1, [&](int64_t begin, int64_t end) {
    at::AutoDispatchBelowADInplaceOrView no_autograd;
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first = part % parts * size, last = std::min(first + size, rows);
      if (first < last) task(part / parts, first, last);
    }
  });
}

// ---- cells ---------------------------------------------------------------------------------------------------------

// The RNN's non-linearities: a and h of W z_t, and the gradient of W z_t from a and dh.
struct Tanh {
  template <typename Number>
  [[gnu::always_inline]] static void forward(float x, Number& a, Number& h) {
    const float e = exponential(limited(-2.0f * x)), half = sigma(e);
    write_tanh(a, e, half);
    write(h, 2.0f * half - 1.0f);
  }
  template <typename Number>
  [[gnu::always_inline]] static float gradient(Number a, float dh) { return dh * slope_of<Number>(read(a)); }
};

struct Relu {  // where x is not a number, neither is h, and the gradient goes through: as in PyTorch
  template <typename Number>
  [[gnu::always_inline]] static void forward(float x, Number& a, Number& h) {
    const float state = x < 0.0f ? 0.0f : x;
    write(a, state);
    write(h, state);
  }
  template <typename Number>
  [[gnu::always_inline]] static float gradient(Number a, float dh) { return read(a) <= 0.0f ? 0.0f : dh; }
};

template <typename Activation>
struct Rnn {
  static constexpr int64_t gates = 1;
  static constexpr int64_t memory = 0;  // numbers for each unit that go from step to step beside h

  // One row: product [G] → a [G], h [H].
  template <typename Number>
  static void forward(const Number* product, Number* a, Number* h, float*, Number*, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      Activation::forward(read(product[j]), a[j], h[j]);
    }
  }

  // One row; dh is what comes from the loss and what comes from the next step.
  template <typename Number>
  static void backward(const Number* a, const Number* from_loss, const Number* from_next, const Number*, const Number*,
                       float*, Number* da, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      write(da[j], Activation::gradient(a[j], read(from_loss[j]) + read(from_next[j])));
    }
  }
};

enum class Form { whole, no_input_gate, no_forget_gate, no_output_gate, coupled };

template <Form form>
struct Lstm {
  static constexpr bool coupled = form == Form::coupled;  // i = 1 − f
  static constexpr bool has_input = form != Form::no_input_gate && !coupled;
  static constexpr bool has_forget = form != Form::no_forget_gate;
  static constexpr bool has_output = form != Form::no_output_gate;
  // Which rows of W are whose, by H.
  static constexpr int64_t input = 0, forget = has_input, candidate = forget + has_forget, output = candidate + 1;
  static constexpr int64_t gates = output + has_output;
  static constexpr int64_t memory = 1;

  // One row: product [G], and the cell state [H] in float, which goes from step to step → a [G], h [H], c_t [H].
  template <typename Number>
  static void forward(const Number* product, Number* a, Number* h, float* cell, Number* c, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float ei = has_input ? exponential(limited(-read(product[input * H + j]))) : 0.0f;
      const float ef = has_forget ? exponential(limited(-read(product[forget * H + j]))) : 0.0f;
      const float eg = exponential(limited(-2.0f * read(product[candidate * H + j])));
      const float eo = has_output ? exponential(limited(-read(product[output * H + j]))) : 0.0f;
      float i = ei, f = ef, g = eg, o = eo;
      sigmas(i, f, g, o);
      if constexpr (!has_input) i = coupled ? ef * f : 1.0f;  // 1 − f, with all its digits
      if constexpr (!has_forget) f = 1.0f;
      if constexpr (!has_output) o = 1.0f;
      cell[j] = f * cell[j] + i * (2.0f * g - 1.0f);
      write(c[j], cell[j]);
      write(h[j], o * tanh(cell[j]));
      if constexpr (has_input) write_sigmoid(a[input * H + j], i, ei);
      if constexpr (has_forget) write_sigmoid(a[forget * H + j], f, ef);
      write_tanh(a[candidate * H + j], eg, g);
      if constexpr (has_output) write_sigmoid(a[output * H + j], o, eo);
    }
  }

  // One row; dc [H] holds the gradient of the cell state, from the next step and then for the step before.
  template <typename Number>
  static void backward(const Number* a, const Number* from_loss, const Number* from_next, const Number* c_before,
                       const Number* c, float* dc, Number* da, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float i = has_input ? read(a[input * H + j]) : 0.0f, f = has_forget ? read(a[forget * H + j]) : 0.0f;
      const float g = read(a[candidate * H + j]), o = has_output ? read(a[output * H + j]) : 0.0f;
      const float let_in = has_input ? sigmoid_of<Number>(i) : coupled ? complement_of<Number>(f) : 1.0f;
      const float kept = has_forget ? sigmoid_of<Number>(f) : 1.0f, shown = has_output ? sigmoid_of<Number>(o) : 1.0f;
      const float before = coupled ? read(c_before[j]) - tanh_of<Number>(g) : read(c_before[j]);
      const float dh = read(from_loss[j]) + read(from_next[j]);
      const float squashed = tanh(read(c[j]));
      const float dcell = dc[j] + dh * shown * (1.0f - squashed * squashed);
      if constexpr (has_input) write(da[input * H + j], dcell * tanh_of<Number>(g) * let_in * complement_of<Number>(i));
      if constexpr (has_forget) write(da[forget * H + j], dcell * before * kept * complement_of<Number>(f));
      write(da[candidate * H + j], dcell * let_in * slope_of<Number>(g));
      if constexpr (has_output) write(da[output * H + j], dh * squashed * shown * complement_of<Number>(o));
      dc[j] = dcell * kept;
    }
  }
};

struct Gru {
  static constexpr int64_t gates = 4;
  static constexpr int64_t memory = 1;  // h itself: where u is near 1, bfloat16 would lose small changes of it

  // One row: product [G], and the state [H] in float → a [G] with r, u, n and q, h [H], c_t [H].
  template <typename Number>
  static void forward(const Number* product, Number* a, Number* h, float* cell, Number* c, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float er = exponential(limited(-read(product[j]))), eu = exponential(limited(-read(product[H + j])));
      const float r = sigma(er), u = sigma(eu), q = read(product[3 * H + j]);
      const float en = exponential(limited(-2.0f * (read(product[2 * H + j]) + r * q))), half = sigma(en);
      cell[j] = u * cell[j] + (1.0f - u) * (2.0f * half - 1.0f);
      write(c[j], cell[j]);
      write(h[j], cell[j]);
      write_sigmoid(a[j], r, er);
      write_sigmoid(a[H + j], u, eu);
      write_tanh(a[2 * H + j], en, half);
      write(a[3 * H + j], q);
    }
  }

  // One row; dc [H] holds the part of dh that does not come through W: u · dh of the next step.
  template <typename Number>
  static void backward(const Number* a, const Number* from_loss, const Number* from_next, const Number* c_before,
                       const Number*, float* dc, Number* da, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float r = read(a[j]), u = read(a[H + j]), n = read(a[2 * H + j]);
      const float dh = dc[j] + read(from_loss[j]) + read(from_next[j]);
      const float dp = dh * complement_of<Number>(u) * slope_of<Number>(n);
      write(da[j], dp * read(a[3 * H + j]) * sigmoid_of<Number>(r) * complement_of<Number>(r));
      write(da[H + j], dh * (read(c_before[j]) - tanh_of<Number>(n)) * sigmoid_of<Number>(u) * complement_of<Number>(u));
      write(da[2 * H + j], dp);
      write(da[3 * H + j], dp * sigmoid_of<Number>(r));
      dc[j] = dh * sigmoid_of<Number>(u);
    }
  }
};

// ln(x) of a normal x above 0, to 2e-7: its exponent, and 2 artanh of s = r / (2 + r) for the rest 1 + r in [3/4, 3/2).
[[gnu::always_inline]] inline float logarithm(float x) {
  int32_t bits, part;
  std::memcpy(&bits, &x, sizeof bits);
  const int32_t power = (bits - 0x3f400000) >> 23;
  part = bits - (power << 23);
  float rest;
  std::memcpy(&rest, &part, sizeof rest);
  const float s = (rest - 1.0f) / (rest + 1.0f), square = s * s;
  const float series = 2.0f + square * (0.666666667f + square * (0.4f + square * (0.285714286f + square * 0.222222222f)));
  return power * 0.693147182f + s * series;
}

// ln σ(x) for any x: below -21 it is x itself to 1e-9; near 0 a series, since 1 + e would have dropped the digits of e.
[[gnu::always_inline]] inline float log_sigmoid(float x) {
  const float e = exponential(limited(-x));
  const float found = e < 1e-3f ? -e * (1.0f - e * (0.5f - e * 0.333333333f)) : -logarithm(1.0f + e);
  return x < -21.0f ? x : found;
}

// The LSTM with an exponential input gate, a normalizer n and a stabilizer m, which keeps both from overflowing and has no
// part in h:
//     m_t = max(p_i, ln f + m_{t-1})   i = e^(p_i − m_t)   f' = f · e^(m_{t-1} − m_t)
//     c_t = f' · c_{t-1} + i · g   n_t = f' · n_{t-1} + i   h_t = o · c_t / n_t
struct Slstm {
  static constexpr int64_t gates = 4, memory = 3;  // c, n and m

  // What is kept of c and n: e^(kept − m), and nothing at a step before which nothing was read. n is 0 there, and never again.
  [[gnu::always_inline]] static float share(float n_before, float kept, float m) {
    return n_before == 0.0f ? 0.0f : exponential(limited(kept - m));
  }

  template <typename Number>
  static void forward(const Number* product, Number* a, Number* h, float* cell, Number* c, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float x = read(product[j]), log_f = log_sigmoid(read(product[H + j]));
      const float eg = exponential(limited(-2.0f * read(product[2 * H + j])));
      const float eo = exponential(limited(-read(product[3 * H + j])));
      const float g = sigma(eg), o = sigma(eo), n_before = cell[H + j], kept = cell[2 * H + j] + log_f;
      const float m = n_before == 0.0f || x > kept ? x : kept;
      const float i = exponential(limited(x - m)), f = share(n_before, kept, m);
      cell[j] = f * cell[j] + i * (2.0f * g - 1.0f);
      cell[H + j] = f * n_before + i;
      cell[2 * H + j] = m;
      write(c[j], cell[j]);
      write(c[H + j], cell[H + j]);
      write(c[2 * H + j], m);
      write(h[j], o * cell[j] / cell[H + j]);
      write(a[j], i);
      write(a[H + j], log_f);
      write_tanh(a[2 * H + j], eg, g);
      write_sigmoid(a[3 * H + j], o, eo);
    }
  }

  // One row; dc holds the gradients of c and n.
  template <typename Number>
  static void backward(const Number* a, const Number* from_loss, const Number* from_next, const Number* c_before,
                       const Number* c, float* dc, Number* da, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float i = read(a[j]), log_f = read(a[H + j]), g = read(a[2 * H + j]), o = read(a[3 * H + j]);
      const float n_before = read(c_before[H + j]), inverse = 1.0f / read(c[H + j]), value = read(c[j]) * inverse;
      const float f = share(n_before, read(c_before[2 * H + j]) + log_f, read(c[2 * H + j]));
      // 1 − σ, of ln σ: its series where σ is so near 1 that the difference has no digits left
      const float shut = log_f > -0.01f ? -log_f * (1.0f + 0.5f * log_f) : 1.0f - exponential(limited(log_f));
      const float dh = read(from_loss[j]) + read(from_next[j]), shown = dh * sigmoid_of<Number>(o) * inverse;
      const float by_c = dc[j] + shown, by_n = dc[H + j] - shown * value;
      write(da[j], (by_c * tanh_of<Number>(g) + by_n) * i);
      write(da[H + j], (by_c * read(c_before[j]) + by_n * n_before) * f * shut);
      write(da[2 * H + j], by_c * i * slope_of<Number>(g));
      write(da[3 * H + j], dh * value * sigmoid_of<Number>(o) * complement_of<Number>(o));
      dc[j] = by_c * f;
      dc[H + j] = by_n * f;
    }
  }
};

struct LeakyRnn {
  static constexpr int64_t gates = 1;
  static constexpr int64_t memory = 1;  // h itself, as for the GRU
  double alpha;

  // One row: product [H], and the state [H] in float → a [H], h [H], c_t [H].
  template <typename Number>
  void forward(const Number* product, Number* a, Number* h, float* cell, Number* c, int64_t H) const {
    const float kept = alpha, taken = 1.0 - alpha;
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float e = exponential(limited(-2.0f * read(product[j]))), half = sigma(e);
      cell[j] = kept * cell[j] + taken * (2.0f * half - 1.0f);
      write(c[j], cell[j]);
      write(h[j], cell[j]);
      write_tanh(a[j], e, half);
    }
  }

  // One row; dc [H] holds the part of dh that does not come through W: α · dh of the next step.
  template <typename Number>
  void backward(const Number* a, const Number* from_loss, const Number* from_next, const Number*, const Number*, float* dc,
                Number* da, int64_t H) const {
    const float kept = alpha, taken = 1.0 - alpha;
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float dh = dc[j] + read(from_loss[j]) + read(from_next[j]);
      write(da[j], taken * dh * slope_of<Number>(read(a[j])));
      dc[j] = kept * dh;
    }
  }
};

// ---- sequences -----------------------------------------------------------------------------------------------------

// The rows of a sequence, each the numbers of one review at one step: tensor[i, j] where that is contiguous. By review and
// step in x, dx, dh and all of scan.h, by step and review in the others. (A tensor itself takes some nanoseconds to say
// where it is, as long as a row of a small net.)
template <typename Number>
class Rows {
 public:
  explicit Rows(const Tensor& tensor) : start_(data<Number>(tensor)), by_i_(tensor.stride(0)), by_j_(tensor.stride(1)) {}

  Number* operator()(int64_t i, int64_t j) const { return start_ + i * by_i_ + j * by_j_; }

 private:
  Number* start_;
  int64_t by_i_, by_j_;
};

// Rows first..last of x [B, T, E] → z [T + 1, B, K], a [T, B, G] and c [T + 1, B, C], or one step of a and c where nothing
// is kept. C is H, 3 H for the sLSTM, or 0 for the RNN, which has no cell state.
template <typename Cell, typename Number>
void forward_rows(const Cell& cell, const Product& product, const Tensor& x, const Tensor& z, const Tensor& a,
                  const Tensor& c, int64_t first, int64_t last) {
  const int64_t T = x.size(1), E = x.size(2), K = z.size(2), G = a.size(2), H = G / Cell::gates, C = c.size(2);
  const bool keep = c.size(0) == T + 1;  // a has one step in either case where T is 1
  const Tensor mine = z.narrow(1, first, last - first), cells = at::zeros({last - first, C}, at::kFloat);
  const Rows<Number> x_rows(x), z_rows(z), a_rows(a), c_rows(c);
  for (int64_t row = first; row < last; ++row) {
    std::fill_n(z_rows(0, row), H, Number{});
    std::fill_n(c_rows(0, row), C, Number{});
  }
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t row = first; row < last; ++row) {
      Number* const rest = std::copy_n(x_rows(row, t), E, z_rows(t, row) + H);
      write(rest[0], 1.0f);
      write(rest[1], 1.0f);
      std::fill_n(rest + 2, K - H - E - 2, Number{});
    }
    const Tensor preactivation = product(mine[t]);
    for (int64_t row = first; row < last; ++row) {
      cell.forward(data<Number>(preactivation) + (row - first) * G, a_rows(keep ? t : 0, row),
                   z_rows(t + 1, row), data<float>(cells) + (row - first) * C, c_rows(keep ? t + 1 : 0, row), H);
    }
  }
}

using Tensors = std::vector<Tensor>;

// For each of some layers, which are the directions of a bidirectional net: x [B, T, E], weight [G, K] → z [T + 1, B, K], with
// h_t in z_{t+1} and no inputs in the last; a [T, B, G] and c [T + 1, B, C], which only a backward pass needs: without `keep`
// they hold one step.
template <typename Cell>
std::tuple<Tensors, Tensors, Tensors> forward(const Cell& cell, at::TensorList xs, at::TensorList weights, bool keep) {
  check_layers(xs, {weights});
  Tensors zs, as, cs;
  std::vector<Product> products;
  for (size_t layer = 0; layer < xs.size(); ++layer) {
    const Tensor &x = xs[layer], &weight = weights[layer];
    check(x, "x");
    TORCH_CHECK(weight.dim() == 2 && weight.scalar_type() == x.scalar_type(), "weight: expected [G, K] of x's type");
    const int64_t B = x.size(0), T = x.size(1), G = weight.size(0), K = weight.size(1), H = G / Cell::gates;
    TORCH_CHECK(G % Cell::gates == 0 && K >= H + x.size(2) + 2, "weight [G, K], x [B, T, E]: expected K ≥ H + E + 2");
    zs.push_back(at::empty({T + 1, B, K}, x.options()));
    as.push_back(at::empty({keep ? T : 1, B, G}, x.options()));
    cs.push_back(at::empty({keep ? T + 1 : 1, B, Cell::memory * H}, x.options()));
    products.emplace_back(weight, B, H + x.size(2) + 2, G);
  }
  const auto rows = xs[0].scalar_type() == at::kBFloat16 ? forward_rows<Cell, Bfloat16> : forward_rows<Cell, float>;
  divide_rows(xs.size(), xs[0].size(0), [&](int64_t layer, int64_t first, int64_t last) {
    rows(cell, products[layer], xs[layer], zs[layer], as[layer], cs[layer], first, last);
  });
  return {zs, as, cs};
}

// Where a gradient ends; see above.
struct GradientStop {
  const int64_t* starts;  // of each review: the first step that it reaches; or null, and it reaches all
  bool along_cell, through_state;

  int64_t start(int64_t row) const { return starts ? starts[row] : 0; }
};

template <typename Cell, typename Number>
void backward_rows(const Cell& cell, const Product& product, const Tensor& dh, const Tensor& a, const Tensor& c,
                   const GradientStop& stop, const Tensor& da, const Tensor& dx, int64_t first, int64_t last) {
  const int64_t T = a.size(0), G = a.size(2), H = dh.size(2), E = dx.size(2), C = c.size(2), K = product.size();
  const Tensor mine = da.narrow(1, first, last - first), dc = at::zeros({last - first, C}, at::kFloat);
  const Tensor nothing = at::zeros({last - first, K}, a.options());
  const Rows<Number> dh_rows(dh), a_rows(a), c_rows(c), da_rows(da), dx_rows(dx);
  Tensor dz = nothing;  // from behind the last step
  int64_t start = T;
  for (int64_t row = first; row < last; ++row) start = std::min(start, stop.start(row));
  for (int64_t t = T - 1; t >= start; --t) {
    for (int64_t row = first; row < last; ++row) {
      if (t < stop.start(row)) {
        std::fill_n(da_rows(t, row), G, Number{});
        continue;
      }
      if (t > 0) {
        prefetch(a_rows(t - 1, row), G);
        prefetch(c_rows(t - 1, row), C);
        prefetch(dh_rows(row, t - 1), H);
      }
      float* const along_cell = data<float>(dc) + (row - first) * C;
      cell.backward(a_rows(t, row), dh_rows(row, t),
                    data<Number>(stop.through_state ? nothing : dz) + (row - first) * K, c_rows(t, row),
                    c_rows(t + 1, row), along_cell, da_rows(t, row), H);
      if (stop.along_cell) std::fill_n(along_cell, C, 0.0f);
    }
    dz = product(mine[t]);
    for (int64_t row = first; row < last; ++row) {
      std::copy_n(data<Number>(dz) + (row - first) * K + H, E, dx_rows(row, t));
    }
  }
  for (int64_t t = 0; t < start; ++t) {
    for (int64_t row = first; row < last; ++row) {
      std::fill_n(da_rows(t, row), G, Number{});
      std::fill_n(dx_rows(row, t), E, Number{});
    }
  }
}

// For each layer: dh [B, T, H], the loss's gradient by the states; a and c of the forward pass. → da [T, B, G], which takes
// the place of a unless the graph is kept for another pass, and dx [B, T, E]. starts: int64 [B], or nothing.
template <typename Cell>
std::tuple<Tensors, Tensors> backward(const Cell& cell, at::TensorList dhs, at::TensorList as, at::TensorList cs,
                                      at::TensorList weights, int64_t input_size, const std::optional<Tensor>& starts,
                                      bool stop_cell, bool stop_state) {
  check_layers(dhs, {as, cs, weights});
  Tensors das, dxs;
  std::vector<Product> products;
  for (size_t layer = 0; layer < dhs.size(); ++layer) {
    const Tensor &dh = dhs[layer], &a = as[layer], &c = cs[layer], &weight = weights[layer];
    check(dh, "dh");
    TORCH_CHECK(a.is_contiguous() && c.is_contiguous(), "a, c: expected contiguous tensors");
    TORCH_CHECK(dh.scalar_type() == a.scalar_type() && c.scalar_type() == a.scalar_type() &&
                    weight.scalar_type() == a.scalar_type(),
                "dh, a, c and weight: expected one type");
    const int64_t B = dh.size(0), T = dh.size(1), H = dh.size(2), G = Cell::gates * H;
    TORCH_CHECK(a.sizes() == at::IntArrayRef({T, B, G}) && c.size(0) == T + 1 && weight.size(0) == G &&
                    weight.size(1) >= H + input_size,
                "dh [B, T, H], a [T, B, G], c [T + 1, B, C], weight [G, K]: sizes that fit each other expected");
    das.push_back(torch::autograd::get_current_graph_task_keep_graph() ? at::empty_like(a) : a);
    dxs.push_back(at::empty({B, T, input_size}, a.options()));
    products.emplace_back(weight.t(), B, G, H + input_size);
  }
  const int64_t B = dhs[0].size(0);
  TORCH_CHECK(!starts || (starts->scalar_type() == at::kLong && starts->is_contiguous() && starts->numel() == B),
              "starts: expected int64 [B] in one piece");
  const GradientStop stop{starts ? data<int64_t>(*starts) : nullptr, stop_cell, stop_state};
  const auto rows = as[0].scalar_type() == at::kBFloat16 ? backward_rows<Cell, Bfloat16> : backward_rows<Cell, float>;
  divide_rows(dhs.size(), B, [&](int64_t layer, int64_t first, int64_t last) {
    rows(cell, products[layer], dhs[layer], as[layer], cs[layer], stop, das[layer], dxs[layer], first, last);
  });
  return {das, dxs};
}

// The operators <name>_forward and <name>_backward.
//
// constants: their declaration, behind a comma, where the cell has some.
template <typename Cell, typename... Constants>
void define(torch::Library& library, const std::string& name, const std::string& constants = "") {
  const std::string forward_schema = "_forward(Tensor[] x, Tensor[] weight, bool keep";
  const std::string backward_schema =
      "_backward(Tensor[] dh, Tensor(a!)[] a, Tensor[] c, Tensor[] weight, int input_size, Tensor? starts, "
      "bool stop_cell, bool stop_state";
  library.def((name + forward_schema + constants + ") -> (Tensor[], Tensor[], Tensor[])").c_str(),
              [](at::TensorList x, at::TensorList weight, bool keep, Constants... given) {
                return forward(Cell{given...}, x, weight, keep);
              });
  library.def((name + backward_schema + constants + ") -> (Tensor(a!)[], Tensor[])").c_str(),
              [](at::TensorList dh, at::TensorList a, at::TensorList c, at::TensorList weight, int64_t input_size,
                 const std::optional<Tensor>& starts, bool stop_cell, bool stop_state, Constants... given) {
                return backward(Cell{given...}, dh, a, c, weight, input_size, starts, stop_cell, stop_state);
              });
}

#include "scan.h"

}  // namespace

TORCH_LIBRARY(sentiment_rnn, library) {
  library.def("linear(Tensor x, Tensor weight, Tensor? bias) -> Tensor", linear);
  library.def("outer_product(Tensor da, Tensor z, Tensor(a!) out) -> ()", outer_product);
  library.def("diagonal_forward(Tensor eigenvalues, Tensor b) -> Tensor", diagonal_forward);
  library.def("diagonal_backward(Tensor dh, Tensor eigenvalues, Tensor h) -> (Tensor, Tensor)", diagonal_backward);
  define_linear<MinGru>(library, "min_gru");
  define_linear<MinLstm>(library, "min_lstm");
  define<Rnn<Tanh>>(library, "rnn");
  define<Rnn<Relu>>(library, "relu_rnn");
  define<LeakyRnn, double>(library, "leaky_rnn", ", float alpha");
  define<Gru>(library, "gru");
  define<Slstm>(library, "slstm");
  define<Lstm<Form::whole>>(library, "lstm");
  define<Lstm<Form::no_input_gate>>(library, "lstm_no_input");
  define<Lstm<Form::no_forget_gate>>(library, "lstm_no_forget");
  define<Lstm<Form::no_output_gate>>(library, "lstm_no_output");
  define<Lstm<Form::coupled>>(library, "lstm_coupled");
}
