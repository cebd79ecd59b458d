// A network's card (core/card.hpp) as a text: a table, Markdown, Graphviz or JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "typenet/core/card.hpp"
#include "typenet/core/names.hpp"
#include "typenet/io/json.hpp"
#include "typenet/io/text_format.hpp"

namespace typenet {

/// How a card is written. `dot` is Graphviz's language: a graph of the layers.
enum class CardFormat { table, markdown, dot, json };

namespace detail {

/// A card of any number of layers.
struct CardView {
    std::string_view name;
    Shape input;
    std::int64_t batch;
    int element_bytes;
    std::span<const LayerCard> layers;
    Cost total;
    std::int64_t parameters;
    std::int64_t macs;
    std::optional<Peak> peak;
    double seconds;  ///< of the total, on `peak`
};

using Row = std::vector<std::string>;

/// The card's columns: headings, a row a layer, totals.
inline std::vector<Row> rows_of(const CardView& card) {
    const auto costs = [&](Row row, std::int64_t parameters, std::int64_t macs, const Cost& cost,
                           double seconds) {
        for (const std::int64_t number : {parameters, macs, cost.bytes()})
            row.push_back(grouped(number));
        row.push_back(fixed(cost.intensity(), 2));
        if (card.peak) row.push_back(fixed(1e3 * seconds, 3));
        return row;
    };
    std::vector<Row> rows{
        {"index", "layer", "name", "output", "parameters", "MACs", "bytes moved", "FLOP/byte"}};
    if (card.peak) rows[0].push_back("least ms");
    for (const auto& [layer, cost] : card.layers)
        rows.push_back(costs({std::to_string(layer.index), std::string{layer.type},
                              std::string{layer.name}, to_string(layer.output)},
                             layer.parameter_count(), layer.macs, cost,
                             card.peak ? cost.seconds(*card.peak) : 0));
    rows.push_back(
        costs({"total", "", "", ""}, card.parameters, card.macs, card.total, card.seconds));
    return rows;
}

/// What the columns mean.
inline std::string legend(const CardView& card) {
    std::string text = "MACs are one sample's. The rest is a forward pass's over a batch of " +
                       std::to_string(card.batch) + ", " + std::to_string(card.element_bytes) +
                       " bytes a value,\nlayer by layer; fused stages move less.";
    if (card.peak)
        text += " Peak: " + fixed(card.peak->flops / 1e9, 1) + " GFLOP/s, " +
                fixed(card.peak->bytes / 1e9, 1) + " GB/s.";
    return text + "\n";
}

inline std::string heading(const CardView& card) {
    return std::string{card.name} + ", input " + to_string(card.input) + ", " +
           grouped(2 * card.macs) + " floating-point operations a sample, forward";
}

inline std::string card_table(const CardView& card) {
    const std::vector<Row> rows = rows_of(card);
    std::vector<std::size_t> widths(rows[0].size());
    for (const Row& row : rows)
        for (std::size_t c = 0; c < row.size(); ++c)
            if (row[c].size() > widths[c]) widths[c] = row[c].size();
    std::string text = heading(card) + "\n\n";
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t c = 0; c < row.size(); ++c) {
            const std::string space(widths[c] - row[c].size(), ' ');
            const bool words = c == 1 || c == 2;
            line += (c > 0 ? "  " : "") + (words ? row[c] + space : space + row[c]);
        }
        text += line + "\n";
    }
    return text + "\n" + legend(card);
}

inline std::string card_markdown(const CardView& card) {
    std::string text = "**" + heading(card) + "**\n\n";
    const std::vector<Row> rows = rows_of(card);
    for (const Row& row : rows) {
        for (const std::string& cell : row) {
            text += "| ";
            for (const char c : cell) text += c == '|' ? std::string{"\\|"} : std::string{c};
            text += ' ';
        }
        text += "|\n";
        if (&row == &rows[0])
            for (std::size_t c = 0; c < row.size(); ++c)
                text += c == 1 || c == 2 ? "|---" : "|---:";
        if (&row == &rows[0]) text += "|\n";
    }
    return text + "\n" + legend(card);
}

