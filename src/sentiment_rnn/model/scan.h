// Linear recurrences over a whole sequence, forward and backward, on the CPU: a part of recurrence.cpp, after its functions.
// See scan.py.

// Cells whose gates see the token alone have no product inside the loop over time: one product gives the preactivations p of
// all steps, and then a step takes as long as its memory. The state goes from step to step in float.

constexpr int64_t stretch = 128;  // units that go through all steps together, so that their state stays in the nearest cache

// Calls task(review, first, last) for stretches of the units of each review, in parallel.
void divide_units(int64_t reviews, int64_t units, const std::function<void(int64_t, int64_t, int64_t)>& task) {
  const int64_t pieces = (units + stretch - 1) / stretch;
  at::parallel_for(0, reviews * pieces, 1, [&](int64_t begin, int64_t end) {
    at::AutoDispatchBelowADInplaceOrView no_autograd;
    for (int64_t part = begin; part < end; ++part) {
      const int64_t first = part % pieces * stretch;
      task(part / pieces, first, std::min(first + stretch, units));
    }
  });
}

constexpr int64_t lead = 4;  // steps that a loop backward in time asks for ahead: a processor foresees a loop forward alone

// g(x) = x + 1/2 where x is positive, else σ(x): a candidate above 0 (Feng et al. 2024, appendix B). s is σ(x).
[[gnu::always_inline]] inline float positive(float x, float s) { return x < 0.0f ? s : x + 0.5f; }
[[gnu::always_inline]] inline float positive_slope(float x, float s) { return x < 0.0f ? s * (1.0f - s) : 1.0f; }

// z = σ(p₀)   h_t = (1 − z) · h_{t-1} + z · g(p₁)
struct MinGru {
  static constexpr int64_t gates = 2;

  template <typename Number>
  [[gnu::always_inline]] static float forward(const Number* p, int64_t H, float before) {
    const float z = sigma(exponential(limited(-read(p[0])))), x = read(p[H]);
    const float s = sigma(exponential(limited(-x)));
    return before + z * (positive(x, s) - before);
  }

  // From g = ∂L/∂h_t to ∂L/∂p; returns what goes on to h_{t-1}.
  template <typename Number>
  [[gnu::always_inline]] static float backward(const Number* p, int64_t H, float before, float g, Number* dp) {
    const float e = exponential(limited(-read(p[0]))), z = sigma(e), x = read(p[H]);
    const float s = sigma(exponential(limited(-x)));
    write(dp[0], g * (positive(x, s) - before) * z * (e * z));
    write(dp[H], g * z * positive_slope(x, s));
    return g * (e * z);
  }
};

// f = σ(p₀)   i = σ(p₁)   h_t = k · h_{t-1} + (1 − k) · g(p₂), k = f / (f + i) = σ(ln f − ln i)
struct MinLstm {
  static constexpr int64_t gates = 3;

  template <typename Number>
  [[gnu::always_inline]] static float forward(const Number* p, int64_t H, float before) {
    const float e = exponential(limited(log_sigmoid(read(p[H])) - log_sigmoid(read(p[0]))));  // i / f
    const float x = read(p[2 * H]), s = sigma(exponential(limited(-x)));
    return before + e * sigma(e) * (positive(x, s) - before);
  }

  template <typename Number>
  [[gnu::always_inline]] static float backward(const Number* p, int64_t H, float before, float g, Number* dp) {
    const float log_f = log_sigmoid(read(p[0])), log_i = log_sigmoid(read(p[H]));
    const float e = exponential(limited(log_i - log_f)), kept = sigma(e), taken = e * kept;
    const float x = read(p[2 * H]), s = sigma(exponential(limited(-x)));
    const float by_odds = g * (before - positive(x, s)) * kept * taken;
    write(dp[0], by_odds * sigma(exponential(limited(read(p[0])))));
    write(dp[H], -by_odds * sigma(exponential(limited(read(p[H])))));
    write(dp[2 * H], g * taken * positive_slope(x, s));
    return g * kept;
  }
};

