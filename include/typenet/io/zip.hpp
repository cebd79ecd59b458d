// Zip files whose entries are stored, not compressed, as PyTorch writes them: read strictly, so
// that every byte belongs to one entry or to the directory. Source: PKWARE's APPNOTE 6.3.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../core/error.hpp"
#include "byte_reader.hpp"
#include "crc.hpp"
#include "json.hpp"

namespace typenet::detail {

/// The directory of a zip file, and its entries' bytes.
class ZipFile {
public:
    struct Entry {
        std::string name;
        std::uint16_t flags = 0;
        std::uint16_t method = 0;  ///< 0: stored
        std::uint32_t crc = 0;
        std::uint64_t stored_size = 0;  ///< bytes in the file
        std::uint64_t size = 0;         ///< bytes once unpacked
        std::uint64_t start = 0;        ///< of the entry's own header
    };

    /// Reads the directory of `file`, which must outlive this. `origin` names it in errors. Throws
    /// FileError.
    ZipFile(std::span<const std::byte> file, std::string_view origin)
        : file_(file), origin_(origin) {
        read_directory();
    }

    std::span<const Entry> entries() const { return entries_; }

    /// The bytes of all entries by name. Throws FileError where one is compressed or encrypted,
    /// overlaps another, leaves a gap, or has other bytes than its CRC says.
    std::map<std::string, std::span<const std::byte>, std::less<>> contents() const {
        std::vector<const Entry*> order;
        for (const Entry& entry : entries_) order.push_back(&entry);
        std::ranges::sort(order, {}, &Entry::start);
        std::map<std::string, std::span<const std::byte>, std::less<>> contents;
        const std::uint64_t first = order.empty() ? directory_ : order[0]->start;
        if (first != 0) fail("the bytes at its start belong to nothing");
        for (std::size_t i = 0; i < order.size(); ++i)
            contents[order[i]->name] =
                read(*order[i], i + 1 < order.size() ? order[i + 1]->start : directory_);
        return contents;
    }

    [[noreturn]] void fail(const std::string& problem) const {
        throw FileError(std::string(origin_), "a damaged zip file: " + problem, remedy);
    }
    [[noreturn]] void fail(const Entry& entry, const std::string& problem) const {
        fail("entry " + excerpt(entry.name) + ": " + problem);
    }

private:
    static constexpr const char* remedy = "get or write the file anew";
    static constexpr std::uint16_t unknown16 = 0xFFFF;
    static constexpr std::uint32_t unknown32 = 0xFFFFFFFF;
    static constexpr std::uint16_t encrypted = 1;
    static constexpr std::uint16_t has_descriptor = 8;

    ByteReader reader(std::uint64_t start, std::uint64_t end, std::string_view what) const {
        if (start > end || end > file_.size()) fail(std::string(what) + " lies outside the file");
        return {
            file_.subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(end - start)),
            origin_, what, remedy};
    }

    /// Fields of the end of the directory. Where they do not fit 32 bits, another record before it
    /// holds them.
    void read_directory() {
        constexpr std::size_t end_size = 22;
        constexpr std::string_view end_mark{"PK\5\6", 4};
        const std::string_view text(reinterpret_cast<const char*>(file_.data()), file_.size());
        std::size_t end = text.rfind(end_mark);
        // What looks like the mark may be part of the comment that ends the file.
        while (end != text.npos &&
               (text.size() - end < end_size ||
                text.size() - end !=
                    end_size + reader(end + 20, end + 22, "").number<std::uint16_t>()))
            end = end == 0 || text.size() - end > end_size + unknown16
                      ? text.npos
                      : text.rfind(end_mark, end - 1);
        if (end == text.npos) fail("it lacks its directory: the file is cut, or none");

        ByteReader record = reader(end + 4, end + end_size, "the end of the directory");
        const auto disk = record.number<std::uint16_t>();
        const auto directory_disk = record.number<std::uint16_t>();
        const auto entries_here = record.number<std::uint16_t>();
        const auto entries16 = record.number<std::uint16_t>();
        const auto size32 = record.number<std::uint32_t>();
        const auto start32 = record.number<std::uint32_t>();
        if (disk != 0 || directory_disk != 0 || entries_here != entries16)
            fail("it is one part of several");
        std::uint64_t count = entries16;
        std::uint64_t size = size32;
        directory_ = start32;

        constexpr std::size_t locator_size = 20;
        if (end >= locator_size && text.substr(end - locator_size, 4) == "PK\6\7") {
            ByteReader locator = reader(end - locator_size + 8, end, "the locator");
            const std::uint64_t large = locator.number<std::uint64_t>();
            ByteReader fields =
                reader(large, end - locator_size, "the end of the directory in 64 bits");
            if (fields.text(4) != "PK\6\6" || fields.number<std::uint64_t>() + 12 != 56 ||
                fields.left() != 44)
                fail("the end of its directory in 64 bits is none");
            fields.take(12);  // versions, disks
            const auto count_here = fields.number<std::uint64_t>();
            count = fields.number<std::uint64_t>();
            size = fields.number<std::uint64_t>();
            directory_ = fields.number<std::uint64_t>();
            const auto agree = [](std::uint64_t small, std::uint64_t unknown, std::uint64_t value) {
                return small == unknown || small == value;
            };
            if (count_here != count || !agree(entries16, unknown16, count) ||
                !agree(size32, unknown32, size) || !agree(start32, unknown32, directory_))
                fail("the two ends of its directory disagree");
            end = static_cast<std::size_t>(large);
        }
        if (directory_ > end || size != end - directory_)
            fail("its directory does not end where its end begins");

        ByteReader directory = reader(directory_, end, "its directory");
        std::set<std::string_view> names;
        while (directory.left() > 0) entries_.push_back(read_entry(directory));
        if (entries_.size() != count)
            fail("its directory has " + std::to_string(entries_.size()) + " entries and says " +
                 std::to_string(count));
        for (const Entry& entry : entries_)
            if (!names.insert(entry.name).second) fail(entry, "it comes twice");
    }

