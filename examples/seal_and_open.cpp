// Seals a message for one recipient and opens it again in C++, where handles and results free themselves.
//
//     c++ -std=c++17 examples/seal_and_open.cpp $(pkg-config --cflags --libs dmr) -o seal_and_open && ./seal_and_open
#include <dmr.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

// Throws what the library says when a call did not succeed.
static void must(dmr_status status)
{
    if (status != DMR_OK) {
        char text[1024];
        std::size_t needed = 0;
        dmr_last_error(text, sizeof text, &needed);
        throw std::runtime_error(text);
    }
}

// A handle that is freed with its owner.
template <typename T, dmr_status (*Free)(T **)> struct Free_it {
    void operator()(T *handle) const { Free(&handle); }
};
template <typename T, dmr_status (*Free)(T **)> using Handle = std::unique_ptr<T, Free_it<T, Free>>;
using Keys = Handle<dmr_keys, dmr_keys_free>;
using Directory = Handle<dmr_directory, dmr_directory_free>;
using Authority = Handle<dmr_authority, dmr_authority_free>;

// A result that is freed with its scope.
template <typename T, dmr_status (*Free)(T *)> struct Result : T {
    Result() : T{} {}
    Result(const Result &) = delete;
    Result &operator=(const Result &) = delete;
    ~Result() { Free(this); }
};
using Bytes = Result<dmr_bytes, dmr_bytes_free>;
using Sealed = Result<dmr_sealed, dmr_sealed_free>;
using Opened = Result<dmr_opened, dmr_opened_free>;

constexpr std::uint64_t day = 24 * 60 * 60 * 1000;

static Keys keys(const char *id, const char *name, std::uint64_t now)
{
    dmr_id parsed;
    dmr_keys *made = nullptr;
    must(dmr_id_parse(id, &parsed));
    must(dmr_keys_generate(&parsed, name, DMR_SUITE_X_WING, now, now + 90 * day, &made));
    return Keys(made);
}

int main()
try {
    using namespace std::chrono;
    const auto now = static_cast<std::uint64_t>(
        duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());

    const Keys tax = keys("0193a5c8-7e1d-7cc2-8f4e-000000000001", "tax", now);
    const Keys police = keys("0193a5c8-7e1d-7cc2-8f4e-000000000002", "police", now);
    Bytes tax_card, police_card;
    must(dmr_keys_card(tax.get(), &tax_card));
    must(dmr_keys_card(police.get(), &police_card));
    const dmr_slice cards[] = {{tax_card.data, tax_card.len}, {police_card.data, police_card.len}};

    dmr_authority *founded = nullptr;
    must(dmr_authority_found("demo", now, 30 * day, &founded));
    const Authority keeper(founded);
    dmr_directory *signed_one = nullptr;
    must(dmr_authority_add(keeper.get(), cards, 2, now, 30 * day, &signed_one));
    const Directory directory(signed_one);

    dmr_participant recipient;
    must(dmr_directory_find_name(directory.get(), "police", &recipient));
    constexpr std::string_view question = "Is report 2026-00417 registered with you?";
    dmr_content content{};
    content.content_type = "text/plain";
    content.body = reinterpret_cast<const std::uint8_t *>(question.data());
    content.body_len = question.size();
    dmr_seal_request request{};
    request.recipients = &recipient.id;
    request.recipient_count = 1;
    request.created_ms = now;
    request.expires_ms = now + day;
    request.kind = DMR_KIND_QUESTION;
    Sealed sealed;
    must(dmr_seal(tax.get(), directory.get(), &request, &content, &sealed));
    std::cout << "sealed      " << sealed.envelope.len << " bytes\n";

    Opened opened;
    must(dmr_open(police.get(), directory.get(), sealed.envelope.data, sealed.envelope.len, now, &opened));
    std::cout << "opened      \"" << std::string(reinterpret_cast<char *>(opened.body.data), opened.body.len) << "\"\n";

    sealed.envelope.data[sealed.envelope.len / 2] ^= 1;
    try {
        Opened tampered;
        must(dmr_open(police.get(), directory.get(), sealed.envelope.data, sealed.envelope.len, now, &tampered));
        return 1;
    } catch (const std::runtime_error &refused) {
        std::cout << "tampered    " << refused.what() << "\n";
    }
    return 0;
} catch (const std::exception &error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
}
