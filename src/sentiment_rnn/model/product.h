// Numbers in memory, and the product that a recurrence takes at each step: some rows by one matrix. See recurrence.cpp.

#pragma once

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>

#ifdef __AVX512F__
#include <immintrin.h>
#endif
#ifdef __AMX_BF16__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

namespace {

using at::Tensor;

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
inline void write(Bfloat16& place, float x) {  // to the nearest, ties away from zero
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  place.bits = uint16_t((bits + 0x8000) >> 16);
}

template <typename Number>
Number* data(const Tensor& tensor) {
  return static_cast<Number*>(tensor.data_ptr());
}

// Columns of W from `begin` up to `end`.
struct Span {
  int64_t begin, end;
};

using Spans = std::vector<std::vector<Span>>;

// Of each 32 rows of W [N, K]: the columns where not all of them are 0, in whole 32, up to `columns`. A GRU's W has zeros
// where a part of its candidate does not look: a quarter of it, which no product has to read.
Spans spans_of(const Tensor& weight, int64_t columns) {
  const int64_t blocks = (weight.size(0) + 31) / 32;
  Spans spans(blocks);
  for (int64_t block = 0; block < blocks; ++block) {
    const Tensor rows = weight.narrow(0, block * 32, std::min<int64_t>(32, weight.size(0) - block * 32));
    const Tensor seen = rows.ne(0).any(0).cpu();
    for (int64_t begin = 0; begin < columns; begin += 32) {
      const int64_t end = std::min(begin + 32, columns);
      if (!std::any_of(data<bool>(seen) + begin, data<bool>(seen) + end, [](bool one) { return one; })) continue;
      if (spans[block].empty() || spans[block].back().end != begin) {
        spans[block].push_back({begin, end});
      } else {
        spans[block].back().end = end;
      }
    }
  }
  return spans;
}

#ifdef __AVX512F__

// W [N, K] → its panels of 32 rows, column by column: [⌈N / 32⌉, K, 32], with rows of 0 behind the last.
Tensor panels_of(const Tensor& weight) {
  const int64_t missing = -weight.size(0) & 31;
  const Tensor whole = missing ? at::constant_pad_nd(weight, {0, 0, 0, missing}) : weight;
  return whole.reshape({-1, 32, weight.size(1)}).transpose(1, 2).contiguous();
}

// start + Σ over k of x(row, k) · y[k, 0 … 31] for some rows of x → out [rows, 32]. 2 · rows sums stay in registers, and
// are taken in the order of k: no digit depends on other rows, or on padding.
//
// x_row, x_next: from a number of x to that of the next row, and of the next k. y_next: from a row of y to the next.
// start_row: from what a row starts with to what the next one does; 0 for one start of all.
// first, second: which of the 32 columns are there, 16 bits each.
struct FloatBlock {
  int64_t x_row, x_next, y_next, out_row, start_row;
  __mmask16 first, second;
};

template <int rows>
void float_rows(const float* x, const float* y, const float* start, float* out, const std::vector<Span>& spans,
                const FloatBlock& block) {
  const auto [x_row, x_next, y_next, out_row, start_row, first, second] = block;
  __m512 sums[rows][2];
#pragma GCC unroll 8
  for (int row = 0; row < rows; ++row) {
    sums[row][0] = start ? _mm512_maskz_loadu_ps(first, start + row * start_row) : _mm512_setzero_ps();
    sums[row][1] = start ? _mm512_maskz_loadu_ps(second, start + row * start_row + 16) : _mm512_setzero_ps();
  }
  for (const Span& span : spans) {
    const float *of_x = x + span.begin * x_next, *of_y = y + span.begin * y_next;
    for (int64_t k = span.begin; k < span.end; ++k, of_x += x_next, of_y += y_next) {
      const __m512 left = _mm512_maskz_loadu_ps(first, of_y), right = _mm512_maskz_loadu_ps(second, of_y + 16);
#pragma GCC unroll 8
      for (int row = 0; row < rows; ++row) {
        const __m512 number = _mm512_set1_ps(of_x[row * x_row]);
        sums[row][0] = _mm512_fmadd_ps(number, left, sums[row][0]);
        sums[row][1] = _mm512_fmadd_ps(number, right, sums[row][1]);
      }
    }
  }
#pragma GCC unroll 8
  for (int row = 0; row < rows; ++row) {
    _mm512_mask_storeu_ps(out + row * out_row, first, sums[row][0]);
    _mm512_mask_storeu_ps(out + row * out_row + 16, second, sums[row][1]);
  }
}

// The same for any number of rows; without a start they start at 0.
void float_block(int64_t rows, const float* x, const float* y, const float* start, float* out,
                 const std::vector<Span>& spans, const FloatBlock& block) {
  int64_t row = 0;
  const auto some = [&](auto kernel, int64_t count) {
    for (; row + count <= rows; row += count) {
      kernel(x + row * block.x_row, y, start ? start + row * block.start_row : nullptr, out + row * block.out_row, spans,
             block);
    }
  };
  some(float_rows<8>, 8);
  some(float_rows<4>, 4);
  some(float_rows<1>, 1);
}

// The masks of `columns` columns, of which the first 32 are looked at.
std::pair<__mmask16, __mmask16> masks_of(int64_t columns) {
  const uint32_t mask = columns >= 32 ? ~0u : (1u << columns) - 1;
  return {__mmask16(mask), __mmask16(mask >> 16)};
}

// x [rows, K] times panels of W, and a bias or null → out [rows, N], of which `wanted` columns are computed.
void float_product(const float* x, const float* panels, const float* bias, float* out, int64_t rows, int64_t K, int64_t N,
                   int64_t wanted, const Spans& spans) {
  for (int64_t n = 0; n < wanted; n += 32) {
    const auto [first, second] = masks_of(wanted - n);
    float_block(rows, x, panels + n * K, bias ? bias + n : nullptr, out + n, spans[n / 32], {K, 1, 32, N, 0, first, second});
  }
}

// daᵀ z [G, K] of da [M, G] and z [M, K] → out. The sum goes over blocks of rows that fit into a processor's cache.
void float_outer(const Tensor& da, const Tensor& z, const Tensor& out) {
  constexpr int64_t block = 256;
  const int64_t M = da.size(0), G = da.size(1), K = z.size(1);
  at::parallel_for(0, (G + 7) / 8, 1, [&](int64_t begin, int64_t end) {
    const int64_t first_row = begin * 8, rows = std::min(end * 8, G) - first_row;
    for (int64_t m = 0; m < M; m += block) {
      const std::vector<Span> span{{0, std::min(block, M - m)}};
      for (int64_t n = 0; n < K; n += 32) {
        const auto [first, second] = masks_of(K - n);
        float* const place = data<float>(out) + first_row * out.stride(0) + n;
        float_block(rows, data<float>(da) + m * da.stride(0) + first_row, data<float>(z) + m * z.stride(0) + n,
                    m > 0 ? place : nullptr, place, span,
                    {1, da.stride(0), z.stride(0), out.stride(0), out.stride(0), first, second});
      }
    }
  });
}

#endif

// daᵀ z [G, K] of da [M, G] and z [M, K], into `out`: the gradient of a weight of which z are the inputs, and da the
// gradients of the outputs. Rows may be those of a wider tensor.
void outer_product(const Tensor& da, const Tensor& z, const Tensor& out) {
  at::AutoDispatchBelowADInplaceOrView no_autograd;
#ifdef __AVX512F__
  if (da.scalar_type() == at::kFloat) {
    for (const Tensor& rows : {da, z, out})
      TORCH_CHECK(rows.size(1) == 1 || rows.stride(1) == 1, "outer product: expected rows in one piece");
    TORCH_CHECK(da.size(0) == z.size(0) && out.size(0) == da.size(1) && out.size(1) == z.size(1),
                "outer product: da [M, G], z [M, K] and out [G, K] expected");
    if (da.size(0) == 0) out.zero_();
    return float_outer(da, z, out);
  }
#endif
  out.copy_(at::mm(da.t(), z));
}

// x Wᵀ + b [M, N] of x [M, K], W [N, K] and b [N] or nothing, float32.
Tensor linear(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
#ifdef __AVX512F__
  at::AutoDispatchBelowADInplaceOrView no_autograd;
  TORCH_CHECK(x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat && x.is_contiguous() &&
                  x.size(1) == weight.size(1),
              "linear: expected x [M, K] in one piece and weight [N, K], float32");
  constexpr int64_t some = 64;  // rows, which stay in the nearest cache while all of W passes by
  const int64_t M = x.size(0), K = x.size(1), N = weight.size(0);
  const Tensor panels = panels_of(weight), out = at::empty({M, N}, x.options());
  const float* const start = bias ? data<float>(*bias) : nullptr;
  const Spans all((N + 31) / 32, {{0, K}});
  at::parallel_for(0, (M + some - 1) / some, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * some; row < std::min(end * some, M); row += some) {
      float_product(data<float>(x) + row * K, data<float>(panels), start, data<float>(out) + row * N,
                    std::min(some, M - row), K, N, N, all);
    }
  });
  return out;
