#include "proxy/console/made_request.h"

#include "policies/ascii.h"
#include "policies/certificate_name.h"
#include "policies/refusal.h"

#define SCHEME "Token "

const char *made_field_fault(struct span name, struct span value)
{
    if (name.length == 0)
        return "has no name";
    for (size_t i = 0; i < name.length; i++)
        if (!ascii_is_token(name.data[i]))
            return "has a name that no header field can have";
    for (size_t i = 0; i < value.length; i++)
        if (((unsigned char)value.data[i] < 0x20 && value.data[i] != '\t') || value.data[i] == 0x7f)
            return "has a control character in its value";
    return NULL;
}

const char *made_certificate(struct span notation, struct arena *arena, struct span *name)
{
    struct certificate_name read;
    const char *fault = certificate_name_read(notation, &read);

    if (fault != NULL)
        return fault;
    *name = arena_copy(arena, (struct span){read.text, read.length});
    return name->data != NULL ? NULL : "memory is out";
}

const char *made_host(const struct config *config)
{
    bool is_tcp = config != NULL && config->listen_count > 0 && config->listen[0].address.kind == ADDRESS_TCP;

    return is_tcp ? config->listen[0].address.text : "localhost";
}

static bool has_field(const struct made_request *made, const char *name)
{
    for (size_t i = 0; i < made->request.field_count; i++)
        if (span_equal_nocase(made->fields[i].name, span_of(name)))
            return true;
    return false;
}

static void add_field(struct made_request *made, const char *name, struct span value)
{
    made->fields[made->request.field_count++] = (struct field){span_of(name), value};
}

static void add_token(struct made_request *made, struct span token)
{
    const size_t scheme = strlen(SCHEME);

    memcpy(made->authorization, SCHEME, scheme);
    memcpy(made->authorization + scheme, token.data, token.length);
    add_field(made, "Authorization", (struct span){made->authorization, scheme + token.length});
}

void made_request_make(struct made_request *made, const struct request_description *description)
{
    made->request = (struct request){.method = description->method,
                                     .target = description->target,
                                     .fields = made->fields,
                                     .field_count = description->field_count,
                                     .body = description->body,
                                     .has_content = description->body.length > 0,
                                     .certificate_names = description->certificates,
                                     .certificate_name_count = description->certificate_count,
                                     .client = description->client,
                                     .now = description->now,
                                     .facts = description->has_facts ? &description->facts : NULL};
    for (size_t i = 0; i < description->field_count; i++)
        made->fields[i] = description->fields[i];
    if (!has_field(made, "host"))
        add_field(made, "Host", span_of(description->host));
    if (description->token.data != NULL)
        add_token(made, description->token);
    if (made->request.has_content && !has_field(made, "content-type"))
        add_field(made, "Content-Type", SPAN("application/vnd.api+json"));
}

void made_request_wipe(struct made_request *made)
{
    explicit_bzero(made->authorization, sizeof made->authorization);
}

/* The bounds that the front sets before anything is judged. false when the request breaks one: *decision then
 * holds the refusal. */
static bool within_limits(const struct config *config, const struct request *request, struct arena *arena,
                          struct decision *decision)
{
    const struct {
        size_t size, limit;
        enum refusal_kind kind;
        const char *setting;
    } bounds[] = {
        {request->target.length, config->limits.target_bytes, REFUSE_TARGET_TOO_LONG, "limits.target_bytes"},
        {request->body.length, config->limits.body_bytes, REFUSE_BODY_TOO_LARGE, "limits.body_bytes"},
    };

    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        if (bounds[i].size <= bounds[i].limit)
            continue;
        *decision = (struct decision){.verdict = VERDICT_REFUSE, .gate = "limits", .rule = bounds[i].setting};
        refusal_begin(&decision->refusal, bounds[i].kind);
        refusal_add(&decision->refusal, arena,
                    arena_format(arena, "%zu bytes are more than %s allows (%zu)", bounds[i].size,
                                 bounds[i].setting, bounds[i].limit),
                    NULL, NULL);
        return false;
    }
    return true;
}

void made_request_judge(const struct decide_input *input, const struct request *request,
                        const struct config *config, struct arena *arena, struct decision *out)
{
    if (config == NULL || within_limits(config, request, arena, out))
        decide(input, request, arena, out);
}
