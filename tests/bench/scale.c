/* What a large policy costs: to read, to keep, to ask.
 *
 * scale POLICY CONTRACT REQUESTS prints {"parse_s":…,"load_s":…,"file_bytes":…,"kept_bytes":…,"decisions":…,
 * "passed":…}. REQUESTS holds lines "<token> <target>"; each is judged once, as a GET. Under callgrind with
 * --toggle-collect=decide what is counted is the judgement alone: its fields come with their rows, which the
 * wire guard of the gate has looked up before. */
#include "policies/decide.h"
#include "policies/fields.h"
#include "proxy/base/clock.h"
#include "proxy/base/file.h"

#include <malloc.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_LIMIT ((size_t)1 << 30)

static void fail(const char *what, const struct problems *problems)
{
    (void)fprintf(stderr, "scale: %s: %s\n", what,
                  problems != NULL && problems->count > 0 ? problems->items[0].message : "failed");
    exit(2);
}

static struct text read_file(const char *path)
{
    struct text text = {0};
    const char *fault;

    if (!file_read(path, FILE_LIMIT, &text, &fault))
        fail(path, NULL);
    return text;
}

static double seconds_since(int64_t began_us)
{
    return (double)(clock_monotonic_us() - began_us) / 1e6;
}

/* As jansson reads it, and no more. */
static double parse_time(const struct text *text)
{
    int64_t began_us = clock_monotonic_us();
    json_t *root = json_loadb(text->data, text->length, 0, NULL);
    double parsed = seconds_since(began_us);

    if (root == NULL)
        fail("jansson", NULL);
    json_decref(root);
    return parsed;
}

static struct contract *load_contract(const char *path, struct problems *problems)
{
    struct text text = read_file(path);
    struct document document = {0};
    struct contract *contract = NULL;

    if (document_read(&document, path, (struct span){text.data, text.length}, problems))
        contract = contract_compile(&document, problems);
    document_free(&document);
    text_free(&text);
    if (contract == NULL)
        fail(path, problems);
    return contract;
}

static struct policy *load_policy(const struct text *text, const char *path, const struct contract *contract,
                                  struct problems *problems)
{
    struct document document = {0};
    struct policy *policy = NULL;

    if (document_read(&document, path, (struct span){text->data, text->length}, problems))
        policy = policy_compile(&document, problems);
    if (policy == NULL || !policy_link(policy, contract, &document, problems))
        fail(path, problems);
    document_free(&document);
    return policy;
}

/* What malloc has handed out and not got back. */
static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static bool judge(const struct decide_input *input, const char *token, const char *target)
{
    const struct field fields[] = {{SPAN("Host"), SPAN("localhost")},
                                   {SPAN("Authorization"), span_of(token)}};
    const struct field_row *const rows[] = {field_row(fields[0].name), field_row(fields[1].name)};
    const struct request request = {.method = SPAN("GET"),
                                    .target = span_of(target),
                                    .fields = fields,
                                    .field_count = sizeof fields / sizeof *fields,
                                    .rows = rows,
                                    .client = SPAN("127.0.0.1"),
                                    .now = 1800000000};
    _Alignas(max_align_t) char room[3072];
    struct arena arena;
    struct decision decision;

    arena_init_within(&arena, room, sizeof room);
    decide(input, &request, &arena, &decision);
    bool passed = decision.verdict == VERDICT_PASS;
    decision_free(&decision);
    arena_reset(&arena);
    return passed;
}

static void judge_all(const struct decide_input *input, const char *path, unsigned *decisions,
                      unsigned *passed)
{
    FILE *file = fopen(path, "r");
    char token[256] = "Token ", target[512];

    if (file == NULL)
        fail(path, NULL);
    while (fscanf(file, "%200s %500s", token + sizeof "Token " - 1, target) == 2) {
        *passed += judge(input, token, target);
        (*decisions)++;
    }
    (void)fclose(file);
}

int main(int argc, char **argv)
{
    struct problems problems = {0};
    unsigned decisions = 0, passed = 0;

    if (argc != 4)
        return 2;
    struct text text = read_file(argv[1]);
    struct contract *contract = load_contract(argv[2], &problems);
    double parsed = parse_time(&text);
    size_t before = in_use();
    int64_t began_us = clock_monotonic_us();
    struct policy *policy = load_policy(&text, argv[1], contract, &problems);
    double loaded = seconds_since(began_us);
    size_t kept = in_use() - before;
    const struct decide_input input = {
        .contract = contract, .policy = policy, .scratch = pattern_scratch_new()};

    judge_all(&input, argv[3], &decisions, &passed);
    (void)printf("{\"parse_s\":%.6f,\"load_s\":%.6f,\"file_bytes\":%zu,\"kept_bytes\":%zu,\"decisions\":%u,"
                 "\"passed\":%u}\n",
                 parsed, loaded, text.length, kept, decisions, passed);
    pattern_scratch_free(input.scratch);
    policy_free(policy);
    contract_free(contract);
    problems_free(&problems);
    text_free(&text);
    return 0;
}
