// Python's pickles as data: the few operations that describe dictionaries of tensors, and no
// others. Nothing is looked up by name and nothing is called. Source: CPython's Lib/pickletools.py.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "byte_reader.hpp"
#include "json.hpp"

namespace typenet::detail {

enum class PickleKind : std::uint8_t {
    none,
    boolean,
    integer,
    real,
    text,
    tuple,
    list,
    dictionary,  ///< items: key, value, key, value
    global,      ///< text: module, a line feed, name
    storage,     ///< items: the tuple that describes it
    tensor,      ///< items: the arguments of torch._utils._rebuild_tensor_v2
};

inline std::string_view to_string(PickleKind kind) {
    constexpr std::array names{"None",   "a truth value", "an integer", "a number",
                               "a text", "a tuple",       "a list",     "a dictionary",
                               "a name", "a storage",     "a tensor"};
    return names[static_cast<std::size_t>(kind)];
}

/// One value. Others are named by their place in Pickle::values, so that what a pickle shares stays
/// shared, be it nested ever so deep.
struct PickleValue {
    PickleKind kind = PickleKind::none;
    std::int64_t number = 0;
    std::string_view text;  ///< within the bytes that were read
    std::vector<std::uint32_t> items;
};

struct Pickle {
    std::vector<PickleValue> values;
    std::uint32_t root = 0;

    const PickleValue& operator[](std::uint32_t index) const { return values[index]; }
};

/// Names that may stand in a pickle, as its text has them.
inline constexpr std::string_view ordered_dictionary = "collections\nOrderedDict";
inline constexpr std::string_view rebuild_tensor = "torch._utils\n_rebuild_tensor_v2";
inline constexpr std::string_view rebuild_parameter = "torch._utils\n_rebuild_parameter";
inline constexpr std::string_view storage_module = "torch\n";
inline constexpr std::string_view storage_suffix = "Storage";

/// Executes a pickle of protocol 2. `bytes` must outlive what it returns; `origin` names the file
/// in errors. Throws FileError for every operation and name that is not known here, and for more
/// than a million values.
class PickleReader {
public:
    static Pickle read(std::span<const std::byte> bytes, std::string_view origin) {
        PickleReader reader(bytes, origin);
        reader.run();
        return std::move(reader.pickle_);
    }

private:
    using Index = std::uint32_t;
    static constexpr std::size_t most = 1'000'000;  // values, and names for them in the memo
    static constexpr const char* remedy =
        "in PyTorch, save the weights alone: torch.save(model.state_dict(), path)";

    PickleReader(std::span<const std::byte> bytes, std::string_view origin)
        : bytes_(bytes, origin, "its data.pkl", "get or write the file anew"), origin_(origin) {}

    void run() {
        if (take() != 0x80 || take() != 2)
            fail("it is not of pickle protocol 2; leave pickle_protocol of torch.save as it is");
        for (std::uint8_t code = take(); code != '.'; code = take()) step(code);
        if (stack_.size() != 1 || !marks_.empty()) fail("it ends with something unfinished");
        if (bytes_.left() > 0) fail("something follows its end");
        pickle_.root = stack_.back();
    }

    void step(std::uint8_t code) {
        using enum PickleKind;
        switch (code) {
            case 'N':
                return push({none, 0, {}, {}});
            case 0x88:
                return push({boolean, 1, {}, {}});
            case 0x89:
                return push({boolean, 0, {}, {}});
            case 'K':
                return push_integer(bytes_.number<std::uint8_t>());
            case 'M':
                return push_integer(bytes_.number<std::uint16_t>());
            case 'J':
                return push_integer(bytes_.number<std::int32_t>());
            case 0x8A:
                return push_integer(long_integer());
            case 'G':
                bytes_.take(8);
                return push({real, 0, {}, {}});
            case 'X':
                return push({text, 0, checked_text(), {}});
            case ')':
                return push({tuple, 0, {}, {}});
            case 0x85:
                return push_tuple(1);
            case 0x86:
                return push_tuple(2);
            case 0x87:
                return push_tuple(3);
            case 't':
                return push({tuple, 0, {}, pop_to_mark()});
            case ']':
                return push({list, 0, {}, {}});
            case '}':
                return push({dictionary, 0, {}, {}});
            case 'a':
                return extend(list, pop(1), 1);
            case 'e':
                return extend(list, pop_to_mark(), 1);
            case 's':
                return extend(dictionary, pop(2), 2);
            case 'u':
                return extend(dictionary, pop_to_mark(), 2);
            case '(':
                marks_.push_back(stack_.size());
                return count(marks_.size());
            case 'q':
                return memorize(bytes_.number<std::uint8_t>());
            case 'r':
                return memorize(bytes_.number<std::uint32_t>());
            case 'h':
                return recall(bytes_.number<std::uint8_t>());
            case 'j':
                return recall(bytes_.number<std::uint32_t>());
            case 'c':
                return push({global, 0, known_global(), {}});
            case 'Q':
                return push({storage, 0, {}, pop(1)});
            case 'R':
                return reduce();
            case 'b':
                return build();
            default:
                fail("the pickle operation " + std::to_string(code) + " is not one of plain data");
        }
    }

