#include "policies/pattern_walk.h"

#include "policies/ascii.h"

#define MANY 8u   /* repetitions from which on a quantifier counts as one without an end */
#define MOST 256u /* repetitions that lead on: of what must stand there so often */

/* Characters that stand for the usual classes. */
static const char usual[] = "a0A_ -./@:\n\t\xc3\xa9";

/* What is looked through for a class that has none of these, nor any that the pattern writes. */
static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "!\"#$%&'()*+,;<=>?[\\]^`{|}~";

static void walk_alternatives(struct pattern_walk *walk);

static bool ended(const struct pattern_walk *walk)
{
    return walk->at >= walk->source.length;
}

/* The character at `offset` beyond the present one; NUL behind the end. */
static char ahead(const struct pattern_walk *walk, size_t offset)
{
    return walk->source.length - walk->at > offset ? walk->source.data[walk->at + offset] : '\0';
}

/* The bytes of the UTF-8 character that begins there. */
static size_t character_length(struct span text, size_t at)
{
    size_t length = 1;

    while (at + length < text.length && ((unsigned char)text.data[at + length] & 0xc0) == 0x80)
        length++;
    return length;
}

static struct span keep(struct pattern_walk *walk, struct span bytes)
{
    struct span copy = arena_copy(&walk->arena, bytes);

    walk->failed = walk->failed || copy.data == NULL;
    return copy;
}

static void note_piece(struct pattern_walk *walk, struct span piece)
{
    if (piece.length == 0 || walk->piece_count == WALK_PIECES)
        return;
    for (size_t i = 0; i < walk->piece_count; i++)
        if (span_equal(walk->pieces[i], piece))
            return;
    struct span copy = keep(walk, piece);
    if (copy.data != NULL)
        walk->pieces[walk->piece_count++] = copy;
}

/* Of the path, what came since it was `from` bytes long. */
static struct span path_since(const struct pattern_walk *walk, size_t from)
{
    return walk->path.length > from ? (struct span){walk->path.data + from, walk->path.length - from}
                                    : (struct span){"", 0};
}

static void path_cut(struct pattern_walk *walk, size_t length)
{
    if (walk->path.length > length) {
        walk->path.length = length;
        walk->path.data[length] = '\0';
    }
}

/* ---- atoms ---- */

static void take_literal(struct pattern_walk *walk, struct span character)
{
    note_piece(walk, character);
    text_add(&walk->path, character.data, character.length);
}

/* Notes each character of the text that the atom takes; the first one leads on, where none has yet. */
static bool try_characters(struct pattern_walk *walk, const struct pattern *atom, struct span text, bool led)
{
    for (size_t at = 0, length; at < text.length; at += length) {
        length = character_length(text, at);
        const struct span character = {text.data + at, length};
        if (pattern_match(atom, walk->scratch, character) != MATCH_YES)
            continue;
        note_piece(walk, character);
        if (!led)
            text_add(&walk->path, character.data, character.length);
        led = true;
    }
    return led;
}

/* A class of characters, as the pattern spells it: PCRE2 itself says what is in it. */
static void take_class(struct pattern_walk *walk, struct span spelling)
{
    const char *text = arena_format(&walk->arena, "\\A(?:%.*s)\\z", (int)spelling.length, spelling.data);
    char error[256];
    struct pattern *atom = text ? pattern_compile(span_of(text), error, sizeof error) : NULL;

    walk->failed = walk->failed || text == NULL;
    if (atom != NULL) {
        bool led = try_characters(walk, atom, span_of(usual), false);
        led = try_characters(walk, atom, walk->source, led);
        if (!led)
            (void)try_characters(walk, atom, span_of(letters), false);
    }
    pattern_free(atom);
}

/* Leaves `at` behind the first `last`, or at the end. */
static void skip_behind(struct pattern_walk *walk, char last)
{
    while (!ended(walk) && walk->source.data[walk->at] != last)
        walk->at++;
    walk->at += !ended(walk);
}

