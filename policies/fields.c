#include "policies/fields.h"

#include "policies/ascii.h"

#define NAME_LONGEST 32 /* no row is longer: what stands behind that decides nothing */

#define SINGLE FIELD_SINGLE
#define JUDGED FIELD_JUDGED

#define ROW(name, use, rules)                                                                                \
    {                                                                                                        \
        (name), sizeof(name) - 1, (use), (rules)                                                             \
    }

/* Whole names, by length and then by name: most steps of the search compare two numbers.
 *
 * FIELD_OURS holds more than what the gate writes: Range, A-IM and the digests speak of bytes that the gate
 * does not pass on as they are. */
static const struct field_row rows[] = {
    ROW("te", FIELD_HOP, 0),
    ROW("via", FIELD_OURS, 0),
    ROW("a-im", FIELD_OURS, 0),
    ROW("date", FIELD_FORWARD, SINGLE),
    ROW("from", FIELD_CLAIM, SINGLE),
    ROW("host", FIELD_OURS, SINGLE | JUDGED),
    ROW("proxy", FIELD_CLAIM, 0),
    ROW("range", FIELD_OURS, SINGLE),
    ROW("accept", FIELD_FORWARD, JUDGED),
    ROW("cookie", FIELD_CLAIM, 0),
    ROW("digest", FIELD_OURS, 0),
    ROW("expect", FIELD_HOP, SINGLE),
    ROW("x-host", FIELD_CLAIM, 0),
    ROW("api-key", FIELD_CLAIM, 0),
    ROW("cookie2", FIELD_CLAIM, 0),
    ROW("referer", FIELD_FORWARD, SINGLE),
    ROW("trailer", FIELD_HOP, 0),
    ROW("upgrade", FIELD_HOP, 0),
    ROW("x-https", FIELD_CLAIM, 0),
    ROW("alt-used", FIELD_CLAIM, 0),
    ROW("if-match", FIELD_OURS, JUDGED),
    ROW("if-range", FIELD_OURS, SINGLE),
    ROW("trailers", FIELD_HOP, 0),
    ROW("x-scheme", FIELD_CLAIM, 0),
    ROW("x-tenant", FIELD_CLAIM, 0),
    ROW("client-ip", FIELD_CLAIM, 0),
    ROW("forwarded", FIELD_CLAIM, 0),
    ROW("x-api-key", FIELD_CLAIM, 0),
    ROW("x-arr-ssl", FIELD_CLAIM, 0),
    ROW("x-real-ip", FIELD_CLAIM, 0),
    ROW("connection", FIELD_HOP, 0),
    ROW("fastly-ssl", FIELD_CLAIM, 0),
    ROW("keep-alive", FIELD_HOP, 0),
    ROW("user-agent", FIELD_FORWARD, 0),
    ROW("x-identity", FIELD_CLAIM, 0),
    ROW("x-username", FIELD_CLAIM, 0),
    ROW("client-cert", FIELD_CLAIM, 0),
    ROW("content-md5", FIELD_OURS, 0),
    ROW("repr-digest", FIELD_OURS, 0),
    ROW("traceparent", FIELD_OURS, SINGLE),
    ROW("want-digest", FIELD_OURS, 0),
    ROW("x-client-ip", FIELD_CLAIM, 0),
    ROW("x-forwarded", FIELD_CLAIM, 0),
    ROW("x-principal", FIELD_CLAIM, 0),
    ROW("x-real-host", FIELD_CLAIM, 0),
    ROW("x-real-user", FIELD_CLAIM, 0),
    ROW("content-type", FIELD_OURS, SINGLE | JUDGED),
    ROW("max-forwards", FIELD_FORWARD, SINGLE),
    ROW("snyk-version", FIELD_OURS, SINGLE | JUDGED),
    ROW("x-request-id", FIELD_OURS, SINGLE),
    ROW("x-url-scheme", FIELD_CLAIM, 0),
    ROW("authorization", FIELD_OURS, SINGLE | JUDGED | FIELD_CREDENTIAL),
    ROW("content-range", FIELD_OURS, SINGLE | JUDGED),
    ROW("if-none-match", FIELD_FORWARD, JUDGED),
    ROW("x-forward-for", FIELD_CLAIM, 0),
    ROW("x-rewrite-url", FIELD_CLAIM, 0),
    ROW("cf-pseudo-ipv4", FIELD_CLAIM, 0),
    ROW("content-digest", FIELD_OURS, 0),
    ROW("content-length", FIELD_OURS, SINGLE | JUDGED),
    ROW("http2-settings", FIELD_HOP, 0),
    ROW("true-client-ip", FIELD_CLAIM, 0),
    ROW("x-access-token", FIELD_CLAIM, 0),
    ROW("x-override-url", FIELD_CLAIM, 0),
    ROW("x-proxyuser-ip", FIELD_CLAIM, 0),
    ROW("x-snyk-version", FIELD_OURS, SINGLE | JUDGED),
    ROW("accept-encoding", FIELD_OURS, 0),
    ROW("front-end-https", FIELD_CLAIM, 0),
    ROW("idempotency-key", FIELD_ORDER, SINGLE | JUDGED),
    ROW("x-session-token", FIELD_CLAIM, 0),
    ROW("cf-connecting-ip", FIELD_CLAIM, 0),
    ROW("content-encoding", FIELD_OURS, JUDGED),
    ROW("content-location", FIELD_FORWARD, SINGLE),
    ROW("fastly-client-ip", FIELD_CLAIM, 0),
    ROW("impersonate-user", FIELD_CLAIM, 0),
    ROW("proxy-connection", FIELD_HOP, 0),
    ROW("want-repr-digest", FIELD_OURS, 0),
    ROW("x-arr-clientcert", FIELD_CLAIM, 0),
    ROW("x-azure-clientip", FIELD_CLAIM, 0),
    ROW("x-azure-socketip", FIELD_CLAIM, 0),
    ROW("client-cert-chain", FIELD_CLAIM, 0),
    ROW("if-modified-since", FIELD_FORWARD, SINGLE | JUDGED),
    ROW("impersonate-group", FIELD_CLAIM, 0),
    ROW("portcullis-reason", FIELD_ORDER, SINGLE | JUDGED),
    ROW("transfer-encoding", FIELD_HOP, SINGLE),
    ROW("x-method-override", FIELD_CLAIM, 0),
    ROW("cf-connecting-ipv6", FIELD_CLAIM, 0),
    ROW("proxy-authenticate", FIELD_HOP, 0),
    ROW("portcullis-dry-run", FIELD_ORDER, SINGLE | JUDGED),
    ROW("x-impersonate-user", FIELD_CLAIM, 0),
    ROW("if-unmodified-since", FIELD_FORWARD, SINGLE | JUDGED),
    ROW("proxy-authorization", FIELD_HOP, SINGLE),
    ROW("want-content-digest", FIELD_OURS, 0),
    ROW("x-cluster-client-ip", FIELD_CLAIM, 0),
    ROW("portcullis-break-glass", FIELD_ORDER, SINGLE | JUDGED),
    ROW("x-goog-iap-jwt-assertion", FIELD_CLAIM, 0),
    ROW("proxy-authentication-info", FIELD_HOP, 0),
    ROW("x-custom-ip-authorization", FIELD_CLAIM, 0),
};

