/* The options of `explain`, as the description of a request. */
#include "proxy/console/explain.h"
#include "proxy/console/facts_said.h"

#include "policies/moment.h"
#include "policies/network.h"
#include "proxy/base/clock.h"

#include <unistd.h>

#define BODY_LIMIT (256ul * 1024 * 1024) /* the most that limits.body_bytes can allow */

static const char *or_memory(const char *fault)
{
    return fault ? fault : "memory is out";
}

/* "Name: value" as a field; false when the wire guard would not let it through. */
static bool field_parse(const char *line, struct field *field)
{
    const char *colon = strchr(line, ':');

    if (colon == NULL)
        return false;
    field->name = (struct span){line, (size_t)(colon - line)};
    field->value = span_trim(span_of(colon + 1));
    return made_field_fault(field->name, field->value) == NULL;
}

static const char *take_headers(struct explain_request *request, const struct explain_options *options,
                                struct arena *arena)
{
    for (size_t i = 0; i < options->header_count; i++) {
        if (!field_parse(options->headers[i], &request->fields[i]))
            return or_memory(
                arena_format(arena, "--header %s: not of the form \"Name: value\"", options->headers[i]));
        if (span_equal_nocase(request->fields[i].name, SPAN("authorization")))
            return "--header cannot carry a token, which others would see in the list of processes: use "
                   "--token-stdin";
    }
    request->description.fields = request->fields;
    request->description.field_count = options->header_count;
    return NULL;
}

static const char *take_token(struct explain_request *request, struct arena *arena)
{
    size_t length;
    const char *fault = secret_read(STDIN_FILENO, request->token, sizeof request->token, &length);

    if (fault != NULL)
        return or_memory(arena_format(arena, "cannot read stdin: %s", fault));
    request->description.token = secret_trim((struct span){request->token, length});
    fault = secret_fault(request->description.token);
    return fault ? or_memory(arena_format(arena, "the token on stdin %s", fault)) : NULL;
}

static const char *take_certificates(struct explain_request *request, const struct explain_options *options,
                                     struct arena *arena)
{
    for (size_t i = 0; i < options->certificate_count; i++) {
        const char *notation = options->certificates[i];
        const char *fault = made_certificate(span_of(notation), arena, &request->names[i]);
        if (fault != NULL)
            return or_memory(arena_format(arena, "--certificate %s: %s", notation, fault));
    }
    request->description.certificates = request->names;
    request->description.certificate_count = options->certificate_count;
    return NULL;
}

static const char *take_body(struct explain_request *request, const char *path, struct arena *arena)
{
    const char *fault;
    bool read = strcmp(path, "-") == 0
                    ? file_read_descriptor(STDIN_FILENO, BODY_LIMIT, &request->body, &fault)
                    : file_read(path, BODY_LIMIT, &request->body, &fault);

    if (!read)
        return or_memory(arena_format(arena, "cannot read the body from %s: %s", path, fault));
    request->description.body = (struct span){request->body.data, request->body.length};
    return NULL;
}

static const char *take_circumstances(struct explain_request *request, const struct explain_options *options,
                                      struct arena *arena)
{
    struct request_description *description = &request->description;
    struct ip_address address;

    if (options->client != NULL)
        description->client = span_of(options->client);
    if (!ip_address_parse(description->client, &address))
        return or_memory(arena_format(arena, "--client %s: not an IP address", options->client));
    if (options->time != NULL && !moment_read(span_of(options->time), &description->now))
        return or_memory(arena_format(arena, "--time %s: not a moment, " MOMENT_FORM, options->time));
    return NULL;
}

/* What is not said is not known: what rules see of it counts as unknown. */
static const char *take_facts(struct explain_request *request, const char *path, struct problems *problems)
{
    static const char *const known[] = {"integration", "radius", NULL};
    const struct place root = {0};
    struct strict strict = {&request->facts, problems, 0};

    if (path != NULL && !file_read_document(&request->facts, path, BODY_LIMIT, problems))
        return "the facts cannot be read";
    request->description.has_facts = true;
    strict_members(&strict, &root, request->facts.root, known);
    facts_said_read(&strict, &root, request->facts.root, &request->description.facts);
    return problems->errors > 0 ? "the facts are wrong" : NULL;
}

const char *explain_request_make(struct explain_request *request, const struct explain_options *options,
                                 const struct config *config, struct arena *arena, struct problems *problems)
{
    request->facts = (struct document){0};
    request->body = (struct text){0};
    request->description = (struct request_description){
        .method = span_of(options->method),
        .target = span_of(options->target),
        .host = made_host(config),
        .client = SPAN("127.0.0.1"),
        .now = clock_now_us() / 1000000,
    };
    const char *fault = take_headers(request, options, arena);

    if (fault == NULL && options->token_stdin)
        fault = take_token(request, arena);
    if (fault == NULL)
        fault = take_circumstances(request, options, arena);
    if (fault == NULL)
        fault = take_certificates(request, options, arena);
    if (fault == NULL && options->body != NULL)
        fault = take_body(request, options->body, arena);
    if (fault == NULL)
        fault = take_facts(request, options->facts, problems);
    if (fault == NULL)
        made_request_make(&request->made, &request->description);
    return fault;
}

void explain_request_wipe(struct explain_request *request)
{
    text_wipe(&request->body);
    document_free(&request->facts);
    explicit_bzero(request->token, sizeof request->token);
    made_request_wipe(&request->made);
}
