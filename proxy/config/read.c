#include "proxy/config/reading.h"
#include "proxy/config/secret_source.h"
#include "proxy/config/value.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_LIMIT  (1024ul * 1024)
#define NAME_BYTES  40 /* of a setting's name, its NUL included */
#define MEMBERS_MAX 32 /* of one object */

/* "upstream.queue" as "/upstream/queue"; a name holds nothing that a pointer escapes. */
static void pointer_of(const char *name, char pointer[static NAME_BYTES])
{
    size_t at = 1;

    pointer[0] = '/';
    for (; *name != '\0' && at < NAME_BYTES - 1; name++)
        pointer[at++] = (char)(*name == '.' ? '/' : *name);
    pointer[at] = '\0';
}

static void read_default(struct reading *reading, const struct setting *setting)
{
    if (setting->standard == NULL) {
        config_wrong(reading, "", setting, "is missing");
        return;
    }
    json_t *value = json_loads(setting->standard, JSON_DECODE_ANY, NULL);
    if (value == NULL)
        config_wrong(reading, "", setting, "cannot be set: memory is out");
    else if (!json_is_null(value))
        config_read_value(reading, setting, "", value);
    json_decref(value);
}

static void read_setting(struct reading *reading, const struct setting *setting)
{
    char pointer[NAME_BYTES];

    pointer_of(setting->name, pointer);
    json_t *value = pointer_get(reading->config->document.root, pointer);
    if (value == NULL)
        read_default(reading, setting);
    else if (!json_is_null(value) || !setting->nullable)
        config_read_value(reading, setting, pointer, value);
}

/* The members that an object of the file may have: those of the settings whose names begin with `section` (""
 * or "upstream."). */
struct members {
    char names[MEMBERS_MAX][NAME_BYTES];
    const char *list[MEMBERS_MAX + 1]; /* NULL-terminated */
    size_t count;
};

static void members_of(const char *section, struct members *members)
{
    size_t count, length = strlen(section);
    const struct setting *settings = config_settings(&count);

    members->count = 0;
    for (size_t i = 0; i < count; i++) {
        const char *rest = settings[i].name + length;
        if (strncmp(settings[i].name, section, length) != 0)
            continue;
        size_t end = strcspn(rest, ".");
        const char *last = members->count ? members->names[members->count - 1] : "";
        if (strlen(last) == end && strncmp(last, rest, end) == 0)
            continue; /* another setting of the section just noted */
        memcpy(members->names[members->count], rest, end);
        members->names[members->count][end] = '\0';
        members->list[members->count] = members->names[members->count];
        members->count++;
    }
    members->list[members->count] = NULL;
}

static bool is_member(const struct members *members, const char *name)
{
    for (size_t i = 0; i < members->count; i++)
        if (strcmp(members->names[i], name) == 0)
            return true;
    return false;
}