static void walk_class(struct pattern_walk *walk)
{
    size_t begin = walk->at++;

    walk->at += ahead(walk, 0) == '^';
    walk->at += ahead(walk, 0) == ']';
    while (!ended(walk) && ahead(walk, 0) != ']') {
        if (ahead(walk, 0) == '[' && ahead(walk, 1) == ':') {
            walk->at += 2;
            skip_behind(walk, ']');
        } else {
            walk->at += ahead(walk, 0) == '\\' && walk->at + 1 < walk->source.length ? 2 : 1;
        }
    }
    walk->at += !ended(walk);
    take_class(walk, (struct span){walk->source.data + begin, walk->at - begin});
}

static void walk_escape(struct pattern_walk *walk)
{
    size_t begin = walk->at++;
    char kind = ahead(walk, 0);

    walk->at += ended(walk) ? 0 : character_length(walk->source, walk->at);
    if (kind != '\0' && strchr("pPxoNgk", kind) != NULL && ahead(walk, 0) == '{')
        skip_behind(walk, '}');
    else if (kind == 'p' || kind == 'P' || kind == 'c')
        walk->at += !ended(walk);
    else if (kind == 'k' && (ahead(walk, 0) == '<' || ahead(walk, 0) == '\''))
        skip_behind(walk, ahead(walk, 0) == '<' ? '>' : '\'');
    else if (kind == 'x')
        for (int i = 0; i < 2 && ascii_hex(ahead(walk, 0)) >= 0; i++)
            walk->at++;
    if (kind != '\0' && strchr("bBAzZGKEQ", kind) == NULL)
        take_class(walk, (struct span){walk->source.data + begin, walk->at - begin});
}

/* ---- groups ---- */

/* Leaves `at` behind what introduces a group. Does the group take nothing, because it only looks, or is no
 * group at all? */
static bool walk_introduction(struct pattern_walk *walk)
{
    if (ahead(walk, 0) == '*') { /* a verb */
        while (!ended(walk) && ahead(walk, 0) != ')')
            walk->at++;
        return true;
    }
    if (ahead(walk, 0) != '?')
        return false;
    walk->at++;
    if (ahead(walk, 0) == '#') {
        while (!ended(walk) && ahead(walk, 0) != ')')
            walk->at++;
        return true;
    }
    bool behind = ahead(walk, 0) == '<' && (ahead(walk, 1) == '=' || ahead(walk, 1) == '!');
    if (behind || ahead(walk, 0) == '=' || ahead(walk, 0) == '!') {
        walk->at += behind ? 2 : 1;
        return true;
    }
    if (ahead(walk, 0) == '|' || ahead(walk, 0) == '>') {
        walk->at++;
        return false;
    }
    walk->at += ahead(walk, 0) == 'P';
    if (ahead(walk, 0) == '<' || ahead(walk, 0) == '\'') { /* a name */
        char last = ahead(walk, 0) == '<' ? '>' : '\'';
        walk->at++;
        skip_behind(walk, last);
        return false;
    }
    while (!ended(walk) && ahead(walk, 0) != ':' && ahead(walk, 0) != ')') /* flags */
        walk->at++;
    walk->at += ahead(walk, 0) == ':';
    return false;
}

static void walk_group(struct pattern_walk *walk)
{
    size_t length = walk->path.length;

    walk->at++;
    bool nothing = walk_introduction(walk);
    walk_alternatives(walk);
    walk->at += !ended(walk); /* the parenthesis */
    if (nothing)
        path_cut(walk, length);
}

static void walk_atom(struct pattern_walk *walk)
{
    size_t length;

    switch (ahead(walk, 0)) {
    case '(':
        walk_group(walk);
        break;
    case '[':
        walk_class(walk);
        break;
    case '\\':
        walk_escape(walk);
        break;
    case '.':
        walk->at++;
        take_class(walk, SPAN("."));
        break;
    case '^':
    case '$':
        walk->at++;
        break;
    default:
        length = character_length(walk->source, walk->at);
        take_literal(walk, (struct span){walk->source.data + walk->at, length});
        walk->at += length;
    }
}

/* ---- quantifiers ---- */

struct quantifier {
    unsigned least, most;
};

