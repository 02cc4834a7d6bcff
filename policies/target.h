/* The request target (RFC 9112 §3.2, RFC 3986) brought to one canonical spelling, or refused. */
#ifndef POLICIES_TARGET_H
#define POLICIES_TARGET_H

#include "policies/arena.h"
#include "policies/uuid.h"

#include <stdint.h>

#define TARGET_SEGMENTS   16
#define TARGET_PARAMETERS 16

struct target_parameter {
    struct span name, value; /* decoded */
};

struct target {
    struct span segments[TARGET_SEGMENTS]; /* decoded; a segment that is a UUID is in lower case */
    size_t segment_count;
    uint32_t uuids; /* bit i: segments[i] is a UUID, and ids[i] its bytes */
    unsigned char ids[TARGET_SEGMENTS][UUID_BYTES];
    struct target_parameter parameters[TARGET_PARAMETERS]; /* as received, names unique, values not empty */
    size_t parameter_count;
    struct span received; /* path and query as received, where that is the canonical spelling of them all;
                             data NULL where it is not. Whoever changes the target sets it NULL */
};

/* Why a target was refused. */
struct target_fault {
    const char *code;   /* "dot-segment", "encoded-slash", …: stable, for tests and logs */
    const char *detail; /* one sentence for a person; names the way out */
    struct span
        parameter; /* the query parameter at fault (decoded name); empty for the path. Never a value. */
};

/* Is it a path and perhaps a query: the one form that needs no `host`? */
static inline bool target_is_path(struct span raw)
{
    return raw.length > 0 && raw.data[0] == '/';
}

/* Nothing in it. Leaves alone what then has no meaning: most of a target. */
static inline void target_clear(struct target *target)
{
    target->segment_count = 0;
    target->uuids = 0;
    target->parameter_count = 0;
    target->received = (struct span){NULL, 0};
}

/* Reads a target. `host` is the Host field's value: an absolute-form target is accepted only where its
 * authority equals it (without case) and its scheme is http or https. true and *target filled (texts live in
 * the arena or in `raw`), or false and *fault filled.
 *
 * Refused: authority-form, asterisk-form, a fragment, bytes outside RFC 3986, broken or double
 * percent-encoding ("%25" followed by two hex digits), encoded slash, backslash (raw or encoded), NUL and
 * control characters, non-UTF-8, dot segments (raw or encoded), empty segments, a trailing slash, ";" in a
 * path (path parameters), too many segments or parameters, a parameter without "=" or with an empty name or
 * value, a repeated name. A raw "+" in a query is a plus, and is forwarded as %2B, so that no parser takes it
 * for a space. */
bool target_parse(struct span raw, struct span host, struct arena *arena, struct target *target,
                  struct target_fault *fault);

/* The canonical spelling: "/" and segments, "?" and parameters in the order held; every byte outside RFC
 * 3986's unreserved set is percent-encoded in upper-case hex. data is NULL when memory is out. */
struct span target_write(const struct target *target, struct arena *arena);

/* The same, for a target that stands as it was parsed or has `received` set NULL: what was received itself,
 * where that will do. */
struct span target_spell(const struct target *target, struct arena *arena);

/* The value of the named parameter (data NULL without one). */
static inline struct span target_parameter(const struct target *target, struct span name)
{
    for (size_t i = 0; i < target->parameter_count; i++)
        if (span_equal(target->parameters[i].name, name))
            return target->parameters[i].value;
    return (struct span){NULL, 0};
}

#endif