static void unknown(struct reading *reading, const char *parent, const char *name,
                    const struct members *members)
{
    const char *nearest = nearest_name(name, members->list);
    struct text pointer = {0};

    text_add_string(&pointer, parent);
    pointer_add(&pointer, name);
    problems_add(reading->problems, SEVERITY_ERROR, &reading->config->document,
                 pointer.failed ? parent : pointer.data, "there is no such setting%s%s%s",
                 nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
    text_free(&pointer);
}

/* Notes the members of one object that no setting has. */
static void check_members(struct reading *reading, json_t *object, const char *section)
{
    struct members members;
    char parent[NAME_BYTES] = "";
    const char *name;
    json_t *value;

    members_of(section, &members);
    if (section[0] != '\0') {
        pointer_of(section, parent);
        parent[strlen(parent) - 1] = '\0'; /* the slash that the section's dot became */
    }
    json_object_foreach (object, name, value) {
        bool schema = section[0] == '\0' && strcmp(name, "$schema") == 0; /* for editors */
        if (!schema && !is_member(&members, name))
            unknown(reading, parent, name, &members);
    }
}

/* The file is an object of settings, and of objects that hold settings. */
static void check_shape(struct reading *reading)
{
    json_t *root = reading->config->document.root, *value;
    const char *name;

    check_members(reading, root, "");
    json_object_foreach (root, name, value) {
        struct members members;
        char section[NAME_BYTES], pointer[NAME_BYTES];

        if ((size_t)snprintf(section, sizeof section, "%s.", name) >= sizeof section)
            continue;
        members_of(section, &members);
        pointer_of(name, pointer);
        if (members.count > 0 && json_is_object(value))
            check_members(reading, value, section);
        else if (members.count > 0)
            problems_add(reading->problems, SEVERITY_ERROR, &reading->config->document, pointer,
                         "%s must be an object of settings", name);
    }
}

/* From here on: what follows from settings, and what they say together. */

static void resolve_workers(struct config *config)
{
    cpu_set_t cores;
    long count;

    if (config->workers > 0)
        return;
    if (sched_getaffinity(0, sizeof cores, &cores) == 0)
        count = CPU_COUNT(&cores);
    else
        count = sysconf(_SC_NPROCESSORS_ONLN);
    config->workers = count > 0 ? (unsigned)count : 1;
}

static void resolve_upstream(struct reading *reading)
{
    struct config *config = reading->config;
    struct origin origin;

    if (config->upstream.url == NULL || origin_parse(config->upstream.url, &origin) != NULL)
        return;
    config->upstream.tls = origin.tls;
    config->upstream.host = origin.host;
    config->upstream.port = origin.port;
    config->upstream.authority = origin.authority;
    if (!origin.tls && !host_is_loopback(origin.host))
        problems_add(reading->problems, SEVERITY_WARNING, &config->document, "/upstream/url",
                     "%s is not encrypted: API keys cross the network in clear", config->upstream.url);
}

static void check_proxy(struct reading *reading, const struct origin *proxy)
{
    const struct config *config = reading->config;
    const struct config_secret *secret = &config->upstream.proxy_credentials;
    const char *fault = NULL;

    if (proxy->tls)
        fault = "must begin with http://: a proxy is spoken to in clear, and carries TLS";
    else if (!config->upstream.tls)
        fault = "needs an https:// upstream: nothing but TLS goes through a proxy";
    else if (config->upstream.addresses != NULL)
        fault = "and upstream.addresses exclude each other: it is the proxy who looks for the upstream";
    if (fault != NULL)
        problems_add(reading->problems, SEVERITY_ERROR, &config->document, "/upstream/proxy",
                     "upstream.proxy %s", fault);
    else if (secret_source_given(secret) && !host_is_loopback(proxy->host))
        problems_add(reading->problems, SEVERITY_WARNING, &config->document, "/upstream/proxy_credentials",
                     "the credentials for %s cross the network in clear, as always with such proxies",
                     config->upstream.proxy);
}

static void resolve_proxy(struct reading *reading)
{
    struct config *config = reading->config;
    const struct config_secret *secret = &config->upstream.proxy_credentials;
    struct origin origin;

    if (config->upstream.proxy == NULL && secret_source_given(secret))
        problems_add(reading->problems, SEVERITY_ERROR, &config->document, "/upstream/proxy_credentials",
                     "upstream.proxy_credentials are for upstream.proxy, which is not set");
    if (config->upstream.proxy == NULL || origin_parse(config->upstream.proxy, &origin) != NULL)
        return;
    check_proxy(reading, &origin);
    config->upstream.proxy_host = origin.host;
    config->upstream.proxy_port = origin.port;
    origin.host = NULL;
    origin_free(&origin);
}

/* "https://gate.example/" as "https://gate.example". */
static void resolve_public_url(struct reading *reading)
{
    struct config *config = reading->config;
    struct origin origin;
    char *url;

    if (config->public_url == NULL || origin_parse(config->public_url, &origin) != NULL)
        return;
    if (asprintf(&url, "%s://%s", origin.tls ? "https" : "http", origin.authority) >= 0) {
        free(config->public_url);
        config->public_url = url;
    }
    origin_free(&origin);
}

/* Whoever reaches it may read it: from elsewhere, only with a token. */
static void check_admin(struct reading *reading)
{
    const struct config *config = reading->config;
    const struct config_address *address = &config->admin.listen;

    if (address->text == NULL || address->kind != ADDRESS_TCP || host_is_loopback(address->host))
        return;
    if (!secret_source_given(&config->admin.token))
        problems_add(reading->problems, SEVERITY_ERROR, &config->document, "/admin/listen",
                     "admin.listen is no address of this machine (127.0.0.0/8, [::1], unix:PATH): that needs "
                     "admin.token");
    else
        problems_add(reading->problems, SEVERITY_WARNING, &config->document, "/admin/listen",
                     "%s can be reached from other machines without encryption: admin.token crosses the "
                     "network in clear",
                     address->text);
}

/* People show their tokens there. */
static void check_approvals(struct reading *reading)
{
    const struct config *config = reading->config;
    const struct config_address *address = &config->approvals.listen;

    if (address->text != NULL && address->kind == ADDRESS_TCP && !host_is_loopback(address->host) &&
        !config->approvals.tls)
        problems_add(
            reading->problems, SEVERITY_ERROR, &config->document, "/approvals/listen",
            "approvals.listen is no address of this machine (127.0.0.0/8, [::1], unix:PATH), and tokens "
            "are shown there: that needs approvals.tls");
    if (config->approvals.tls && address->text != NULL && address->kind == ADDRESS_UNIX)
        problems_add(reading->problems, SEVERITY_ERROR, &config->document, "/approvals/tls",
                     "approvals.listen is a UNIX socket, which has no TLS");
}

/* What lies in the journal's directory is handed out with it. */
static void check_outside(struct reading *reading, const char *path, const char *pointer, const char *name)
{
    const char *directory = reading->config->audit.directory;
    size_t length = directory ? strlen(directory) : 0;

    if (length > 0 && path != NULL && strncmp(path, directory, length) == 0 &&
        (path[length] == '\0' || path[length] == '/' || directory[length - 1] == '/'))
        problems_add(reading->problems, SEVERITY_ERROR, &reading->config->document, pointer,
                     "%s must not lie inside audit.directory", name);
}

static void check_manifest(struct reading *reading)
{
    const struct config *config = reading->config;

    if (config->manifest.file != NULL && config->manifest.key == NULL)
        problems_add(reading->problems, SEVERITY_ERROR, &config->document, "/manifest/file",
                     "manifest.file needs manifest.key, the public key that it is signed by");
    else if (config->manifest.file == NULL && config->manifest.key != NULL)
        problems_add(reading->problems, SEVERITY_ERROR, &config->document, "/manifest/key",
                     "manifest.key is for manifest.file, which is not set");
}

static void read_settings(struct reading *reading)
{
    size_t count;
    const struct setting *settings = config_settings(&count);

    check_shape(reading);
    for (size_t i = 0; i < count; i++)
        read_setting(reading, &settings[i]);
    resolve_workers(reading->config);
    resolve_upstream(reading);
    resolve_proxy(reading);
    resolve_public_url(reading);
    config_tls_check(reading->config, reading->problems);
    check_admin(reading);
    check_approvals(reading);
    check_manifest(reading);
    config_networks_check(reading->config, reading->problems);
    check_outside(reading, reading->config->audit.keys, "/audit/keys", "audit.keys");
    check_outside(reading, reading->config->ship.state, "/ship/state", "ship.state");
}

struct config *config_examine(const char *path, struct problems *problems)
{
    struct config *config = calloc(1, sizeof *config);
    struct reading reading = {config, path, problems};
    struct text file = {0};
    const char *fault = strerrordesc_np(ENOMEM);
    bool right = false;

    if (config == NULL || !file_read(path, FILE_LIMIT, &file, &fault))
        problems_add_at(problems, path, 0, 0, "cannot read it: %s", fault);
    else
        right = document_read(&config->document, path, (struct span){file.data, file.length}, problems);
    text_free(&file);

    if (!right) {
        config_free(config);
        return NULL;
    }
    read_settings(&reading);
    return config;
}

struct config *config_read(const char *path, struct problems *problems)
{
    size_t errors = problems->errors;
    struct config *config = config_examine(path, problems);

    if (problems->errors == errors)
        return config;
    config_free(config);
    return NULL;
}