static unsigned read_number(struct pattern_walk *walk)
{
    unsigned number = 0;

    for (; ascii_is_digit(ahead(walk, 0)); walk->at++)
        number = number < 100000 ? number * 10 + (unsigned)(ahead(walk, 0) - '0') : number;
    return number;
}

/* "{2}", "{2,}" and "{2,5}"; any other brace is a character like others. */
static bool read_braces(struct pattern_walk *walk, struct quantifier *quantifier)
{
    size_t begin = walk->at++;
    bool right = ascii_is_digit(ahead(walk, 0));

    quantifier->least = quantifier->most = read_number(walk);
    if (right && ahead(walk, 0) == ',') {
        walk->at++;
        quantifier->most = ascii_is_digit(ahead(walk, 0)) ? read_number(walk) : UINT32_MAX;
    }
    right = right && ahead(walk, 0) == '}';
    walk->at = right ? walk->at + 1 : begin;
    return right;
}

static struct quantifier read_quantifier(struct pattern_walk *walk)
{
    struct quantifier quantifier = {1, 1};
    char sign = ahead(walk, 0);

    if (sign == '{') {
        if (!read_braces(walk, &quantifier))
            return (struct quantifier){1, 1};
    } else if (sign == '*' || sign == '+' || sign == '?') {
        quantifier = (struct quantifier){sign == '+', sign == '?' ? 1 : UINT32_MAX};
        walk->at++;
    } else {
        return quantifier;
    }
    walk->at += ahead(walk, 0) == '+' || ahead(walk, 0) == '?'; /* possessive or lazy */
    return quantifier;
}

/* Of several with the same way there, the one that spans the most is the one to be named. */
static void note_loop(struct pattern_walk *walk, struct span part, size_t before)
{
    const struct span way = {before > 0 ? walk->path.data : "", before};

    for (size_t i = 0; i < walk->loop_count; i++)
        if (span_equal(walk->loops[i].before, way)) {
            if (part.length > walk->loops[i].part.length)
                walk->loops[i].part = part;
            return;
        }
    if (walk->loop_count < WALK_LOOPS) {
        walk->loops[walk->loop_count] = (struct walk_loop){part, keep(walk, way)};
        walk->loop_count += !walk->failed;
    }
}

static void walk_item(struct pattern_walk *walk)
{
    size_t begin = walk->at, length = walk->path.length;

    walk_atom(walk);
    struct quantifier quantifier = read_quantifier(walk);
    struct span once = keep(walk, path_since(walk, length));
    if (quantifier.most >= MANY && quantifier.most > quantifier.least) {
        note_loop(walk, (struct span){walk->source.data + begin, walk->at - begin}, length);
        note_piece(walk, once);
    }
    if (quantifier.least == 0)
        path_cut(walk, length);
    for (unsigned i = 1; i < quantifier.least && i < MOST && once.data != NULL; i++)
        text_add(&walk->path, once.data, once.length);
}

/* Up to the end or a parenthesis. The first branch leads on. */
static void walk_alternatives(struct pattern_walk *walk)
{
    size_t length = walk->path.length;
    struct span first = {NULL, 0};

    for (;;) {
        while (!ended(walk) && ahead(walk, 0) != '|' && ahead(walk, 0) != ')' && !walk->failed)
            walk_item(walk);
        struct span branch = keep(walk, path_since(walk, length));
        note_piece(walk, branch);
        if (first.data == NULL)
            first = branch;
        path_cut(walk, length);
        if (ahead(walk, 0) != '|' || walk->failed)
            break;
        walk->at++;
    }
    if (first.data != NULL)
        text_add(&walk->path, first.data, first.length);
}

void pattern_walk(struct pattern_walk *walk, struct span source, struct pattern_scratch *scratch)
{
    *walk = (struct pattern_walk){.source = source, .scratch = scratch};
    arena_init(&walk->arena);
    while (!ended(walk) && !walk->failed) {
        walk_alternatives(walk);
        walk->at += !ended(walk); /* what nothing opened */
    }
    walk->failed = walk->failed || walk->path.failed;
}

void pattern_walk_free(struct pattern_walk *walk)
{
    text_free(&walk->path);
    arena_reset(&walk->arena);
}
