// The vanilla RNN and the LSTM over a whole sequence, forward and backward, on the CPU. See recurrence.py.
//
// At each step both read one row z_t = [h_{t-1}, x_t, 1, 1] of K = H + E + 2 numbers and multiply it by one matrix
// W [G, K], the recurrent weights, the input weights and the two biases side by side (G = H for the RNN, 4 H for the
// LSTM, whose gates stand in PyTorch's order i, f, g, o):
//
//     RNN   h_t = tanh(W z_t)
//     LSTM  i, f, o = σ(W z_t)   g = tanh(W z_t)   c_t = f · c_{t-1} + i · g   h_t = o · tanh(c_t)
//
// With a_t for what the non-linearities of W z_t give and da_t for the gradient of W z_t, the backward pass takes one
// product a step, dz_t = Wᵀ da_t, which holds dh_{t-1} and dx_t; all weights' gradients are one product at the end,
// dW = Σ da_t z_tᵀ (in recurrence.py). Reviews do not depend on each other: each thread takes some rows of the batch
// through all T steps, and waits for no other before the end.
//
// Numbers are float or bfloat16 in memory and float in arithmetic; the cell state c is float throughout.

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <tuple>

namespace {

using at::Tensor;

// ---- numbers -------------------------------------------------------------------------------------------------------

// c10::BFloat16 converts with a branch for NaN, which keeps the compiler from vectorizing: three times the time.
struct Bfloat16 {
  uint16_t bits;
};

inline float read(float x) { return x; }
inline float read(Bfloat16 x) {
  const uint32_t bits = uint32_t(x.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline void write(float& place, float x) { place = x; }
inline void write(Bfloat16& place, float x) {  // to the nearest, ties to even
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  place.bits = uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

template <typename Number>
Number* data(const Tensor& tensor) {
  return static_cast<Number*>(tensor.data_ptr());
}

// e^x to a few units in the last place: 2^n · e^r with |r| ≤ ln 2 / 2 and a polynomial for e^r (Moshier's Cephes). Written
// out, it vectorizes with the loop around it, with any libm.
inline float exponential(float x) {
  x = std::min(std::max(x, -87.0f), 88.0f);
  const float n = std::nearbyint(x * 1.44269504f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t power = (int32_t(n) + 127) << 23;
  float scale;
  std::memcpy(&scale, &power, sizeof scale);
  return p * scale;
}

inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }
// To 1e-7 absolutely, not relatively: near zero it has fewer digits than x.
inline float tanh(float x) { return 2.0f / (1.0f + exponential(-2.0f * x)) - 1.0f; }

// ---- products ------------------------------------------------------------------------------------------------------

// x [rows, K] → x Wᵀ [rows, N] for one W [N, K] and many x. In bfloat16, W is laid out for the matrix unit once; a plain
// product does so at every step, in half of its time. In float the plain product is the faster one.
class Product {
 public:
  Product(const Tensor& weight, int64_t rows) : packed_(weight.scalar_type() == at::kBFloat16) {
    if (packed_) {
      static const auto pack = find<Tensor(const Tensor&, std::optional<int64_t>)>("mkldnn::_reorder_linear_weight");
      weight_ = pack.call(weight.contiguous(), rows);
    } else {
      weight_ = weight.t().contiguous();
    }
  }

  Tensor operator()(const Tensor& x) const {
    using Scalars = c10::List<std::optional<at::Scalar>>;
    using Linear = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, c10::string_view, Scalars,
                          std::optional<c10::string_view>);
    if (!packed_) return at::mm(x, weight_);
    static const auto linear = find<Linear>("mkldnn::_linear_pointwise");
    return linear.call(x, weight_, std::nullopt, "none", Scalars(), "");
  }

 private:
  template <typename Signature>
  static c10::TypedOperatorHandle<Signature> find(const char* name) {
    return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
  }

  bool packed_;
  Tensor weight_;
};

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

struct Rnn {
  static constexpr int64_t gates = 1;
  static constexpr bool has_cell_state = false;

  // One row: product [G] → a [G], h [H].
  template <typename Number>
  static void forward(const Number* product, Number* a, Number* h, const float*, float*, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float state = tanh(read(product[j]));
      write(a[j], state);
      write(h[j], state);
    }
  }

  // One row: da = dh · (1 − h²), dh being what comes from the loss and what comes from the next step.
  template <typename Number>
  static void backward(const Number* a, const Number* from_loss, const Number* from_next, const float*, const float*,
                       float*, Number* da, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float h = read(a[j]);
      write(da[j], (read(from_loss[j]) + read(from_next[j])) * (1.0f - h * h));
    }
  }
};

struct Lstm {
  static constexpr int64_t gates = 4;
  static constexpr bool has_cell_state = true;

