#include "proxy/console/explain.h"

#include "policies/certificate_name.h"

#include <time.h>
#include <unistd.h>

#define BODY_LIMIT (256ul * 1024 * 1024) /* the most that limits.body_bytes can allow */
#define SCHEME     "Token "

static bool is_token_character(char c)
{
    return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* "Name: value" as a field; false when the wire guard would not let it through. */
static bool field_parse(const char *line, struct field *field)
{
    const char *colon = strchr(line, ':');

    if (colon == NULL || colon == line)
        return false;
    field->name = (struct span){line, (size_t)(colon - line)};
    field->value = span_trim(span_of(colon + 1));
    for (size_t i = 0; i < field->name.length; i++)
        if (!is_token_character(field->name.data[i]))
            return false;
    for (size_t i = 0; i < field->value.length; i++)
        if (((unsigned char)field->value.data[i] < 0x20 && field->value.data[i] != '\t') ||
            field->value.data[i] == 0x7f)
            return false;
    return true;
}

static bool has_field(const struct explain_request *made, const char *name)
{
    for (size_t i = 0; i < made->request.field_count; i++)
        if (span_equal_nocase(made->fields[i].name, span_of(name)))
            return true;
    return false;
}

static void add_field(struct explain_request *made, const char *name, struct span value)
{
    made->fields[made->request.field_count++] = (struct field){span_of(name), value};
}

static const char *take_headers(struct explain_request *made, const struct explain_options *options,
                                struct arena *arena)
{
    const char *fault;

    for (size_t i = 0; i < options->header_count; i++) {
        if (!field_parse(options->headers[i], &made->fields[made->request.field_count])) {
            fault = arena_format(arena, "--header %s: not of the form \"Name: value\"", options->headers[i]);
            return fault ? fault : "memory is out";
        }
        made->request.field_count++;
    }
    if (has_field(made, "authorization"))
        return "--header cannot carry a token, which others would see in the list of processes: use "
               "--token-stdin";
    return NULL;
}

static const char *take_token(struct explain_request *made, struct arena *arena)
{
    const size_t scheme = strlen(SCHEME);
    size_t length;
    const char *problem = secret_read(STDIN_FILENO, made->authorization + scheme, SECRET_ROOM, &length);

    if (problem != NULL) {
        problem = arena_format(arena, "cannot read stdin: %s", problem);
        return problem ? problem : "memory is out";
    }
    struct span secret = secret_trim((struct span){made->authorization + scheme, length});
    problem = secret_fault(secret);
    if (problem != NULL) {
        problem = arena_format(arena, "the token on stdin %s", problem);
        return problem ? problem : "memory is out";
    }
    memcpy(made->authorization, SCHEME, scheme);
    add_field(made, "Authorization", (struct span){made->authorization, scheme + secret.length});
    return NULL;
}

static const char *take_certificates(struct explain_request *made, const struct explain_options *options,
                                     struct arena *arena)
{
    for (size_t i = 0; i < options->certificate_count; i++) {
        struct certificate_name name;
        const char *fault = certificate_name_read(span_of(options->certificates[i]), &name);
        if (fault != NULL) {
            fault = arena_format(arena, "--certificate %s: %s", options->certificates[i], fault);
            return fault ? fault : "memory is out";
        }
        made->names[i] = arena_copy(arena, (struct span){name.text, name.length});
        if (made->names[i].data == NULL)
            return "memory is out";
    }
    made->request.certificate_names = made->names;
    made->request.certificate_name_count = options->certificate_count;
    return NULL;
}

static const char *take_body(struct explain_request *made, const char *path, struct arena *arena)
{
    const char *problem;
    bool read = strcmp(path, "-") == 0 ? file_read_descriptor(STDIN_FILENO, BODY_LIMIT, &made->body, &problem)
                                       : file_read(path, BODY_LIMIT, &made->body, &problem);

    if (!read) {
        problem = arena_format(arena, "cannot read the body from %s: %s", path, problem);
        return problem ? problem : "memory is out";
    }
    made->request.body = (struct span){made->body.data, made->body.length};
    made->request.has_content = made->body.length > 0;
    if (made->request.has_content && !has_field(made, "content-type"))
        add_field(made, "Content-Type", span_of("application/vnd.api+json"));
    return NULL;
}

/* What a client that knows the first listener only would write. */
static struct span default_host(const struct config *config)
{
    const struct config_address *first = &config->listen[0].address;

    return span_of(first->kind == ADDRESS_TCP ? first->text : "localhost");
}

const char *explain_request_make(struct explain_request *made, const struct explain_options *options,
                                 const struct config *config, struct arena *arena)
{
    *made = (struct explain_request){
        .request = {.method = span_of(options->method),
                    .target = span_of(options->target),
                    .fields = made->fields,
                    .client = span_of("127.0.0.1"),
                    .now = (int64_t)time(NULL)},
    };
    const char *fault = take_headers(made, options, arena);

    if (fault == NULL && !has_field(made, "host"))
        add_field(made, "Host", default_host(config));
    if (fault == NULL && options->token_stdin)
        fault = take_token(made, arena);
    if (fault == NULL)
        fault = take_certificates(made, options, arena);
    if (fault == NULL && options->body != NULL)
        fault = take_body(made, options->body, arena);
    return fault;
}

void explain_request_wipe(struct explain_request *made)
{
    text_wipe(&made->body);
    explicit_bzero(made->authorization, sizeof made->authorization);
}