/* Beginnings of names. Few names get here by their first byte. */
static const struct field_row prefixes[] = {
    ROW("forwarded-", FIELD_CLAIM, 0),
    ROW("portcullis-", FIELD_CONTROL, JUDGED),
    ROW("proxy-", FIELD_HOP, 0),
    ROW("remote-", FIELD_CLAIM, 0),
    ROW("ssl-client-", FIELD_CLAIM, 0),
    ROW("x-amzn-oidc-", FIELD_CLAIM, 0),
    ROW("x-appengine-", FIELD_CLAIM, 0),
    ROW("x-auth-", FIELD_CLAIM, 0),
    ROW("x-authenticated-", FIELD_CLAIM, 0),
    ROW("x-client-cert", FIELD_CLAIM, 0),
    ROW("x-envoy-", FIELD_CLAIM, 0),
    ROW("x-forwarded-", FIELD_CLAIM, 0),
    ROW("x-goog-authenticated-", FIELD_CLAIM, 0),
    ROW("x-http-", FIELD_CLAIM, 0),
    ROW("x-ms-client-principal", FIELD_CLAIM, 0),
    ROW("x-original-", FIELD_CLAIM, 0),
    ROW("x-originating-", FIELD_CLAIM, 0),
    ROW("x-remote-", FIELD_CLAIM, 0),
    ROW("x-rewrite-", FIELD_CLAIM, 0),
    ROW("x-ssl-", FIELD_CLAIM, 0),
    ROW("x-tls-", FIELD_CLAIM, 0),
    ROW("x-user", FIELD_CLAIM, 0),
    ROW("x-webauth-", FIELD_CLAIM, 0),
};

/* Words between hyphens that make a name an identity or a credential, wherever they stand in it:
 * "X-Acting-User", "Session-Token". What would pass beside a judged token could be believed in its place. */