  // One row: product [G] and c_{t-1} [H] → a [G], h [H], c_t [H].
  template <typename Number>
  static void forward(const Number* product, Number* a, Number* h, const float* c_before, float* c, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float i = sigmoid(read(product[j]));
      const float f = sigmoid(read(product[H + j]));
      const float g = tanh(read(product[2 * H + j]));
      const float o = sigmoid(read(product[3 * H + j]));
      const float cell = f * c_before[j] + i * g;
      c[j] = cell;
      write(h[j], o * tanh(cell));
      write(a[j], i);
      write(a[H + j], f);
      write(a[2 * H + j], g);
      write(a[3 * H + j], o);
    }
  }

  // One row; dc [H] holds the gradient of the cell state, from the next step and then for the step before.
  template <typename Number>
  static void backward(const Number* a, const Number* from_loss, const Number* from_next, const float* c_before,
                       const float* c, float* dc, Number* da, int64_t H) {
#pragma omp simd
    for (int64_t j = 0; j < H; ++j) {
      const float i = read(a[j]), f = read(a[H + j]), g = read(a[2 * H + j]), o = read(a[3 * H + j]);
      const float dh = read(from_loss[j]) + read(from_next[j]);
      const float squashed = tanh(c[j]);
      const float dcell = dc[j] + dh * o * (1.0f - squashed * squashed);
      write(da[j], dcell * g * i * (1.0f - i));
      write(da[H + j], dcell * c_before[j] * f * (1.0f - f));
      write(da[2 * H + j], dcell * i * (1.0f - g * g));
      write(da[3 * H + j], dh * squashed * o * (1.0f - o));
      dc[j] = dcell * f;
    }
  }
};

// ---- sequences -----------------------------------------------------------------------------------------------------

// Rows first..last of z [T + 1, B, K]; a [T, B, G] and c [T + 1, B, C], or one step of each where nothing is kept. C is H,
// or 0 for the RNN, which has no cell state.
template <typename Cell, typename Number>
void forward_rows(const Product& product, const Tensor& z, const Tensor& a, const Tensor& c, int64_t first,
                  int64_t last) {
  const int64_t T = z.size(0) - 1, B = z.size(1), K = z.size(2), G = a.size(2), H = G / Cell::gates, C = c.size(2);
  const bool keep = c.size(0) > 1;
  for (int64_t t = 0; t < T; ++t) {
    const Tensor preactivation = product(z[t].narrow(0, first, last - first));
    const int64_t now = keep ? t : 0, next = keep ? t + 1 : 0;
    for (int64_t row = first; row < last; ++row) {
      Cell::forward(data<Number>(preactivation) + (row - first) * G, data<Number>(a) + (now * B + row) * G,
                    data<Number>(z) + ((t + 1) * B + row) * K, data<float>(c) + (now * B + row) * C,
                    data<float>(c) + (next * B + row) * C, H);
    }
  }
}

// z [T + 1, B, K], x and ones filled in and h_0 = 0; weight [G, K]. Writes h_t into z_{t+1}. → a [T, B, G],
// c [T + 1, B, C], which only a backward pass needs: without `keep` they hold one step.
template <typename Cell>
std::tuple<Tensor, Tensor> forward(const Tensor& z, const Tensor& weight, bool keep) {
  TORCH_CHECK(z.dim() == 3 && z.is_contiguous(), "z: expected a contiguous [T + 1, B, K]");
  TORCH_CHECK(weight.sizes() == at::IntArrayRef({weight.size(0), z.size(2)}), "weight: expected [G, K]");
  TORCH_CHECK(weight.scalar_type() == z.scalar_type(), "z and weight: expected one type");
  TORCH_CHECK(z.scalar_type() == at::kFloat || z.scalar_type() == at::kBFloat16, "z: expected float32 or bfloat16");
  const int64_t T = z.size(0) - 1, B = z.size(1), G = weight.size(0), H = G / Cell::gates;
  const Tensor a = at::empty({keep ? T : 1, B, G}, z.options());
  const Tensor c = at::empty({keep ? T + 1 : 1, B, Cell::has_cell_state ? H : 0}, z.options().dtype(at::kFloat));
  c[0].zero_();
  const Product product(weight, B);
  const auto rows = z.scalar_type() == at::kBFloat16 ? forward_rows<Cell, Bfloat16> : forward_rows<Cell, float>;
  divide_rows(B, [&](int64_t first, int64_t last) { rows(product, z, a, c, first, last); });
  return {a, c};
}

