// Numbers in memory, and the product that a recurrence takes at each step: some rows by one matrix. See recurrence.cpp.

#pragma once

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>

#ifdef __AVX512BF16__  // every processor with AMX has it
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

#ifdef __AVX512BF16__

// W [N, K] → its tiles of 16 rows of 32 numbers, in pairs: [N / 16, K / 32, 16 pairs, 16 rows, 2].
Tensor tiles_of(const Tensor& weight) {
  const int64_t N = weight.size(0), K = weight.size(1);
  return weight.contiguous().view(at::kInt).view({N / 16, 16, K / 32, 16}).permute({0, 2, 3, 1}).contiguous();
}

constexpr int64_t tile = 1024;  // bytes

// Columns of W from `begin` up to `end`.
struct Span {
  int64_t begin, end;
};

// Of each 32 rows of W, given as its tiles: the columns where not all of them are 0, in whole tiles, up to `columns`. A
// GRU's W has zeros where a part of its candidate does not look: a quarter of it, which no product has to read.
std::vector<std::vector<Span>> spans_of(const Tensor& tiles, int64_t columns) {
  const int64_t across = tiles.size(1), pairs = tile / sizeof(int32_t);
  const auto has_numbers = [&](int64_t row, int64_t place) {
    const int32_t* const first = data<int32_t>(tiles) + (row * across + place) * pairs;
    return std::any_of(first, first + pairs, [](int32_t pair) { return pair != 0; });
  };
  std::vector<std::vector<Span>> spans(tiles.size(0) / 2);
  for (size_t block = 0; block < spans.size(); ++block) {
    for (int64_t place = 0; place * 32 < columns; ++place) {
      if (!has_numbers(2 * block, place) && !has_numbers(2 * block + 1, place)) continue;
      const Span span{place * 32, std::min(place * 32 + 32, columns)};
      if (spans[block].empty() || spans[block].back().end != span.begin) {
        spans[block].push_back(span);
      } else {
        spans[block].back().end = span.end;
      }
    }
  }
  return spans;
}

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

// x [rows, K] → x Wᵀ [rows, N] for one W [N, K] and many x. In bfloat16, W is laid out for the processor once, which a plain
// product does again at every step. oneDNN takes long to start a product of so few rows, so where there is AVX-512
// BF16 and the sizes are whole tiles, it is done here, without the padding and without what is 0 in W. In float the plain
// product is the fastest one.
class Product {
 public:
  // columns: of W; behind them it is 0. wanted: columns of the product that are read.
  Product(const Tensor& weight, int64_t rows, int64_t columns, int64_t wanted)
      : packed_(weight.scalar_type() == at::kBFloat16), size_(weight.size(0)), wanted_(wanted) {
#ifdef __AVX512BF16__
    tiled_ = packed_ && size_ % 32 == 0 && weight.size(1) % 32 == 0;
    if (tiled_) {
      weight_ = tiles_of(weight);
      spans_ = spans_of(weight_, columns);
      return;
    }
#endif
    if (packed_) {
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
#ifdef __AVX512BF16__
    if (tiled_) {
      RECORD_FUNCTION("sentiment_rnn::product", {});  // for profilers
      const Tensor out = at::empty({x.size(0), size_}, x.options());
      tile_product(data<Bfloat16>(x), static_cast<const char*>(weight_.data_ptr()), data<Bfloat16>(out), x.size(0),
                   {x.size(1), size_, wanted_, spans_.data()});
      return out;
    }
#endif
    if (!packed_) return at::mm(x, weight_);
    static const auto linear = find<Linear>("mkldnn::_linear_pointwise");
    return linear.call(x, weight_, std::nullopt, "none", Scalars(), "");
  }

 private:
  template <typename Signature>
  static c10::TypedOperatorHandle<Signature> find(const char* name) {
    return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
  }

  bool packed_, tiled_ = false;
  int64_t size_, wanted_;
  Tensor weight_;
#ifdef __AVX512BF16__
  std::vector<std::vector<Span>> spans_;
#endif
};

}  // namespace
