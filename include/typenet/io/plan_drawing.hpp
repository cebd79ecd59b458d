// A drawing of a memory plan: which buffer holds which bytes of the arena at which step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "typenet/core/memory_plan.hpp"
#include "typenet/core/names.hpp"
#include "typenet/core/stages.hpp"
#include "typenet/io/svg.hpp"
#include "typenet/io/text_format.hpp"

namespace typenet {

namespace detail {

/// What a drawing shows, for any network.
struct PlanView {
    std::string_view title;
    std::int64_t batch;
    std::int64_t bytes;  ///< of the arena, for one sample
    std::span<const PlannedBuffer> buffers;
    std::vector<std::string> stages;  ///< their names
    Phase phase;
};

inline std::string draw_plan(const PlanView& plan) {
    struct Role {
        std::string_view name, colour;
    };
    // In the order of BufferRole.
    static constexpr Role roles[] = {{"activation", "#9ecae1"},
                                     {"gradient of it", "#fdae6b"},
                                     {"code of a max pool", "#a1d99b"}};
    constexpr double left = 70, top = 70, width = 900, height = 440, below = 110;
    const int count = static_cast<int>(plan.stages.size());
    const bool training = plan.phase == Phase::training;
    const int steps = training ? 2 * count + 1 : count + 1;
    const double column = width / steps;
    const auto mebibytes = [&](std::int64_t bytes) {
        return static_cast<double>(bytes) * static_cast<double>(plan.batch) / (1 << 20);
    };
    const double pixels = height / mebibytes(plan.bytes);  // of a MiB
    const auto stage_name = [&](int stage) {
        return stage < 0 ? std::string{"input"} : plan.stages[static_cast<std::size_t>(stage)];
    };
    const auto step_name = [&](int step) {
        if (step < count) return stage_name(step);
        if (step == count) return std::string{training ? "loss" : "outputs"};
        return stage_name(2 * count - step);
    };

    Drawing drawing{left + width + 20, top + height + below};
    std::int64_t sum = 0;
    for (const PlannedBuffer& buffer : plan.buffers) sum += buffer.bytes;
    drawing.words(left, 24,
                  std::string{plan.title} + ", batch " + std::to_string(plan.batch) + ": " +
                      fixed(mebibytes(plan.bytes), 1) + " MiB for buffers of " +
                      fixed(mebibytes(sum), 1) + " MiB",
                  "font-size=\"15\" font-weight=\"bold\"");
    double x = left;
    for (const Role& role : roles) {
        drawing.bar(x, 38, 14, 14, role.colour, role.name);
        drawing.words(x + 20, 50, role.name);
        x += 170;
    }
    drawing.words(left + width, 50, "a bar without a label tells its own under the pointer",
                  "text-anchor=\"end\" fill=\"#666\"");

    const double tick = tick_distance(mebibytes(plan.bytes));
    for (int i = 0; i * tick <= mebibytes(plan.bytes); ++i) {
        const double y = top + height - i * tick * pixels;
        drawing.line(left - 5, y, left + width, y, i == 0 ? "#444" : "#ddd");
        drawing.words(left - 9, y + 4, tick_label(i * tick, tick), "text-anchor=\"end\"");
    }
    const double middle = top + height / 2;
    drawing.words(18, middle, "offset, MiB",
                  "text-anchor=\"middle\" transform=\"rotate(-90 18 " + fixed(middle, 0) + ")\"");

    for (const PlannedBuffer& buffer : plan.buffers) {
        const double bar_x = left + buffer.first * column;
        const double bar_width = (buffer.last - buffer.first + 1) * column;
        const double bar_height = mebibytes(buffer.bytes) * pixels;
        const double bar_y = top + height - mebibytes(buffer.offset) * pixels - bar_height;
        const Role& role = roles[static_cast<std::size_t>(buffer.role)];
        const std::string name = stage_name(buffer.stage);
        drawing.bar(bar_x, bar_y, bar_width, bar_height, role.colour,
                    name + ": " + std::string{role.name} + ", " +
                        fixed(mebibytes(buffer.bytes), 3) + " MiB from " +
                        fixed(mebibytes(buffer.offset), 3) + " on, " + step_name(buffer.first) +
                        " to " + step_name(buffer.last));
        const double size = bar_height < 14 ? bar_height - 2 : 12;  // of the letters
        if (size >= 7 && bar_width >= 0.65 * size * static_cast<double>(name.size()))
            drawing.words(bar_x + bar_width / 2, bar_y + bar_height / 2 + 0.36 * size, name,
                          "text-anchor=\"middle\"" + Drawing::number("font-size", size));
    }

    const double foot = top + height;
    for (int step = 0; step < steps; ++step) {
        const double at = left + (step + 0.5) * column;
        drawing.line(at, foot, at, foot + 5, "#444");
        drawing.words(at, foot + 16, step_name(step),
                      "text-anchor=\"end\" transform=\"rotate(-45 " + fixed(at, 2) + " " +
                          fixed(foot + 16, 2) + ")\"");
    }
    const auto part = [&](int first, int end, std::string_view name) {
        const double from = left + first * column, to = left + end * column;
        drawing.line(from + 4, foot + 84, to - 4, foot + 84, "#444");
        drawing.words((from + to) / 2, foot + 100, name, "text-anchor=\"middle\"");
    };
    part(0, count, "forward");
    if (training) part(count + 1, steps, "backward");
    return drawing.finish();
}

}  // namespace detail

/// The arena of activations, their gradients and codes as an SVG: a rectangle a buffer, time from
/// left to right through the stages, offsets upwards, in MiB for a whole batch.
template <class Net, class Backend, class Mode>
std::string draw_plan(std::string_view title, std::int64_t batch) {
    constexpr auto& plan = buffer_plan<Net, Backend, Mode>;
    constexpr auto& table = stages_in<Net, Mode>;
    detail::PlanView view{title, batch,      plan.bytes, std::span{plan.buffers}.first(plan.count),
                          {},    Mode::phase};
    for (std::size_t s = 0; s < table.count; ++s) {
        const LayerInfo& layer = Net::layers[static_cast<std::size_t>(table.stages[s].layer)];
        view.stages.push_back(layer.name.empty() ? std::string{layer.type} + " " + name_of(layer)
                                                 : std::string{layer.name});
    }
    return detail::draw_plan(view);
}

}  // namespace typenet
