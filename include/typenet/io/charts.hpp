// Charts as SVG: curves, a table of counts in colour, images side by side. All are 800 pixels wide
// but for a table of many classes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "typenet/core/error.hpp"
#include "typenet/io/png.hpp"
#include "typenet/io/svg.hpp"
#include "typenet/io/text_format.hpp"

namespace typenet {

/// A curve through values at 1, 2, 3 and so on. Those that are not finite are left out.
struct Curve {
    std::string name;
    std::vector<double> values;
};

struct LineChart {
    std::string title;
    std::string x_label;
    std::vector<Curve> curves;
};

namespace detail {

inline constexpr double chart_width = 800;
inline constexpr std::string_view curve_colours[] = {"#2478b8", "#dd6b14", "#2e9447", "#b8408f"};
inline constexpr const char* bold = "font-size=\"15\" font-weight=\"bold\"";
inline constexpr const char* centred = "text-anchor=\"middle\"";
inline constexpr const char* ends_here = "text-anchor=\"end\"";
inline constexpr const char* pale = " stroke-opacity=\"0.15\"";

/// Draws one chart, axes in the given rectangle, title and legend above it.
inline void draw_chart(Drawing& drawing, const LineChart& chart, double left, double top,
                       double width, double height) {
    double least = std::numeric_limits<double>::infinity(), most = -least;
    std::size_t count = 1;
    for (const Curve& curve : chart.curves) {
        count = (std::max)(count, curve.values.size());
        for (const double value : curve.values) {
            if (!std::isfinite(value)) continue;
            least = (std::min)(least, value);
            most = (std::max)(most, value);
        }
    }
    if (least > most) least = most = 0;
    // A curve that stays level still gets a scale.
    const double range = (std::max)({most - least, 1e-4 * std::abs(most), 1e-4});
    const double y_tick = tick_distance(range);
    const double bottom_tick = std::floor(least / y_tick);
    const double top_tick = (std::max)(std::ceil(most / y_tick), bottom_tick + 1);
    const double last = static_cast<double>(count);
    const double x_tick = (std::max)(tick_distance(last - 1), 1.0);
    const auto x_of = [&](double x) {
        return count == 1 ? left + width / 2 : left + width * (x - 1) / (last - 1);
    };
    const auto y_of = [&](double y) {
        return top + height * (top_tick - y / y_tick) / (top_tick - bottom_tick);
    };

    drawing.words(left, top - 16, chart.title, bold);
    for (double tick = bottom_tick; tick <= top_tick; ++tick) {
        const double y = y_of(tick * y_tick);
        drawing.line(left, y, left + width, y, "currentColor", tick == bottom_tick ? "" : pale);
        drawing.words(left - 8, y + 4, tick_label(tick * y_tick, y_tick), ends_here);
    }
    const double foot = top + height;
    for (double x = x_tick; x <= last; x += x_tick) {
        drawing.line(x_of(x), foot, x_of(x), foot + 5, "currentColor");
        drawing.words(x_of(x), foot + 19, tick_label(x, 1), centred);
    }
    drawing.words(left + width / 2, foot + 38, chart.x_label, centred);

    double legend = left + width;  // grows to the left
    for (std::size_t c = chart.curves.size(); c-- > 0;) {
        const Curve& curve = chart.curves[c];
        const std::string_view colour = curve_colours[c % std::size(curve_colours)];
        drawing.words(legend, top - 16, curve.name, ends_here);
        legend -= 7 * static_cast<double>(curve.name.size()) + 8;
        drawing.line(legend - 18, top - 20, legend, top - 20, colour, " stroke-width=\"3\"");
        legend -= 32;

        std::string points;
        const auto draw_points = [&] {
            if (!points.empty()) drawing.path(points, colour);
            points.clear();
        };
        for (std::size_t i = 0; i < curve.values.size(); ++i) {
            if (std::isfinite(curve.values[i]))
                points += (points.empty() ? "" : " ") + fixed(x_of(static_cast<double>(i + 1)), 2) +
                          "," + fixed(y_of(curve.values[i]), 2);
            else
                draw_points();
        }
        draw_points();
        constexpr std::size_t most_dots = 40;  // more would hide the line
        if (curve.values.size() > most_dots) continue;
        for (std::size_t i = 0; i < curve.values.size(); ++i)
            if (std::isfinite(curve.values[i]))
                drawing.dot(x_of(static_cast<double>(i + 1)), y_of(curve.values[i]), 3, colour,
                            curve.name + ", " + chart.x_label + " " + std::to_string(i + 1) + ": " +
                                fixed(curve.values[i], 4));
    }
}

}  // namespace detail

/// Charts side by side, each with its own scale.
inline std::string draw_line_charts(std::span<const LineChart> charts) {
    constexpr double left = 60, top = 52, right = 20, height = 260, below = 54;
    detail::Drawing drawing{detail::chart_width, top + height + below};
    const double panel = detail::chart_width / static_cast<double>(charts.size());
    for (std::size_t i = 0; i < charts.size(); ++i)
        detail::draw_chart(drawing, charts[i], static_cast<double>(i) * panel + left, top,
                           panel - left - right, height);
    return drawing.finish();
}

/// Counts of what was taken for what, [names][names]: rows are the true classes, columns the
/// predicted ones; the colour of a cell is its share of its row. Throws ShapeError where there are
/// other than names x names counts.
inline std::string draw_confusion(std::string_view title, std::span<const std::string> names,
                                  std::span<const std::int64_t> counts) {
    using detail::centred, detail::ends_here, detail::Drawing, detail::fixed;
    const std::size_t classes = names.size();
    if (counts.size() != classes * classes)
        throw ShapeError(std::to_string(classes) + " classes have " +
                         std::to_string(counts.size()) + " counts; give one for each pair");
    std::size_t longest = 0;
    for (const std::string& name : names) longest = (std::max)(longest, name.size());
    constexpr double cell_height = 36, share_width = 70;
    const double label = 8 * static_cast<double>(longest) + 8;
    const double left = 40 + label, top = 76 + 0.71 * label;
    const double cell_width =
        (std::max)(44.0, (detail::chart_width - left - share_width) / static_cast<double>(classes));
    const double width = cell_width * static_cast<double>(classes);
    const double height = cell_height * static_cast<double>(classes);
    constexpr std::string_view colour = "#1c5fa8";

    Drawing drawing{left + width + share_width, top + height + 44};
    drawing.words(20, 28, title, detail::bold);
    drawing.words(left + width / 2, 58, "predicted class", centred);
    drawing.words(
        24, top + height / 2, "true class",
        std::string{centred} + " transform=\"rotate(-90 24 " + fixed(top + height / 2, 2) + ")\"");
    drawing.words(left + width + share_width - 8, top - 10, "right", ends_here);
    for (std::size_t row = 0; row < classes; ++row) {
        const double y = top + cell_height * static_cast<double>(row);
        const double x = left + cell_width * (static_cast<double>(row) + 0.5);
        drawing.words(left - 10, y + cell_height / 2 + 4, names[row], ends_here);
        drawing.words(x, top - 10, names[row],
                      "transform=\"rotate(-45 " + fixed(x, 2) + " " + fixed(top - 10, 2) + ")\"");
        const auto in_row = counts.subspan(row * classes, classes);
        std::int64_t samples = 0;
        for (const std::int64_t count : in_row) samples += count;
        const auto share_of = [&](std::int64_t count) {
            return samples == 0 ? 0 : static_cast<double>(count) / static_cast<double>(samples);
        };
        for (std::size_t column = 0; column < classes; ++column) {
            const double share = share_of(in_row[column]);
            const double cell_x = left + cell_width * static_cast<double>(column);
            drawing.bar(cell_x, y, cell_width, cell_height, colour,
                        names[row] + " taken for " + names[column] + ": " +
                            std::to_string(in_row[column]) + " of " + std::to_string(samples),
                        " fill-opacity=\"" + fixed(share, 3) +
                            "\" stroke=\"currentColor\" stroke-opacity=\"0.15\"");
            drawing.words(cell_x + cell_width / 2, y + cell_height / 2 + 4,
                          std::to_string(in_row[column]),
                          std::string{centred} + (in_row[column] == 0 ? " fill-opacity=\"0.4\""
                                                  : share > 0.5       ? " fill=\"white\""
                                                                      : ""));
        }
        drawing.words(left + width + share_width - 8, y + cell_height / 2 + 4,
                      samples == 0 ? "-" : fixed(100 * share_of(in_row[row]), 1) + " %", ends_here);
    }

    const double foot = top + height + 18;
    const std::string text = "share of the row:";
    double x = left;
    drawing.words(x, foot + 11, text);
    x += 8 * static_cast<double>(text.size());
    for (const double share : {0.0, 0.25, 0.5, 0.75, 1.0}) {
        const std::string percent = fixed(100 * share, 0) + " %";
        drawing.bar(x, foot, 24, 14, colour, percent,
                    " fill-opacity=\"" + fixed(share, 2) +
                        "\" stroke=\"currentColor\" stroke-opacity=\"0.3\"");
        drawing.words(x + 30, foot + 11, percent);
        x += 84;
    }
    return drawing.finish();
}

/// An image in a row of images; `hint` is shown under the mouse pointer.
struct HintedImage {
    Bitmap bitmap;
    std::string hint;
};

/// Images of one size in rows, sixteen in each, enlarged with sharp pixels.
inline std::string draw_images(std::string_view title, std::span<const HintedImage> images) {
    constexpr std::size_t columns = 16;
    constexpr double left = 20, top = 46, gap = 6;
    constexpr double side = (detail::chart_width - 2 * left + gap) / columns - gap;
    const std::size_t rows = (images.size() + columns - 1) / columns;
    detail::Drawing drawing{detail::chart_width,
                            top + (side + gap) * static_cast<double>(rows) - gap + 20};
    drawing.words(left, 28, title, detail::bold);
    for (std::size_t i = 0; i < images.size(); ++i)
        drawing.image(left + (side + gap) * static_cast<double>(i % columns),
                      top + (side + gap) * static_cast<double>(i / columns), side, side,
                      "data:image/png;base64," + detail::base64(encode_png(images[i].bitmap)),
                      images[i].hint);
    return drawing.finish();
}

}  // namespace typenet
