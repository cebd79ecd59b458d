// Drawing: an SVG built element by element.
#pragma once

#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>

#include "typenet/io/text_format.hpp"

namespace typenet::detail {

/// For text and attributes of XML and HTML.
inline std::string xml_escaped(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '&')
            escaped += "&amp;";
        else if (c == '<')
            escaped += "&lt;";
        else if (c == '>')
            escaped += "&gt;";
        else if (c == '"')
            escaped += "&quot;";
        else
            escaped += c;
    }
    return escaped;
}

/// Builds an SVG element by element. Lengths are in pixels. Text has the colour of the page around
/// the drawing (black where there is none); the paper is white, and of the class "paper", so that
/// a dark page can take it away. A `hint` is shown under the mouse pointer.
class Drawing {
public:
    Drawing(double width, double height)
        : text_("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + fixed(width, 0) +
                "\" height=\"" + fixed(height, 0) + "\" viewBox=\"0 0 " + fixed(width, 0) + " " +
                fixed(height, 0) +
                "\" fill=\"currentColor\" font-family=\"DejaVu Sans, Verdana, sans-serif\" "
                "font-size=\"12\">\n"
                "<rect class=\"paper\" width=\"100%\" height=\"100%\" fill=\"white\"/>\n") {}

    /// `more` holds attributes, here and below.
    void line(double x1, double y1, double x2, double y2, std::string_view colour,
              const std::string& more = {}) {
        text_ += "<line" + number("x1", x1) + number("y1", y1) + number("x2", x2) +
                 number("y2", y2) + " stroke=\"" + std::string{colour} + "\"" + more + "/>\n";
    }
    void bar(double x, double y, double width, double height, std::string_view colour,
             std::string_view hint,
             const std::string& more = " stroke=\"#444\" stroke-width=\"0.5\"") {
        text_ += "<rect" + number("x", x) + number("y", y) + number("width", width) +
                 number("height", height) + " fill=\"" + std::string{colour} + "\"" + more + ">" +
                 title(hint) + "</rect>\n";
    }
    /// A dot with a hint.
    void dot(double x, double y, double radius, std::string_view colour, std::string_view hint) {
        text_ += "<circle" + number("cx", x) + number("cy", y) + number("r", radius) + " fill=\"" +
                 std::string{colour} + "\">" + title(hint) + "</circle>\n";
    }
    /// Straight lines through `points`: "x,y x,y ...".
    void path(const std::string& points, std::string_view colour) {
        text_ += "<polyline points=\"" + points + "\" fill=\"none\" stroke=\"" +
                 std::string{colour} + "\" stroke-width=\"2\" stroke-linejoin=\"round\"/>\n";
    }
    /// An image with sharp pixels; `source` is its address.
    void image(double x, double y, double width, double height, const std::string& source,
               std::string_view hint) {
        text_ += "<image" + number("x", x) + number("y", y) + number("width", width) +
                 number("height", height) +
                 " image-rendering=\"optimizeSpeed\" style=\"image-rendering:pixelated\" href=\"" +
                 source + "\">" + title(hint) + "</image>\n";
    }
    void words(double x, double y, std::string_view text, const std::string& more = {}) {
        text_ += "<text" + number("x", x) + number("y", y) + " " + more + ">" + xml_escaped(text) +
                 "</text>\n";
    }
    std::string finish() { return text_ + "</svg>\n"; }

    static std::string number(std::string_view name, double value) {
        return " " + std::string{name} + "=\"" + fixed(value, 2) + "\"";
    }

private:
    static std::string title(std::string_view hint) {
        return "<title>" + xml_escaped(hint) + "</title>";
    }

    std::string text_;
};

/// 1, 2 or 5 times a power of ten, so that at most eight of them make `range`.
inline double tick_distance(double range) {
    double power = 1e-6;
    for (;; power *= 10)
        for (const double factor : {1, 2, 5})
            if (range <= 8 * factor * power) return factor * power;
}

/// A value at a tick, with as many digits behind the point as their distance needs.
inline std::string tick_label(double value, double distance) {
    if (distance < 1e6)
        return fixed(value,
                     distance < 1 ? static_cast<int>(std::ceil(-std::log10(distance) - 1e-9)) : 0);
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
}

}  // namespace typenet::detail