    Entry read_entry(ByteReader& directory) const {
        if (directory.text(4) != "PK\1\2") fail("its directory holds something else than entries");
        directory.take(4);  // versions
        Entry entry;
        entry.flags = directory.number<std::uint16_t>();
        entry.method = directory.number<std::uint16_t>();
        directory.take(4);  // time
        entry.crc = directory.number<std::uint32_t>();
        const auto stored32 = directory.number<std::uint32_t>();
        const auto size32 = directory.number<std::uint32_t>();
        const auto name_size = directory.number<std::uint16_t>();
        const auto extra_size = directory.number<std::uint16_t>();
        const auto comment_size = directory.number<std::uint16_t>();
        directory.take(8);  // disk, attributes
        const auto start32 = directory.number<std::uint32_t>();
        entry.name = directory.text(name_size);
        if (!is_utf8(entry.name)) fail("the name of an entry is not UTF-8");
        ByteReader extra(directory.take(extra_size), origin_, "an entry of its directory", remedy);
        directory.take(comment_size);

        entry.size = size32;
        entry.stored_size = stored32;
        entry.start = start32;
        while (extra.left() > 0) {
            const auto id = extra.number<std::uint16_t>();
            const auto field_size = extra.number<std::uint16_t>();
            ByteReader field(extra.take(field_size), origin_, "an entry of its directory", remedy);
            if (id != 1) continue;
            if (size32 == unknown32) entry.size = field.number<std::uint64_t>();
            if (stored32 == unknown32) entry.stored_size = field.number<std::uint64_t>();
            if (start32 == unknown32) entry.start = field.number<std::uint64_t>();
        }
        return entry;
    }

    /// The bytes of an entry that has the file up to `end`.
    std::span<const std::byte> read(const Entry& entry, std::uint64_t end) const {
        if (entry.flags & encrypted) fail(entry, "it is encrypted; write the file without");
        if (entry.method != 0 || entry.stored_size != entry.size)
            fail(entry, "it is compressed, which torch.save never does");
        ByteReader bytes = reader(entry.start, directory_, "an entry");
        if (bytes.text(4) != "PK\3\4") fail(entry, "its header is missing");
        bytes.take(2);  // version
        const auto flags = bytes.number<std::uint16_t>();
        const auto method = bytes.number<std::uint16_t>();
        bytes.take(4);  // time
        const auto crc = bytes.number<std::uint32_t>();
        const auto stored_size = bytes.number<std::uint32_t>();
        const auto size = bytes.number<std::uint32_t>();
        const auto name_size = bytes.number<std::uint16_t>();
        const auto extra_size = bytes.number<std::uint16_t>();
        const std::string_view name = bytes.text(name_size);
        bytes.take(extra_size);
        // A writer that did not know them yet left zeros, and put them behind the data.
        const auto agree = [&](std::uint32_t here, std::uint64_t there) {
            return here == there || here == unknown32 || (flags & has_descriptor && here == 0);
        };
        if (name != entry.name || flags != entry.flags || method != entry.method ||
            !agree(crc, entry.crc) || !agree(stored_size, entry.size) || !agree(size, entry.size))
            fail(entry, "its header says other things than the directory");
        const std::span<const std::byte> data = bytes.take(entry.size);
        const std::uint64_t data_end = directory_ - bytes.left();
        if (data_end > end) fail(entry, "it overlaps the one behind it");
        check_rest(entry, {bytes.take(end - data_end), origin_, "an entry", remedy});
        if (crc32(data) != entry.crc)
            fail(entry, "its bytes are not those that were written: the CRC differs");
        return data;
    }

    /// Behind an entry's data are the numbers that its header lacks, or nothing.
    void check_rest(const Entry& entry, ByteReader rest) const {
        if (entry.flags & has_descriptor) {
            const bool is_large = rest.left() == 24;
            const auto size = [&] {
                return is_large ? rest.number<std::uint64_t>() : rest.number<std::uint32_t>();
            };
            if (rest.text(4) != "PK\7\10" || rest.number<std::uint32_t>() != entry.crc ||
                size() != entry.size || size() != entry.size)
                fail(entry, "what follows it says other things than the directory");
        }
        if (rest.left() > 0) fail(entry, "bytes behind it belong to nothing");
    }

    std::span<const std::byte> file_;
    std::string_view origin_;
    std::uint64_t directory_ = 0;  // where it begins
    std::vector<Entry> entries_;
};

}  // namespace typenet::detail