static const struct span words[] = {
    SPAN_INIT("account"), SPAN_INIT("acting"),   SPAN_INIT("assertion"),   SPAN_INIT("authorization"),
    SPAN_INIT("behalf"),  SPAN_INIT("consumer"), SPAN_INIT("credential"),  SPAN_INIT("credentials"),
    SPAN_INIT("email"),   SPAN_INIT("identity"), SPAN_INIT("impersonate"), SPAN_INIT("jwt"),
    SPAN_INIT("key"),     SPAN_INIT("login"),    SPAN_INIT("password"),    SPAN_INIT("principal"),
    SPAN_INIT("role"),    SPAN_INIT("roles"),    SPAN_INIT("secret"),      SPAN_INIT("session"),
    SPAN_INIT("subject"), SPAN_INIT("sudo"),     SPAN_INIT("tenant"),      SPAN_INIT("token"),
    SPAN_INIT("user"),    SPAN_INIT("userid"),   SPAN_INIT("username"),
};
static const struct field_row claim = ROW("", FIELD_CLAIM, 0);

/* What holds for every name without a row. */
static const struct field_row other = ROW("", FIELD_FORWARD, 0);

static char fold(char c)
{
    return c == '_' ? '-' : ascii_lower(c);
}

static const struct field_row *find_whole(const char *name, size_t length)
{
    size_t low = 0, high = sizeof rows / sizeof *rows;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct field_row *row = &rows[middle];
        int order = row->length != length ? (row->length < length ? -1 : 1) : memcmp(row->name, name, length);
        if (order == 0)
            return row;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static const struct field_row *find_prefix(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (prefixes[i].name[0] == name[0] && length >= prefixes[i].length &&
            memcmp(prefixes[i].name, name, prefixes[i].length) == 0)
            return &prefixes[i];
    return NULL;
}

static bool is_word(struct span part)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_equal(words[i], part))
            return true;
    return false;
}

static const struct field_row *find_word(const char *name, size_t length)
{
    for (size_t from = 0, to; from < length; from = to + 1) {
        for (to = from; to < length && name[to] != '-'; to++)
            ;
        if (is_word((struct span){name + from, to - from}))
            return &claim;
    }
    return NULL;
}

const struct field_row *field_row(struct span name)
{
    char folded[NAME_LONGEST];
    size_t length = name.length < sizeof folded ? name.length : sizeof folded;
    const struct field_row *row = NULL;

    if (length == 0)
        return &other;
    for (size_t i = 0; i < length; i++)
        folded[i] = fold(name.data[i]);
    if (length == name.length)
        row = find_whole(folded, length);
    if (row == NULL)
        row = find_prefix(folded, length);
    if (row == NULL)
        row = find_word(folded, length);
    return row != NULL ? row : &other;
}

enum field_use field_use(struct span name)
{
    return field_row(name)->use;
}

bool field_is_single(struct span name)
{
    return (field_row(name)->rules & SINGLE) != 0;
}

bool field_names_fold_alike(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (a[i] != b[i] && fold(a[i]) != fold(b[i]))
            return false;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the next member off a comma-separated list, without the space around it; empty members are left out.
 * false at the end. */
static bool next_member(struct span *list, struct span *member)
{
    while (list->length > 0) {
        const char *comma = memchr(list->data, ',', list->length);
        size_t length = comma != NULL ? (size_t)(comma - list->data) : list->length;
        size_t taken = length + (comma != NULL ? 1 : 0);

        *member = (struct span){list->data, length};
        *list = (struct span){list->data + taken, list->length - taken};
        while (member->length > 0 && is_space(member->data[0])) {
            member->data++;
            member->length--;
        }
        while (member->length > 0 && is_space(member->data[member->length - 1]))
            member->length--;
        if (member->length > 0)
            return true;
    }
    return false;
}

static bool is_connection(const struct field *field)
{
    return field_name_equal(field->name, span_of("connection"));
}

bool field_named_by_connection(const struct request *request, struct span name)
{
    for (size_t i = 0; i < request->field_count; i++) {
        struct span list = request->fields[i].value, member;
        if (!is_connection(&request->fields[i]))
            continue;
        while (next_member(&list, &member))
            if (field_name_equal(member, name))
                return true;
    }
    return false;
}

struct span field_connection_fault(const struct request *request)
{
    for (size_t i = 0; i < request->field_count; i++) {
        struct span list = request->fields[i].value, member;
        if (!is_connection(&request->fields[i]))
            continue;
        while (next_member(&list, &member))
            if ((field_row(member)->rules & JUDGED) != 0)
                return member;
    }
    return (struct span){NULL, 0};
}
