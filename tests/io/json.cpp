#include <typenet/io/json.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"

using typenet::is_utf8;
using typenet::json_quoted;
using typenet::JsonError;
using typenet::JsonReader;
using typenet::JsonWriter;
using namespace std::string_view_literals;

namespace {

std::string read_string(std::string_view text) {
    JsonReader reader(text);
    std::string value = reader.string();
    reader.finish();
    return value;
}

std::int64_t read_natural(std::string_view text) {
    JsonReader reader(text);
    const std::int64_t value = reader.natural();
    reader.finish();
    return value;
}

double read_number(std::string_view text) {
    JsonReader reader(text);
    const double value = reader.number();
    reader.finish();
    return value;
}

/// {"a": [1, 2], ...} as "a=1,2,;".
std::string read_lists(std::string_view text) {
    JsonReader reader(text);
    std::string seen;
    reader.object([&](const std::string& key) {
        seen += key + "=";
        reader.array([&] { seen += std::to_string(reader.natural()) + ","; });
        seen += ";";
    });
    reader.finish();
    return seen;
}

}  // namespace

TEST_CASE("UTF-8 is told from other bytes at every boundary") {
    for (const std::string_view text :
         {""sv, "a\0b"sv, "\x7F"sv, "\xC2\x80"sv, "\xDF\xBF"sv, "\xE0\xA0\x80"sv, "\xED\x9F\xBF"sv,
          "\xEE\x80\x80"sv, "\xEF\xBF\xBF"sv, "\xF0\x90\x80\x80"sv, "\xF4\x8F\xBF\xBF"sv}) {
        CAPTURE(text);
        CHECK(is_utf8(text));
    }
    for (const std::string_view text :
         {"\x80"sv, "\xBF"sv, "\xC0\x80"sv, "\xC1\xBF"sv, "\xC2"sv, "\xC2\x7F"sv, "\xC2\xC0"sv,
          "\xE0\x9F\xBF"sv, "\xE1\x80"sv, "\xED\xA0\x80"sv, "\xE1\x80\xC0"sv, "\xF0\x8F\xBF\xBF"sv,
          "\xF1\x80\x80"sv, "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "\xFF"sv, "a\xFE"sv}) {
        CAPTURE(text);
        CHECK_FALSE(is_utf8(text));
    }
}

TEST_CASE("strings: escapes mean what RFC 8259 says") {
    CHECK(read_string(R"("")") == "");
    CHECK(read_string(R"( "a b" )") == "a b");
    CHECK(read_string(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
    CHECK(read_string(R"("\u0041\u00e9\u20AC\ud83d\ude00")") == "A\u00e9\u20AC\U0001F600");
    CHECK(read_string(R"("\uD800\uDC00\uDBFF\uDFFF\uFFFF\u07ff\u0800")") ==
          "\U00010000\U0010FFFF\uFFFF\u07FF\u0800");
    CHECK(read_string(R"("a\u0000b")") == "a\0b"sv);
    CHECK(read_string("\"\x7F\u00e9\"") == "\x7F\u00e9");
}

TEST_CASE("strings: what is not JSON is refused") {
    for (const std::string_view text : {""sv,
                                        "a"sv,
                                        "'a'"sv,
                                        "\""sv,
                                        "\"a"sv,
                                        "\"a\\"sv,
                                        "\"a\\\""sv,
                                        "\"\n\""sv,
                                        "\"\0\""sv,
                                        R"("\x")"sv,
                                        R"("\U0041")"sv,
                                        R"("\u")"sv,
                                        R"("\u004")"sv,
                                        R"("\u004g")"sv,
                                        R"("\u+041")"sv,
                                        R"("\u-041")"sv,
                                        R"("\u 041")"sv,
                                        R"("\ud800")"sv,
                                        R"("\ud800a")"sv,
                                        R"("\ud800\n")"sv,
                                        R"("\ud800\u0041")"sv,
                                        R"("\ud800\ud800")"sv,
                                        R"("\udc00")"sv,
                                        R"("\ud800\u")"sv,
                                        "\"\xFF\""sv,
                                        "\"\xC3\""sv,
                                        R"("a" "b")"sv,
                                        R"("a",)"sv}) {
        CAPTURE(text);
        CHECK_THROWS_AS(read_string(text), JsonError);
    }
}

TEST_CASE("numbers: only whole ones from 0 to 2^63 - 1") {
    CHECK(read_natural("0") == 0);
    CHECK(read_natural(" 12\n") == 12);
    CHECK(read_natural("9223372036854775807") == std::numeric_limits<std::int64_t>::max());
    for (const char* text : {"",
                             "-",
                             "-0",
                             "-1",
                             "+1",
                             "01",
                             "00",
                             "1.0",
                             "1.",
                             "1e2",
                             "1E2",
                             ".5",
                             "0x1",
                             "1 2",
                             "9223372036854775808",
                             "18446744073709551616",
                             "99999999999999999999999999",
                             "true",
                             "null",
                             "\"1\"",
                             "[1]",
                             "1a",
                             "NaN",
                             "\v1",
                             "1\xC2\xA0"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(read_natural(text), JsonError);
    }
}

TEST_CASE("numbers with a sign, a fraction or an exponent") {
    CHECK(read_number("0") == 0);
    CHECK(std::signbit(read_number("-0")));
    CHECK(read_number(" -12.25\n") == -12.25);
    CHECK(read_number("1e2") == 100);
    CHECK(read_number("1E+2") == 100);
    CHECK(read_number("25e-2") == 0.25);
    CHECK(read_number("0.1") == 0.1);
    CHECK(read_number("1.7976931348623157e308") == std::numeric_limits<double>::max());
    CHECK(std::isnan(read_number("null")));
    for (const char* text :
         {"",    "-",   "+1",   "01",    "-01", "1.", ".5",  "1.e2", "1e",  "1e+",   "1e99999",
          "0x1", "1 2", "true", "\"1\"", "[1]", "1a", "NaN", "inf",  "nul", "nulll", "- 1"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(read_number(text), JsonError);
    }
    CHECK_THROWS_WITH(read_number("  -x"), ContainsText("a number is wanted (at byte 2)"));
    JsonWriter json;
    json.value(1.0 / 3);
    CHECK(read_number(json.text()) == 1.0 / 3);
}

TEST_CASE("objects and arrays come in the order of the text") {
    CHECK(read_lists("{}") == "");
    CHECK(read_lists(" { } ") == "");
    CHECK(read_lists(R"({"b":[],"a":[1],"":[3,2,1]})") == "b=;a=1,;=3,2,1,;");
    CHECK(read_lists("\t{ \"a\" :\r\n[ 1 , 2 ] }\n") == "a=1,2,;");
    for (const char* text : {"",
                             "{",
                             "}",
                             "[]",
                             "{,}",
                             R"({"a"})",
                             R"({"a":})",
                             R"({"a":[})",
                             R"({"a":[1,]})",
                             R"({"a":[,1]})",
                             R"({"a":[1 2]})",
                             R"({"a":[1],})",
                             R"({"a":[1]"b":[2]})",
                             R"({"a":[1])",
                             R"({"a":[1]}})",
                             R"({"a":[1]} x)",
                             R"({a:[1]})",
                             R"({"a"=[1]})",
                             R"({"a":[1]}{})",
                             R"({1:[1]})",
                             "/**/{}",
                             "\xEF\xBB\xBF{}",
                             R"({"a":[1];"b":[2]})",
                             "{\"a\":\f[1]}"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(read_lists(text), JsonError);
    }
}

TEST_CASE("a key that comes twice is refused, however it is spelt") {
    CHECK_THROWS_AS(read_lists(R"({"a":[1],"a":[1]})"), JsonError);
    CHECK_THROWS_AS(read_lists(R"({"a":[1],"b":[],"\u0061":[2]})"), JsonError);
    CHECK_THROWS_WITH(read_lists(R"({"a":[1],"a":[1]})"), ContainsText("\"a\" comes twice"));
    const std::string key(1000, 'k');
    try {
        read_lists("{\"" + key + "\":[],\"" + key + "\":[]}");
        FAIL("a long key that comes twice was read");
    } catch (const JsonError& error) {
        CHECK(std::string(error.what()).size() < 200);
    }
}

TEST_CASE("an error says at which byte reading stopped") {
    CHECK_THROWS_WITH(read_natural("  -1"), ContainsText("(at byte 2)"));
    CHECK_THROWS_WITH(read_lists(R"({"a" [1]})"), ContainsText("':' is wanted (at byte 5)"));
}

TEST_CASE("the writer: commas, nesting and numbers") {
    JsonWriter json;
    json.begin_object().key("epochs").begin_array();
    json.begin_object().key("epoch").value(1).key("loss").value(0.1f).end_object();
    json.begin_object().key("epoch").value(2).key("loss").value(-2.5e-300).end_object();
    json.end_array().key("empty").begin_array().end_array().key("none").begin_object().end_object();
    json.key("done").value(true).key("text").value("a\"b").key("list").begin_array();
    json.value(std::numeric_limits<std::int64_t>::min())
        .value(std::numeric_limits<std::uint64_t>::max());
    json.value(false).end_array().end_object();
    CHECK(json.text() ==
          R"({"epochs":[{"epoch":1,"loss":0.1},{"epoch":2,"loss":-2.5e-300}],"empty":[],"none":{},)"
          R"("done":true,"text":"a\"b","list":[-9223372036854775808,18446744073709551615,false]})");
}

TEST_CASE("the writer: numbers that JSON does not know become null") {
    JsonWriter json;
    json.begin_array().value(std::numeric_limits<float>::quiet_NaN());
    json.value(-std::numeric_limits<double>::infinity()).value(1.0).end_array();
    CHECK(json.text() == "[null,null,1]");
}

TEST_CASE("every character survives quoting and reading") {
    for (int code = 0; code < 128; ++code) {
        const std::string text(1, static_cast<char>(code));
        CAPTURE(code);
        CHECK(read_string(json_quoted(text)) == text);
    }
    const std::string text = "gr\u00f6\u00dfe \u20ac \U0001F600 \u0080";
    CHECK(json_quoted(text) == "\"" + text + "\"");
    CHECK(read_string(json_quoted(text)) == text);
    CHECK(json_quoted("\x01\x1f") == R"("\u0001\u001f")");
    CHECK_THROWS_AS(json_quoted("\xFF"), JsonError);
    CHECK_THROWS_AS(JsonWriter().begin_object().key("\xC3"), JsonError);
}