/// `text` within a quoted string of Graphviz's.
inline std::string dot_quoted(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

inline std::string card_dot(const CardView& card) {
    const auto node = [](int index) {
        return index < 0 ? std::string{"input"} : "layer" + std::to_string(index);
    };
    const auto label = [](const std::vector<std::string>& lines) {
        std::string text;
        for (const std::string& line : lines) {
            const std::string quoted = dot_quoted(line);
            text += (text.empty() ? "" : "\\n") + quoted.substr(1, quoted.size() - 2);
        }
        return " [label=\"" + text + "\"";
    };
    std::string text = "digraph " + dot_quoted(card.name) +
                       " {\n    node [shape=box, fontname=\"Helvetica\"];\n"
                       "    edge [fontname=\"Helvetica\"];\n    input" +
                       label({std::string{card.name}, "input"}) + ", shape=ellipse];\n";
    for (const auto& [layer, cost] : card.layers) {
        std::vector<std::string> lines{std::to_string(layer.index) + " " + std::string{layer.type}};
        if (!layer.name.empty()) lines[0] += " " + std::string{layer.name};
        if (layer.parameter_count() > 0)
            lines.push_back(grouped(layer.parameter_count()) + " parameters");
        if (layer.macs > 0) lines.push_back(grouped(layer.macs) + " MACs");
        if (card.peak)
            lines.push_back("at least " + fixed(1e3 * cost.seconds(*card.peak), 3) + " ms");
        text += "    " + node(layer.index) + label(lines) + "];\n";
        for (const int source : layer.sources) {
            const Shape& shape = source < 0
                                     ? card.input
                                     : card.layers[static_cast<std::size_t>(source)].layer.output;
            text += "    " + node(source) + " -> " + node(layer.index) + label({to_string(shape)}) +
                    "];\n";
        }
    }
    const LayerInfo& last = card.layers.back().layer;
    return text + "    output" + label({"output"}) + ", shape=ellipse];\n    " + node(last.index) +
           " -> output" + label({to_string(last.output)}) + "];\n}\n";
}

inline std::string card_json(const CardView& card) {
    JsonWriter json;
    const auto add_shape = [&](std::string_view key, const Shape& shape) {
        json.key(key).begin_array().value(shape.channels);
        if (!shape.is_flat()) json.value(shape.height).value(shape.width);
        json.end_array();
    };
    const auto add_costs = [&](std::int64_t parameters, std::int64_t macs, const Cost& cost,
                               double seconds) {
        json.key("parameters").value(parameters).key("macs").value(macs);
        json.key("flops").value(cost.flops).key("bytes_read").value(cost.bytes_read);
        json.key("bytes_written").value(cost.bytes_written);
        json.key("intensity").value(cost.intensity());
        if (card.peak) json.key("least_seconds").value(seconds);
    };
    json.begin_object().key("name").value(card.name);
    add_shape("input", card.input);
    json.key("batch").value(card.batch).key("element_bytes").value(card.element_bytes);
    if (card.peak) {
        json.key("peak").begin_object().key("flops").value(card.peak->flops);
        json.key("bytes").value(card.peak->bytes).end_object();
    }
    json.key("layers").begin_array();
    for (const auto& [layer, cost] : card.layers) {
        json.begin_object().key("index").value(layer.index).key("type").value(layer.type);
        json.key("name").value(layer.name).key("sources").begin_array();
        for (const int source : layer.sources) json.value(source);
        json.end_array();
        add_shape("output", layer.output);
        add_costs(layer.parameter_count(), layer.macs, cost,
                  card.peak ? cost.seconds(*card.peak) : 0);
        json.end_object();
    }
    json.end_array().key("total").begin_object();
    add_costs(card.parameters, card.macs, card.total, card.seconds);
    return json.end_object().end_object().text() + "\n";
}

}  // namespace detail

/// A network's card as text, under a name. With a peak there are roofline times as well: the least
/// that each layer can take.
template <std::size_t layer_count>
std::string to_text(const ModelCard<layer_count>& card, CardFormat format, std::string_view name,
                    const std::optional<Peak>& peak = {}) {
    detail::CardView view{name,        card.input,
                          card.batch,  card.element_bytes,
                          card.layers, card.total(),
                          0,           0,
                          peak,        peak ? card.seconds(*peak) : 0};
    for (const LayerCard& entry : card.layers) {
        view.parameters += entry.layer.parameter_count();
        view.macs += entry.layer.macs;
    }
    switch (format) {
        case CardFormat::markdown:
            return detail::card_markdown(view);
        case CardFormat::dot:
            return detail::card_dot(view);
        case CardFormat::json:
            return detail::card_json(view);
        case CardFormat::table:
            break;
    }
    return detail::card_table(view);
}

}  // namespace typenet