template <typename Cell, typename Number>
void backward_rows(const Product& product, const Tensor& dh, const Tensor& a, const Tensor& c, const Tensor& da,
                   const Tensor& dx, const Tensor& dc, int64_t first, int64_t last) {
  const int64_t T = a.size(0), B = a.size(1), G = a.size(2), H = dh.size(2), E = dx.size(2), K = H + E + 2;
  const int64_t C = c.size(2);
  Tensor dz = at::zeros({last - first, K}, a.options());  // nothing comes from behind the last step
  for (int64_t t = T - 1; t >= 0; --t) {
    for (int64_t row = first; row < last; ++row) {
      const int64_t now = t * B + row, next = now + B;
      Cell::backward(data<Number>(a) + now * G, data<Number>(dh) + now * H, data<Number>(dz) + (row - first) * K,
                     data<float>(c) + now * C, data<float>(c) + next * C, data<float>(dc) + row * C,
                     data<Number>(da) + now * G, H);
    }
    dz = product(da[t].narrow(0, first, last - first));
    for (int64_t row = first; row < last; ++row) {
      std::memcpy(data<Number>(dx) + (t * B + row) * E, data<Number>(dz) + (row - first) * K + H, E * sizeof(Number));
    }
  }
}

// dh [T, B, H], the loss's gradient by the states; a and c of the forward pass. → da [T, B, G], dx [T, B, E].
template <typename Cell>
std::tuple<Tensor, Tensor> backward(const Tensor& dh, const Tensor& a, const Tensor& c, const Tensor& weight) {
  TORCH_CHECK(dh.dim() == 3 && dh.is_contiguous() && a.is_contiguous() && c.is_contiguous(),
              "dh, a, c: expected contiguous tensors");
  TORCH_CHECK(dh.scalar_type() == a.scalar_type() && weight.scalar_type() == a.scalar_type(),
              "dh, a and weight: expected one type");
  TORCH_CHECK(a.sizes() == at::IntArrayRef({dh.size(0), dh.size(1), Cell::gates * dh.size(2)}) &&
                  weight.size(0) == a.size(2) && c.size(0) == a.size(0) + 1,
              "dh [T, B, H], a [T, B, G], c [T + 1, B, C], weight [G, K]: sizes that fit each other expected");
  const int64_t T = a.size(0), B = a.size(1), H = dh.size(2), E = weight.size(1) - H - 2;
  const Tensor da = at::empty_like(a), dx = at::empty({T, B, E}, a.options());
  const Tensor dc = at::zeros({B, c.size(2)}, c.options());
  const Product product(weight.t(), B);
  const auto rows = a.scalar_type() == at::kBFloat16 ? backward_rows<Cell, Bfloat16> : backward_rows<Cell, float>;
  divide_rows(B, [&](int64_t first, int64_t last) { rows(product, dh, a, c, da, dx, dc, first, last); });
  return {da, dx};
}

}  // namespace

TORCH_LIBRARY(sentiment_rnn, library) {
  library.def("rnn_forward(Tensor(z!) z, Tensor weight, bool keep) -> (Tensor, Tensor)", &forward<Rnn>);
  library.def("lstm_forward(Tensor(z!) z, Tensor weight, bool keep) -> (Tensor, Tensor)", &forward<Lstm>);
  library.def("rnn_backward(Tensor dh, Tensor a, Tensor c, Tensor weight) -> (Tensor, Tensor)", &backward<Rnn>);
  library.def("lstm_backward(Tensor dh, Tensor a, Tensor c, Tensor weight) -> (Tensor, Tensor)", &backward<Lstm>);
}