    std::uint8_t take() { return bytes_.number<std::uint8_t>(); }

    void count(std::size_t size) const {
        if (size > most) fail("it has more than " + std::to_string(most) + " values");
    }
    void push(PickleValue value) {
        count(pickle_.values.size() + 1);
        pickle_.values.push_back(std::move(value));
        stack_.push_back(static_cast<Index>(pickle_.values.size() - 1));
    }
    void push_integer(std::int64_t number) { push({PickleKind::integer, number, {}, {}}); }
    void push_tuple(std::size_t size) { push({PickleKind::tuple, 0, {}, pop(size)}); }

    /// What lies above the innermost mark is all that an operation may touch.
    std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

    std::vector<Index> pop(std::size_t size) {
        if (stack_.size() - floor() < size) fail("an operation lacks its values");
        std::vector<Index> taken(stack_.end() - static_cast<std::ptrdiff_t>(size), stack_.end());
        stack_.resize(stack_.size() - size);
        return taken;
    }
    std::vector<Index> pop_to_mark() {
        if (marks_.empty()) fail("an operation lacks its mark");
        std::vector<Index> taken = pop(stack_.size() - floor());
        marks_.pop_back();
        return taken;
    }
    Index top() const {
        if (stack_.size() == floor()) fail("an operation lacks its value");
        return stack_.back();
    }

    void extend(PickleKind kind, const std::vector<Index>& more, std::size_t multiple) {
        PickleValue& container = pickle_.values[top()];
        if (container.kind != kind || more.size() % multiple != 0)
            fail("items are added to what takes none of them");
        container.items.insert(container.items.end(), more.begin(), more.end());
        items_ += more.size();
        count(items_);
    }

    void memorize(Index place) {
        memo_[place] = top();
        count(memo_.size());
    }
    void recall(Index place) {
        const auto found = memo_.find(place);
        if (found == memo_.end()) fail("it recalls what it never memorized");
        count(stack_.size());
        stack_.push_back(found->second);
    }

    std::int64_t long_integer() {
        const std::span<const std::byte> digits = bytes_.take(take());
        if (digits.size() > 8) fail("an integer has more than 64 bits");
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < digits.size(); ++i)
            value |= std::to_integer<std::uint64_t>(digits[i]) << 8 * i;
        // Two's complement: the highest bit of the last byte is the sign.
        const int unused = digits.empty() ? 0 : static_cast<int>(64 - 8 * digits.size());
        return std::bit_cast<std::int64_t>(value << unused) >> unused;
    }

    std::string_view checked_text() {
        const std::string_view text = bytes_.text(bytes_.number<std::uint32_t>());
        if (!is_utf8(text)) fail("a text is not UTF-8");
        return text;
    }

    std::string_view known_global() {
        const std::string_view module = bytes_.text_until('\n');
        const std::string_view name = bytes_.text_until('\n');
        const std::string_view both(module.data(), module.size() + 1 + name.size());
        const bool is_storage =
            both.starts_with(storage_module) && both.ends_with(storage_suffix) && is_utf8(both);
        if (both == ordered_dictionary || both == rebuild_tensor || both == rebuild_parameter ||
            is_storage)
            return both;
        const std::string shown = std::string(module) + "." + std::string(name);
        throw FileError(std::string(origin_),
                        "holds the Python object " +
                            (is_utf8(shown) ? excerpt(shown) : std::string("(not UTF-8)")) +
                            ", which takes Python to read; only dictionaries of tensors are read",
                        remedy);
    }

    /// A call, as far as it builds one of the known things.
    void reduce() {
        const std::vector<Index> call = pop(2);
        const std::string_view name = pickle_[call[0]].text;
        const std::vector<Index>& arguments = pickle_[call[1]].items;
        if (pickle_[call[0]].kind != PickleKind::global ||
            pickle_[call[1]].kind != PickleKind::tuple)
            fail("it calls what cannot be called");
        if (name == ordered_dictionary && arguments.empty())
            push({PickleKind::dictionary, 0, {}, {}});
        else if (name == rebuild_tensor)
            push({PickleKind::tensor, 0, {}, {call[1]}});
        else if (name == rebuild_parameter && !arguments.empty() &&
                 pickle_[arguments[0]].kind == PickleKind::tensor)
            stack_.push_back(arguments[0]);
        else
            fail("it calls " + excerpt(name) + " with other arguments than PyTorch does");
    }

    /// An OrderedDict may carry attributes: a state dict has the versions of its layers there.
    void build() {
        pop(1);
        if (pickle_[top()].kind != PickleKind::dictionary)
            fail("it gives attributes to something else than a dictionary");
    }

    [[noreturn]] void fail(const std::string& problem) const {
        throw FileError(std::string(origin_),
                        "a .pth file that is damaged, or of no state dict: " + problem, remedy);
    }

    ByteReader bytes_;
    std::string_view origin_;
    Pickle pickle_;
    std::vector<Index> stack_;
    std::vector<std::size_t> marks_;
    std::map<Index, Index> memo_;
    std::size_t items_ = 0;
};

}  // namespace typenet::detail
