// Deep networks stay within the compilers' limits on constant evaluation, and their plans are those
// of the definition.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "support/catch.hpp"
#include "typenet/core.hpp"

namespace {

using namespace typenet;

template <std::size_t... i>
auto deep(std::index_sequence<i...>)
    -> Network<Input<16, 8, 8>, Conv2d<8 * (static_cast<int>(i) + 2), Kernel<3>, Padding<1>>...,
               Flatten, Linear<10>>;
using Deep = decltype(deep(std::make_index_sequence<256>{}));
using Mode = Training<Sgd>;

static_assert(stages_of<Deep, Phase::training>.count == 257);
static_assert(memory_plan<Deep, Cpu<float>, Predicting>(1).total > 4 * Deep::parameter_count);

/// The lowest offset at which a buffer fits among those born before it, by trying all of them.
template <class Plan>
std::int64_t lowest_offset(const Plan& plan, std::size_t index) {
    const PlannedBuffer& buffer = plan.buffers[index];
    const auto is_free = [&](std::int64_t offset) {
        for (std::size_t i = 0; i < plan.count; ++i) {
            const PlannedBuffer& other = plan.buffers[i];
            const bool born_before =
                other.first < buffer.first || (other.first == buffer.first && i < index);
            if (born_before && other.last >= buffer.first && other.offset < offset + buffer.bytes &&
                offset < other.offset + other.bytes)
                return false;
        }
        return true;
    };
    std::int64_t lowest = is_free(0) ? 0 : -1;
    for (std::size_t i = 0; i < plan.count && lowest != 0; ++i) {
        const std::int64_t end = plan.buffers[i].offset + plan.buffers[i].bytes;
        if ((lowest < 0 || end < lowest) && is_free(end)) lowest = end;
    }
    return lowest;
}

}  // namespace

TEST_CASE("The buffers of 256 different convolutions lie as low as they can") {
    constexpr auto& plan = buffer_plan<Deep, Cpu<float>, Mode>;
    REQUIRE(plan.count > 500);
    std::int64_t height = 0;
    for (std::size_t i = 0; i < plan.count; ++i) {
        CHECK(plan.buffers[i].offset == lowest_offset(plan, i));
        height = std::max(height, plan.buffers[i].offset + plan.buffers[i].bytes);
    }
    CHECK(plan.bytes == height);
}