#else
  return at::linear(x, weight, bias);
#endif
}

#ifdef __AVX512BF16__

// W [N, K] → its tiles of 16 rows of 32 numbers, in pairs: [N / 16, K / 32, 16 pairs, 16 rows, 2].
Tensor tiles_of(const Tensor& weight) {
  const int64_t N = weight.size(0), K = weight.size(1);
  return weight.contiguous().view(at::kInt).view({N / 16, 16, K / 32, 16}).permute({0, 2, 3, 1}).contiguous();
}

constexpr int64_t tile = 1024;  // bytes

// Of a product x [rows, K] times W [N, K]: what lies in memory, and what of it counts. The rest is padding, or 0 in W.
struct Sizes {
  int64_t K, N;
  int64_t wanted;                  // columns of the product; nobody reads those behind them
  const std::vector<Span>* spans;  // of x and W that count, for each 32 rows of W
};

#ifdef __AMX_BF16__

// The matrix unit (AMX) works on tiles of 16 rows of 64 bytes. A tile of x holds 16 rows of 32 numbers, one of W too;
// their product is added to a tile of 16 × 16 floats. Tiles 0 to 3 are two by two sums, 4 and 5 rows of x, 6 and 7 rows of
// W.
struct alignas(64) TileShapes {
  uint8_t palette = 1, start = 0, unused[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {};
  TileShapes(uint8_t upper, uint8_t lower) : rows{upper, upper, lower, lower, upper, lower, 16, 16} {}
};

// Linux gives the unit to a process that asks.
bool has_matrix_unit() {
  constexpr int request_permission = 0x1023, tile_data = 18;
  static const bool granted = syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  return granted;
}

// Up to 32 rows of x [rows, K] times the tiles of W → out [rows, N].
template <bool both>
void matrix_unit_product(const Bfloat16* x, const char* tiles, Bfloat16* out, int64_t rows, const Sizes& sizes) {
  const int64_t K = sizes.K, N = sizes.N;
  alignas(64) float sums[32][32];
  const TileShapes shapes(both ? 16 : rows, both ? rows - 16 : 1);
  _tile_loadconfig(&shapes);
  for (int64_t n = 0; n < sizes.wanted; n += 32) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (const Span& span : sizes.spans[n / 32]) {
      const char *left = tiles + n * K * 2 + span.begin / 32 * tile, *right = left + K / 32 * tile;
      for (int64_t k = span.begin; k < span.end; k += 32, left += tile, right += tile) {
        _tile_loadd(4, x + k, K * 2);
        _tile_loadd(6, left, 64);
        _tile_loadd(7, right, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if constexpr (both) {
          _tile_loadd(5, x + 16 * K + k, K * 2);
          _tile_dpbf16ps(2, 5, 6);
          _tile_dpbf16ps(3, 5, 7);
        }
      }
    }
    _tile_stored(0, &sums[0][0], sizeof sums[0]);
    _tile_stored(1, &sums[0][16], sizeof sums[0]);
    if constexpr (both) {
      _tile_stored(2, &sums[16][0], sizeof sums[0]);
      _tile_stored(3, &sums[16][16], sizeof sums[0]);
    }
    for (int64_t row = 0; row < rows; ++row) {
#pragma omp simd
      for (int64_t j = 0; j < 32; ++j) write(out[row * N + n + j], sums[row][j]);
    }
  }
  _tile_release();
}

#endif

// Some rows of x [rows, K] times 32 rows of W, whose tiles begin at `tiles` → out [rows, N]. Each pair of numbers of a row
// is multiplied by the same pair of 16 rows of W at once; 2 · rows sums stay in registers.
template <int rows>
void vector_rows(const Bfloat16* x, const char* tiles, Bfloat16* out, const std::vector<Span>& spans,
                 const Sizes& sizes) {
  const int64_t K = sizes.K, N = sizes.N;
  __m512 sums[rows][2];
#pragma GCC unroll 8
  for (int row = 0; row < rows; ++row) sums[row][0] = sums[row][1] = _mm512_setzero_ps();
  for (const Span& span : spans) {
    const char *left = tiles + span.begin / 32 * tile, *right = left + K / 32 * tile;
    for (int64_t k = span.begin; k < span.end; k += 2, left += 64, right += 64) {
      const auto first = (__m512bh)_mm512_load_si512(left), second = (__m512bh)_mm512_load_si512(right);
#pragma GCC unroll 8
      for (int row = 0; row < rows; ++row) {
        int pair;
        std::memcpy(&pair, x + row * K + k, sizeof pair);
        const auto pairs = (__m512bh)_mm512_set1_epi32(pair);
        sums[row][0] = _mm512_dpbf16_ps(sums[row][0], pairs, first);
        sums[row][1] = _mm512_dpbf16_ps(sums[row][1], pairs, second);
      }
    }
  }
#pragma GCC unroll 8
  for (int row = 0; row < rows; ++row) {
    alignas(64) float found[32];
    _mm512_store_ps(found, sums[row][0]);
    _mm512_store_ps(found + 16, sums[row][1]);
#pragma omp simd
    for (int64_t j = 0; j < 32; ++j) write(out[row * N + j], found[j]);
  }
}

// x [rows, K] times the tiles of W → out [rows, N].
void vector_product(const Bfloat16* x, const char* tiles, Bfloat16* out, int64_t rows, const Sizes& sizes) {
  const int64_t K = sizes.K, N = sizes.N;
  for (int64_t n = 0; n < sizes.wanted; n += 32) {
    const char* const block = tiles + n * K * 2;
    const std::vector<Span>& spans = sizes.spans[n / 32];
    int64_t row = 0;
    for (; row + 8 <= rows; row += 8) vector_rows<8>(x + row * K, block, out + row * N + n, spans, sizes);
    for (; row + 4 <= rows; row += 4) vector_rows<4>(x + row * K, block, out + row * N + n, spans, sizes);
    for (; row < rows; ++row) vector_rows<1>(x + row * K, block, out + row * N + n, spans, sizes);
  }
}

// x [rows, K] times the tiles of W → out [rows, N], by the matrix unit where there is one.
void tile_product(const Bfloat16* x, const char* tiles, Bfloat16* out, int64_t rows, const Sizes& sizes) {
#ifdef __AMX_BF16__
  if (has_matrix_unit()) {
    for (int64_t row = 0; row < rows; row += 32) {
      const int64_t some = std::min<int64_t>(rows - row, 32);
      const auto product = some > 16 ? matrix_unit_product<true> : matrix_unit_product<false>;
      product(x + row * sizes.K, tiles, out + row * sizes.N, some, sizes);
    }
    return;
  }
#endif
  vector_product(x, tiles, out, rows, sizes);
}

#endif

// x [rows, K] → x Wᵀ [rows, N] for one W [N, K] and many x. W is laid out for the processor once, which a plain product
// does again at every step. With AVX-512, and AVX-512 BF16 for bfloat16 in whole tiles, the product is done here, without
// the padding and without what is 0 in W: libraries take long to start a product of so few rows.
class Product {
 public:
  // columns: of W; behind them it is 0. wanted: columns of the product that are read.
  Product(const Tensor& weight, int64_t rows, int64_t columns, int64_t wanted)
      : half_(weight.scalar_type() == at::kBFloat16), size_(weight.size(0)), wanted_(wanted) {
#ifdef __AVX512BF16__
    own_ = half_ && size_ % 32 == 0 && weight.size(1) % 32 == 0;
#endif
#ifdef __AVX512F__
    own_ = own_ || !half_;
#endif
    if (own_) {
      spans_ = spans_of(weight, columns);
      weight_ = laid_out(weight);
    } else if (half_) {
      static const auto pack = find<Tensor(const Tensor&, std::optional<int64_t>)>("mkldnn::_reorder_linear_weight");
      weight_ = pack.call(weight.contiguous(), rows);
    } else {
      weight_ = weight.t().contiguous();
    }
  }

