/* Writes into the journal of a gate that is stopped that somebody has approved, or taken that back: for tests
 * of what approvals do, whoever may give them.
 *
 *   approve DIRECTORY KEYS APPROVAL PRINCIPAL PERSON   given by that principal, who counts as that person
 *   approve DIRECTORY KEYS APPROVAL PRINCIPAL          withdrawn
 *
 * Prints the verdict. */
#include "proxy/audit/claims.h"
#include "proxy/audit/journal.h"
#include "proxy/audit/record.h"
#include "proxy/base/clock.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

struct drive {
    struct journal *journal;
    struct journal_port *port;
    struct event_base *base;
    bool durable;
};

static void on_open(void *arg, bool durable)
{
    (void)durable;
    (void)event_base_loopbreak(arg);
}

static void open_journal(struct drive *drive, const char *directory, const char *keys)
{
    const struct journal_settings settings = {.directory = directory, .keys = keys, .queue = 64};
    char error[512] = "";

    drive->base = event_base_new();
    drive->journal = drive->base ? journal_open(&settings, error, sizeof error) : NULL;
    drive->port = drive->journal ? journal_port_new(drive->journal, drive->base) : NULL;
    if (drive->port == NULL || !journal_when_open(drive->port, on_open, drive->base)) {
        fprintf(stderr, "approve: %s\n", error);
        exit(1);
    }
    (void)event_base_dispatch(drive->base);
}

static void on_claimed(void *arg, bool durable, const struct claim_verdict *verdict)
{
    struct drive *drive = arg;

    drive->durable = durable;
    puts(claim_result_name(verdict->result));
    (void)event_base_loopbreak(drive->base);
}

static bool append(struct drive *drive, const struct claim *claim)
{
    struct text text = {0};
    struct record record = {0};

    claims_write(claim, 1, &text);
    const struct record_fields fields = {
        .stage = STAGE_APPROVAL,
        .time_us = clock_now_us(),
        .approval = claim->id,
        .claims = {text.data, text.length},
        .principal = claim->principal,
        .result = span_of(claim->kind == CLAIM_GIVE ? "given" : "withdrawn"),
    };
    bool appended = record_build(&fields, &record) &&
                    journal_append_claiming(drive->port, &record, claim, 1, on_claimed, drive);
    record_free(&record);
    text_free(&text);
    return appended;
}

int main(int count, char **words)
{
    struct drive drive = {0};

    if (count != 5 && count != 6) {
        fputs("approve DIRECTORY KEYS APPROVAL PRINCIPAL [PERSON]\n", stderr);
        return 2;
    }
    const struct claim claim = {
        .kind = count == 6 ? CLAIM_GIVE : CLAIM_WITHDRAW,
        .id = span_of(words[3]),
        .principal = span_of(words[4]),
        .person = span_of(count == 6 ? words[5] : NULL),
    };
    open_journal(&drive, words[1], words[2]);
    if (append(&drive, &claim))
        (void)event_base_dispatch(drive.base);
    journal_port_free(drive.port);
    journal_close(drive.journal);
    event_base_free(drive.base);
    return drive.durable ? 0 : 1;
}