// p [B, T, G] → h [B, T, H].
template <typename Cell, typename Number>
void read_units(const Tensor& p, const Tensor& h) {
  const int64_t T = h.size(1), H = h.size(2);
  const Rows<Number> p_rows(p), h_rows(h);
  divide_units(h.size(0), H, [&](int64_t review, int64_t first, int64_t last) {
    std::array<float, stretch> state{};
    for (int64_t t = 0; t < T; ++t) {
      const Number* const row = p_rows(review, t) + first;
      Number* const out = h_rows(review, t) + first;
#pragma omp simd
      for (int64_t j = 0; j < last - first; ++j) {
        state[j] = Cell::forward(row + j, H, state[j]);
        write(out[j], state[j]);
      }
    }
  });
}

// ∂L/∂h [B, T, H] and what the forward pass read and gave → ∂L/∂p [B, T, G].
template <typename Cell, typename Number>
void read_units_back(const Tensor& dh, const Tensor& p, const Tensor& h, const Tensor& dp) {
  const int64_t T = h.size(1), H = h.size(2);
  const Rows<Number> dh_rows(dh), p_rows(p), h_rows(h), dp_rows(dp);
  divide_units(h.size(0), H, [&](int64_t review, int64_t first, int64_t last) {
    std::array<float, stretch> later{};
    const std::array<Number, stretch> nothing{};
    for (int64_t t = T - 1; t >= 0; --t) {
      const int64_t soon = std::max<int64_t>(t - lead, 0);
      for (int64_t gate = 0; gate < Cell::gates; ++gate) {
        for (const auto& rows : {p_rows, dp_rows}) prefetch(rows(review, soon) + gate * H + first, last - first);
      }
      for (const auto& rows : {h_rows, dh_rows}) prefetch(rows(review, soon) + first, last - first);
      const Number *const row = p_rows(review, t) + first, *const from_loss = dh_rows(review, t) + first;
      const Number* const before = t > 0 ? h_rows(review, t - 1) + first : nothing.data();
      Number* const by_p = dp_rows(review, t) + first;
#pragma omp simd
      for (int64_t j = 0; j < last - first; ++j) {
        later[j] = Cell::backward(row + j, H, read(before[j]), later[j] + read(from_loss[j]), by_p + j);
      }
    }
  });
}

// The operators <name>_forward and <name>_backward.
template <typename Cell>
void define_linear(torch::Library& library, const std::string& name) {
  library.def((name + "_forward(Tensor p) -> Tensor").c_str(), [](const Tensor& p) {
    check(p, "p");
    TORCH_CHECK(p.size(2) % Cell::gates == 0, "p [B, T, G]: expected ", Cell::gates, " blocks of units");
    const Tensor h = at::empty({p.size(0), p.size(1), p.size(2) / Cell::gates}, p.options());
    (p.scalar_type() == at::kBFloat16 ? read_units<Cell, Bfloat16> : read_units<Cell, float>)(p, h);
    return h;
  });
  library.def((name + "_backward(Tensor dh, Tensor p, Tensor h) -> Tensor").c_str(),
              [](const Tensor& dh, const Tensor& p, const Tensor& h) {
                check(dh, "dh");
                TORCH_CHECK(dh.sizes() == h.sizes() && dh.scalar_type() == p.scalar_type(), "dh: expected as h");
                const Tensor dp = at::empty(p.sizes(), p.options());
                (p.scalar_type() == at::kBFloat16 ? read_units_back<Cell, Bfloat16>
                                                  : read_units_back<Cell, float>)(dh, p, h, dp);
                return dp;
              });
}

// h_t = λ · h_{t-1} + b_t for one complex λ a unit: λ [S], b [B, T, 2 S] → h [B, T, 2 S]. Real parts come first, then
// imaginary ones: a loop over interleaved numbers would not be vectorized.
using Complex = c10::complex<float>;

void check_diagonal(const Tensor& lambda, const Tensor& b) {
  check(b, "b");
  TORCH_CHECK(b.scalar_type() == at::kFloat && lambda.scalar_type() == at::kComplexFloat, "expected float32, complex64");
  TORCH_CHECK(lambda.is_contiguous() && 2 * lambda.numel() == b.size(2), "lambda [S], b [B, T, 2 S]: expected that they fit");
}

