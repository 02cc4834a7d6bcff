/* Links in an answer. What was JSON is JSON; nothing but links changes; behind the rewriting there is nothing
 * left to rewrite: no link leads past the gate. The same for a link alone. */
#include "policies/document.h"
#include "policies/links.h"
#include "tests/fuzz/fuzz.h"

static const struct links_origin origin = {SPAN_INIT("api.test"), 443, true};
#define GATE "http://gate.test:8080"

static void check_link(struct span link)
{
    struct text out = {0}, again = {0};

    if (link_rewrite(link, &origin, GATE, &out)) {
        FUZZ_CHECK(strncmp(out.data, GATE, strlen(GATE)) == 0);
        FUZZ_CHECK(!link_rewrite(fuzz_of(&out), &origin, GATE, &again));
    } else {
        FUZZ_CHECK(out.length == 0);
    }
    text_free(&out);
    text_free(&again);
}

static void check_json(struct span json)
{
    struct text out = {0}, again = {0};
    const char *fault = NULL;
    bool changed, more;
    json_t *before = json_loadb(json.data, json.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    if (!links_rewrite(json, &origin, GATE, &out, &changed, &fault)) {
        FUZZ_CHECK(fault != NULL);
    } else if (changed) {
        FUZZ_CHECK(links_rewrite(fuzz_of(&out), &origin, GATE, &again, &more, &fault));
        FUZZ_CHECK(!more);
        json_t *after = json_loadb(out.data, out.length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        FUZZ_CHECK(before == NULL || after != NULL);
        json_decref(after);
    } else {
        FUZZ_CHECK(out.length == 0);
    }
    json_decref(before);
    text_free(&out);
    text_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = fuzz_span(data, size);

    check_link(bytes);
    check_json(bytes);
    return 0;
}