  int64_t size() const { return size_; }  // N

  Tensor operator()(const Tensor& x) const {
    using Scalars = c10::List<std::optional<at::Scalar>>;
    using Linear = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, c10::string_view, Scalars,
                          std::optional<c10::string_view>);
    if (own_) {
      RECORD_FUNCTION("sentiment_rnn::product", {});  // for profilers
      const Tensor out = at::empty({x.size(0), size_}, x.options());
      own_product(x, out);
      return out;
    }
    if (!half_) return at::mm(x, weight_);
    static const auto linear = find<Linear>("mkldnn::_linear_pointwise");
    return linear.call(x, weight_, std::nullopt, "none", Scalars(), "");
  }

 private:
  Tensor laid_out([[maybe_unused]] const Tensor& weight) const {
#ifdef __AVX512BF16__
    if (half_) return tiles_of(weight);
#endif
#ifdef __AVX512F__
    return panels_of(weight);
#endif
    return {};
  }

  void own_product([[maybe_unused]] const Tensor& x, [[maybe_unused]] const Tensor& out) const {
#ifdef __AVX512BF16__
    if (half_) {
      const auto tiles = static_cast<const char*>(weight_.data_ptr());
      return tile_product(data<Bfloat16>(x), tiles, data<Bfloat16>(out), x.size(0),
                          {x.size(1), size_, wanted_, spans_.data()});
    }
#endif
#ifdef __AVX512F__
    float_product(data<float>(x), data<float>(weight_), nullptr, data<float>(out), x.size(0), x.size(1), size_, wanted_,
                  spans_);
#endif
  }

  template <typename Signature>
  static c10::TypedOperatorHandle<Signature> find(const char* name) {
    return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
  }

  bool half_, own_ = false;
  int64_t size_, wanted_;
  Tensor weight_;
  Spans spans_;
};

}  // namespace