// Real and imaginary parts of the numbers of some units.
struct Planar {
  std::array<float, stretch> real{}, imaginary{};

  Planar() = default;
  Planar(const Complex* numbers, int64_t count) {
    for (int64_t j = 0; j < count; ++j) real[j] = numbers[j].real(), imaginary[j] = numbers[j].imag();
  }
};

Tensor diagonal_forward(const Tensor& lambda, const Tensor& b) {
  check_diagonal(lambda, b);
  const Tensor h = at::empty(b.sizes(), b.options());
  const int64_t T = b.size(1), S = lambda.numel();
  const Rows<float> b_rows(b), h_rows(h);
  divide_units(b.size(0), S, [&](int64_t review, int64_t first, int64_t last) {
    const Planar kept(lambda.const_data_ptr<Complex>() + first, last - first);
    Planar state;
    for (int64_t t = 0; t < T; ++t) {
      const float* const row = b_rows(review, t) + first;
      float* const out = h_rows(review, t) + first;
#pragma omp simd
      for (int64_t j = 0; j < last - first; ++j) {
        const float real = kept.real[j] * state.real[j] - kept.imaginary[j] * state.imaginary[j] + row[j];
        const float imaginary = kept.real[j] * state.imaginary[j] + kept.imaginary[j] * state.real[j] + row[S + j];
        out[j] = state.real[j] = real;
        out[S + j] = state.imaginary[j] = imaginary;
      }
    }
  });
  return h;
}

// With g_t = ∂L/∂h_t + conj(λ) · g_{t+1}: ∂L/∂b_t = g_t, and ∂L/∂λ = Σ g_t · conj(h_{t-1}), here of each review: [B, 2 S].
std::tuple<Tensor, Tensor> diagonal_backward(const Tensor& dh, const Tensor& lambda, const Tensor& h) {
  check_diagonal(lambda, dh);
  TORCH_CHECK(h.sizes() == dh.sizes() && h.scalar_type() == dh.scalar_type(), "h: expected as dh");
  const Tensor db = at::empty(dh.sizes(), dh.options()), dlambda = at::empty({dh.size(0), dh.size(2)}, dh.options());
  const int64_t T = dh.size(1), S = lambda.numel();
  const Rows<float> dh_rows(dh), h_rows(h), db_rows(db);
  divide_units(dh.size(0), S, [&](int64_t review, int64_t first, int64_t last) {
    const Planar kept(lambda.const_data_ptr<Complex>() + first, last - first);
    const std::array<float, stretch> nothing{};
    Planar later, sum;
    for (int64_t t = T - 1; t >= 0; --t) {
      const int64_t soon = std::max<int64_t>(t - lead, 0);
      for (const auto& rows : {dh_rows, h_rows, db_rows}) {
        for (const int64_t part : {int64_t{0}, S}) prefetch(rows(review, soon) + part + first, last - first);
      }
      const float* const row = dh_rows(review, t) + first;
      const float* const before = t > 0 ? h_rows(review, t - 1) + first : nothing.data();
      const int64_t to_imaginary = t > 0 ? S : 0;
      float* const out = db_rows(review, t) + first;
#pragma omp simd
      for (int64_t j = 0; j < last - first; ++j) {
        const float real = kept.real[j] * later.real[j] + kept.imaginary[j] * later.imaginary[j] + row[j];
        const float imaginary = kept.real[j] * later.imaginary[j] - kept.imaginary[j] * later.real[j] + row[S + j];
        sum.real[j] += real * before[j] + imaginary * before[to_imaginary + j];
        sum.imaginary[j] += imaginary * before[j] - real * before[to_imaginary + j];
        out[j] = later.real[j] = real;
        out[S + j] = later.imaginary[j] = imaginary;
      }
    }
    float* const of_review = data<float>(dlambda) + review * 2 * S + first;
    std::copy_n(sum.real.data(), last - first, of_review);
    std::copy_n(sum.imaginary.data(), last - first, of_review + S);
  });
  return {db, dlambda};
}
